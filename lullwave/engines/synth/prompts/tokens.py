"""A text as tokens, and the phrases of the vocabulary in it.

Tokens are words in small letters, ``,`` and ``;`` (any end of a sentence), ``=`` (a colon too), shares such as ``70%``
and signs such as emoji.
"""

from __future__ import annotations

import re
import unicodedata

from .languages import apart, in_english
from .phrases import Tokens, phrase_at
from .rephrasing import rephrased
from .vocabulary import FILLER, LESS, LISTING, MORE, NEGATIONS, ONLY, PHRASES, STOPS, STRENGTHS

AND = ("and", "&", "plus")
OR = ("or", "nor")
_MARKS = (  # vowel signs and the like, which belong to the letter before them; not the punctuation between them
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0711-\u074a\u07a6-\u07b0"
    "\u0816-\u082d\u08d3-\u0903\u093a-\u0963\u0981-\u0d83\u0dca-\u0df3\u0e31-\u0e4e\u0eb1-\u0ecd\u0f18-\u0fbc\u102b-\u1049"
    "\u1056-\u109d\u135d-\u135f\u1712-\u1734\u1752-\u1773\u17b4-\u17d3\u18a9\u1920-\u193b\u1a17-\u1a7f\u1ab0-\u1aff\u1b00-\u1b44"
    "\u1b80-\u1bad\u1be6-\u1bf3\u1c24-\u1c37\u1cd0-\u1cf9\u1dc0-\u1dff\u200c\u200d\u20d0-\u20f0\u302a-\u302f\u3099\u309a\ua66f-\ua67d"
    "\ua802-\ua827\ua880-\ua8c5\ua926-\ua953\ua980-\ua9c0\uaa29-\uaa4d\uaab0-\uaac1\uaaeb-\uaaf6\uabe3-\uabed\ufb1e\ufe20-\ufe2f"
)
_LETTERS = rf"[^\W_](?:[^\W_]|[{_MARKS}])*"
_SIGN = r"[\u2190-\u2bff\U0001f000-\U0001faff]"
_TOKEN = re.compile(
    rf"\d+(?:\.\d+)?\s*%|\d+\.\d+|{_LETTERS}(?:[#&']{_LETTERS})*[#']?|[,;.!?\n:=]|&|"
    rf"[\U0001f1e6-\U0001f1ff]{{2}}|{_SIGN}(?:[\u200d\U0001f3fb-\U0001f3ff]+{_SIGN}?)*"
)
_SECTION = re.compile(
    r"\s*(?:intro|outro|verse|(?:pre|post)?[ -]?chorus|bridge|hook|drop|build ?up|break ?down|break|interlude|refrain|"
    r"end)\s*\d*\s*",
    re.IGNORECASE,
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
    return rephrased(words if all(word in _ENGLISH for word in words) else in_english(words, _ENGLISH))


def _token(text: str) -> str:
    if text in (":", "&"):
        return "=" if text == ":" else "and"
    return ";" if _ENDS.fullmatch(text) else text.replace(" ", "").removesuffix("'")


def _plain(text: str) -> str:
    """Small letters; the Latin ones without accents, those of other scripts as they are."""
    text = _VOWEL_SIGNS.sub("", text.translate(_SIGNS))
    out = []
    for c in unicodedata.normalize("NFC", text):
        apart = unicodedata.normalize("NFKD", c)
        out.append("".join(a for a in apart if not unicodedata.combining(a)) if apart[0].isascii() else c)
    return "".join(out).lower().replace("\ufe0f", "")


def names_a_section(text: str) -> bool:
    """Whether a text is the label of a part of a song, as in "[chorus]"."""
    return _SECTION.fullmatch(text) is not None


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


def counts_bars(words: Tokens, at: int) -> bool:
    """Whether a number of bars stands here: "16 bars" are no café."""
    number = words[at].isdigit() or words[at] in ("one", "two", "three", "four", "eight", "twelve", "sixteen")
    return number and words[at + 1 : at + 2] in (["bar"], ["bars"], ["measures"])


def phrase_follows(words: Tokens, at: int) -> bool:
    """Whether a phrase of the vocabulary comes next, articles apart."""
    while at < len(words) and words[at] in ("of", "the", "a", "an", "that", "my"):
        at += 1
    return phrase_at(words, at)[0] is not None


def shares_first(words: Tokens) -> bool:
    """Whether shares stand before what they are of ("70% jazz") or after it ("jazz 70%")."""
    first = next((i for i, word in enumerate(words) if word.endswith("%")), None)
    return (
        first is not None and (first == 0 or words[first - 1] in (",", ";", *AND)) and phrase_follows(words, first + 1)
    )


def share_at(words: Tokens, at: int) -> float:
    """A share that stands at a place: ``70%``, or ``= 3`` for "jazz:3"."""
    if 0 <= at < len(words):
        if words[at].endswith("%"):
            return max(0.01, min(10.0, float(words[at][:-1]) / 100.0))
        if words[at] == "=" and at + 1 < len(words) and is_number(words[at + 1]):
            return max(0.01, min(10.0, float(words[at + 1])))
    return 1.0


def is_number(word: str) -> bool:
    """Whether a token is a plain number."""
    return word.replace(".", "", 1).isdigit() and word.isascii()
