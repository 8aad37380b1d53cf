"""Kills the receiver without mercy and counts what it promised: `python -m tests.chaos`."""
