"""Tests of the parts of a suite."""
