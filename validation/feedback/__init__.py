"""Readers and final reports as truth for live studies: agreement, what to look at, local calibration."""
