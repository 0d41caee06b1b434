"""Benchmarks of the embedded engine: its music, its sound to outside ears, its speed."""
