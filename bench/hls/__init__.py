"""Benchmarks of HLS: listeners, players, the sound itself."""
