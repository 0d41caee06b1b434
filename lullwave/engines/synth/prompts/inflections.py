"""Other forms of the words of other languages: endings of number, gender and case, and compounds.

A form is found where it shares a stem with a word that the language has: "ruhiges" with "ruhig", "рояле" with "рояль".
German and Dutch join words: "Meeresrauschen" is the sea, "vioolmuziek" a violin.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping

SHORTEST_STEM = 4  # letters; shorter stems belong to too many words
_SHORTEST_PART = 3  # letters of a part of a compound


def _folded(text: str) -> tuple[str, ...]:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return tuple(sorted(plain.split(), key=len, reverse=True))


_ENDINGS: Mapping[str, tuple[str, ...]] = {
    "de": _folded("e en er es em s n"),
    "fr": _folded("e s es x"),
    "es": _folded("o a os as e es s"),
    "it": _folded("o a i e he"),
    "pt": _folded("o a os as e es s"),
    "nl": _folded("e en s"),
    "pl": _folded("a e y i u o ą ę em ie ach ami om ów owi ego ej ym ych mi"),
    "ru": _folded("а у ы и е о й ой ом ам ами ах ый ая ое ые ого ую ий я ю ем ь им ых ов ей"),
}
_HEADS = {  # what the last part of a compound may be, beside a word of the language
    "de": _folded("musik klang klänge geräusch geräusche rauschen sound sounds ton töne stimmung begleitung lied"),
    "nl": _folded("muziek geluid geluiden klank klanken sfeer lied"),
}
_JOINTS = ("", "es", "en", "s", "n", "e")


def stems(word: str, language: str) -> Iterable[str]:
    """The stems that a word may have, the shortest cut first; none for languages without endings here."""
    for ending in (*reversed(_ENDINGS.get(language, ())), ""):
        stem = word.removesuffix(ending)
        if (stem != word or not ending) and len(stem) >= SHORTEST_STEM:
            yield stem


def compound(word: str, language: str, meaning: Callable[[str], str | None]) -> str | None:
    """What a compound means in English, by what its parts mean; None if it is none that is understood."""
    if language not in _HEADS:
        return None
    for cut in range(len(word) - _SHORTEST_PART, _SHORTEST_PART - 1, -1):
        last = "" if word[cut:] in _HEADS[language] else meaning(word[cut:])
        if last is None:
            continue
        for joint in _JOINTS:
            first = word[:cut].removesuffix(joint)
            if (first != word[:cut] or not joint) and len(first) >= _SHORTEST_PART and (found := meaning(first)):
                return f"{found} {last}".strip()
    return None
