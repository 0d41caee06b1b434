"""A text as tokens, and the phrases of the vocabulary in it; knows nothing of what they are for.

Tokens are words in small letters, ``,`` and ``;`` (any end of a sentence), ``=`` (a colon too), shares such as ``70%``
and signs such as emoji.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from .languages import apart, in_english
from .vocabulary import FILLER, LESS, LISTING, MORE, NEGATIONS, ONLY, PHRASES, STOPS, STRENGTHS

Tokens = Sequence[str]

LONGEST = 4  # words of a phrase
AND = ("and", "&", "plus")
OR = ("or", "nor")
_TOKEN = re.compile(
    r"\d+(?:\.\d+)?\s*%|\d+\.\d+|[^\W_]+(?:[#&'][^\W_]+)*[#']?|[,;.!?\n:=]|&|[\u2190-\u2bff\U0001f000-\U0001faff]"
)
_ENDS = re.compile(r"[;.!?\n]")
_SIGNS = str.maketrans("♯♭’_、，،。！？؟；：｜", "#b' ,,,.!??;:|")
_VOWEL_SIGNS = re.compile("[\u0640\u064b-\u065f]")  # of Arabic, which may be left out
_ENGLISH = frozenset(
    ("solo", "nothing", *ONLY, *PHRASES, *NEGATIONS, *STOPS, *FILLER, *MORE, *LESS, *STRENGTHS, *AND, *OR)
)


def tokens_of(text: str) -> list[str]:
    """The tokens of a text, in English where they are words of another language."""
    words = [_token(found) for found in _TOKEN.findall(_plain(apart(text)).replace("-", " "))]
    return words if all(word in _ENGLISH for word in words) else in_english(words, _ENGLISH)


def _token(text: str) -> str:
    if text == ":":
        return "="
    return ";" if _ENDS.fullmatch(text) else text.replace(" ", "").removesuffix("'")


def _plain(text: str) -> str:
    """Small letters; the Latin ones without accents, those of other scripts as they are."""
    text = _VOWEL_SIGNS.sub("", text.translate(_SIGNS))
    out = []
    for c in unicodedata.normalize("NFC", text):
        apart = unicodedata.normalize("NFKD", c)
        out.append("".join(a for a in apart if not unicodedata.combining(a)) if apart[0].isascii() else c)
    return "".join(out).lower().replace("\ufe0f", "")


def phrase_at(words: Tokens, at: int) -> tuple[str | None, int]:
    """The longest phrase of the vocabulary that begins here; plurals and "-less" count too."""
    for length in range(min(LONGEST, len(words) - at), 0, -1):
        text = " ".join(words[at : at + length])
        for ending in ("", "s", "es", "less", "y"):
            form = text.removesuffix(ending)
            if form in PHRASES and (form == text or len(form) > 2):
                return form, length
    return None, 0


def list_goes_on(words: Tokens, at: int, negation: str) -> bool:
    """Whether what follows a comma belongs to the list that a negation began: "no drums, bass or guitar".

    "no drums, piano and flute" asks for piano and flute; "without drums, bass and guitar" asks for neither.
    """
    items: list[str] = []
    joint = ""
    while at < len(words) and words[at] not in STOPS and words[at] != ";":
        word = words[at]
        if word in AND or word in OR:
            joint = word
        elif word != "," and word not in ("any", "the", "a", "of", "kind", "sort"):
            phrase, length = phrase_at(words, at)
            if phrase is None:
                if joint and word in FILLER:
                    break
                return False
            items.append(phrase)
            at += length
            if joint:  # the last of a list
                break
            continue
        at += 1
    if joint in OR:
        return True
    if not joint:
        return False
    kinds = [PHRASES[item] for item in items]
    if negation in LISTING:
        return all({"instrument", "part", "ambience", "crackle"} & set(kind) for kind in kinds)
    return all(set(kind) == {"part"} for kind in kinds)
