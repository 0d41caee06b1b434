"""Whether a prompt changes the music that plays, or asks for other music."""

from __future__ import annotations

from itertools import pairwise

from ....prompt_forms import rewritten
from .intent import Intent
from .phrases import Tokens, phrase_at, thing_before
from .tokens import tokens_of
from .vocabulary import ADDING, LESS, LESS_AFTER, MORE, MORE_AFTER, NEGATED_AFTER, NEGATED_AS_VALUE, PHRASES


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What may stand before the word that tells a change: politeness, and how much of one it is.
_BEFORE = _words(
    """
    , ; please can could would you i i'd want like love need to let let's lets us we me it the a an bit little tad touch
    slightly somewhat much lot lots way far very now ok okay just some still even maybe make is should be
    """
)
_JOINING = ("no", "not", "without", "sans", "with", "and", "but", "instead")  # changes, unless they ask for a style
_SLOWING = (("slow", "down"), ("slow", "it"), ("slow", "this"), ("slow", "the"))
_AFTER = (MORE_AFTER | LESS_AFTER | NEGATED_AFTER) - {"softly"}  # "sax softly" asks for a saxophone


def is_addition(prompt: str, intent: Intent) -> bool:
    """Whether a prompt builds on the earlier one ("add rain", "no drums", "bass louder") instead of replacing it.

    Args:
        intent: what the prompt asks for
    """
    text = rewritten(prompt)
    words = tokens_of(text)
    first = _first(words)
    word = words[first] if first < len(words) else ""
    if word in _JOINING or text.lstrip(" ,").startswith("-"):
        return not intent.styles and (not intent.instruments or word in ("with", "and", "but", "instead"))
    if _asks_for_change(words, first):
        return True
    parts = _parts(words)
    return bool(parts) and not intent.styles and all(_is_change(part) for part in parts)


def _first(words: Tokens) -> int:
    """Where the first word stands that says what is wanted."""
    for i, word in enumerate(words):
        if word not in _BEFORE or _asks_for_change(words, i):
            return i
    return len(words)


def _asks_for_change(words: Tokens, at: int) -> bool:
    """Whether the word at this place begins a change: "add", "slower", "slow down"; "make" with what is made."""
    word = words[at] if at < len(words) else ""
    if word == "slow":
        return tuple(words[at : at + 2]) in _SLOWING or at + 1 == len(words)
    if word in ("slower", "faster"):  # "slower waltz" is a piece: German has one word for "slow" and "slower"
        phrase, _ = phrase_at(words, at + 1)
        return phrase is None or not {"style", "metre"} & set(PHRASES[phrase])
    return word in ADDING


def _parts(words: Tokens) -> list[list[str]]:
    """The parts of a prompt between commas and the ends of sentences."""
    parts: list[list[str]] = [[]]
    for word in words:
        if word in (",", ";"):
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part]


def _is_change(part: Tokens) -> bool:
    """Whether a part asks for more, less, another pace, for something to go or to come: "drums off"."""
    first = _first(part)
    word = part[first] if first < len(part) else ""
    if word in MORE or word in LESS or word in ("no", "not", "without", "sans") or _asks_for_change(part, first):
        return True
    if "add" in part or {("instead", "of"), ("none", "for")} & set(
        pairwise(part)
    ):  # "雨を追加", "guitar instead of piano"
        return True
    last = len(part) - (2 if part[-2:-1] == ["="] else 1)
    told = part[-1] in (NEGATED_AS_VALUE if last == len(part) - 2 else _AFTER)
    return told and bool({"instrument", "part", "ambience", "crackle"} & thing_before(part[:last]))
