"""Decides what a piece is to be: style, form, sections, players, and what changes when it is steered."""
