"""Writes the notes of a planned piece: harmony, melody, bass, comping and drums."""
