"""Benchmarks: `make bench` runs them all and keeps their JSON lines in var/bench/."""
