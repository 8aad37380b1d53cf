"""Tests of bundles, and of the recipe that makes one."""
