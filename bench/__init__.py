"""Benchmarks: ratios measured in one run, each ``python -m bench.<area>.<topic>``."""
