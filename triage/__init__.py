"""The clinical rules of triage: pure functions and values, standard library only."""
