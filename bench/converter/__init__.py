"""Benchmarks of the spectrogram converter beside the one that it replaces."""
