"""From pixels to findings: reading, preparing, running a model and saying what it saw."""
