"""Benchmarks of the neural engines beside their reference libraries."""
