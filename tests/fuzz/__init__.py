"""Fuzzing: `python -m tests.fuzz TARGET --inputs N` feeds a target what nobody should send."""
