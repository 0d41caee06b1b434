"""Instruments and drum kits: a file of render functions for each family, and the cache of rendered notes."""
