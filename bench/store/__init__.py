"""Benchmarks of the radio: listeners, steering, faults, latency and load."""
