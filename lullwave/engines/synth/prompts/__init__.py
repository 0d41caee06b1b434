"""Reads the words of a prompt and says what was understood."""
