"""Change over time, found early, with a false-alarm rate that is kept: charts, label-free figures, two-sample tests."""
