"""Suites: everything that is asked of a bundle before it goes live, and what it must answer."""
