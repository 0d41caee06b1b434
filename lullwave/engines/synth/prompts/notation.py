"""Rewrites keys and metres in the notation of other languages into the English one.

German and its neighbours call B natural H and B flat B ("h-Moll", "B-Dur"); Romance languages and Russian sing their
tones ("ré mineur", "sol mayor", "ля минор"); Japanese, Chinese and Korean have signs for them ("ニ短調", "降E大调",
"다단조"). All else comes back as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_SUNG = {
    "do": "C", "ut": "C", "re": "D", "ré": "D", "mi": "E", "fa": "F", "sol": "G", "la": "A", "si": "B",
    "до": "C", "ре": "D", "ми": "E", "фа": "F", "соль": "G", "ля": "A", "си": "B",
}  # fmt: skip
_SIGNED = {  # of Japanese and Korean
    **dict(zip("ハニホヘトイロ", "CDEFGAB", strict=True)),
    **dict(zip("다라마바사가나", "CDEFGAB", strict=True)),
}
_RAISED = r"#|♯|dièse|diese|diesis|sostenido|sustenido|диез|升|嬰|올림"
_LOWERED = r"♭|bémol|bemol|bemolle|бемоль|降|変|내림"
_SPACED_MODE = r"(?:(mineur|minore|menor|минор\w*)|majeur|maggiore|mayor|maior|мажор\w*)"
_SIGNED_MODE = r"(?:(短調|小调|小調|단조|マイナー|마이너)|長調|大调|大調|장조|メジャー|메이저)"
_KEYS = (
    re.compile(
        rf"\b({'|'.join(_SUNG)})(?:[\s-]*(?:({_RAISED})|({_LOWERED})))?[\s-]+{_SPACED_MODE}(?!\w)", re.IGNORECASE
    ),
    re.compile(rf"(?:({_RAISED})|({_LOWERED}))?([A-Ga-g{''.join(_SIGNED)}])\s?(?:(#|♯)|(♭|b))?\s*{_SIGNED_MODE}"),
)
_GERMAN = re.compile(r"\b([a-h])(is|es|s)?[\s-]*(?:(moll|mineur)|(?:dur|majeur))\b", re.IGNORECASE)
_FRACTION = re.compile(r"(\d{1,2})\s*(?:分の|분의)\s*(\d{1,2})\s*(?:拍子?|박자?)?|(\d{1,2})\s*por\s*(4|8)\b")


def in_english_notation(text: str) -> str:
    """The text with its keys ("D minor") and metres ("3/4") as English writes them."""
    text = _FRACTION.sub(lambda m: f" {m[2]}/{m[1]} " if m[1] else f" {m[3]}/{m[4]} ", text)
    text = _GERMAN.sub(_german, text)
    text = _KEYS[0].sub(_key(lambda m: (_SUNG[m[1].lower()], m[2], m[3], m[4])), text)
    return _KEYS[1].sub(_key(lambda m: (_SIGNED.get(m[3], m[3].upper()), m[1] or m[4], m[2] or m[5], m[6])), text)


def _german(found: re.Match[str]) -> str:
    letter, sign = found[1].lower(), (found[2] or "").lower()
    tone = {"h": "B", "b": "Bb"}.get(letter, letter.upper())
    sign = {"is": "#", "es": "b", "s": "b", "": ""}[sign]
    return f"{tone}{sign} {'minor' if found[3] else 'major'}"


def _key(
    parts: Callable[[re.Match[str]], tuple[str, str | None, str | None, str | None]],
) -> Callable[[re.Match[str]], str]:
    """Writes a key from its parts: the tone, and what is there if it is raised, lowered, minor."""

    def write(found: re.Match[str]) -> str:
        tone, raised, lowered, minor = parts(found)
        return f" {tone}{'#' if raised else 'b' if lowered else ''} {'minor' if minor else 'major'} "

    return write
