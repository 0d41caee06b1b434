"""Finds the phrases of the vocabulary in tokens."""

from __future__ import annotations

from collections.abc import Sequence

from .vocabulary import PHRASES

Tokens = Sequence[str]

LONGEST = 4  # words of a phrase


def phrase_at(words: Tokens, at: int) -> tuple[str | None, int]:
    """The longest phrase of the vocabulary that begins here; plurals and "-less" count too."""
    for length in range(min(LONGEST, len(words) - at), 0, -1):
        text = " ".join(words[at : at + length])
        for ending in ("", "s", "es", "less", "y"):
            form = text.removesuffix(ending)
            if form in PHRASES and (form == text or len(form) > 2):
                return form, length
    return None, 0


def thing_before(words: Tokens) -> frozenset[str]:
    """The kinds of effects of the phrase that these words end with; empty if they end with none."""
    for length in range(min(LONGEST, len(words)), 0, -1):
        found, reach = phrase_at(words, len(words) - length)
        if found and reach == length:
            return frozenset(PHRASES[found])
    return frozenset()
