"""Reads tempo, key and metre from the words of a prompt and returns the other words.

A request that cannot be met as it stands leaves a note in plain words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, get_args

from ..score import MetreName
from ..theory import Key
from .notation import in_english_notation

SLOWEST, FASTEST = 40.0, 180.0
_SLOWEST_FELT, _FASTEST_FELT = 25.0, 300.0  # bpm; outside, half or double of it is not what was meant

_NUMBER = r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
_SPAN = rf"{_NUMBER}(?:\s*(?:-|–|—|\.\.|to|and)\s*{_NUMBER})?"
_BPM = r"(?:bpm|b\.\s?p\.\s?m\.?|beats?\s*(?:per|a|/)\s*min(?:ute)?)(?![a-z])"
_TEMPOS = (
    re.compile(rf"\b(?:(?:between|from)\s+)?{_SPAN}\s*-?\s*{_BPM}", re.IGNORECASE),
    re.compile(
        rf"(?:\b(?:tempo|bpm)(?![^\W\d])|テンポ|템포|速度)(?:\s*(?:of|to|at|is|around|about|between|は|を|[:：=~]))*\s*"
        rf"{_SPAN}(?![\dA-Za-z])(?!\s*%)",
        re.IGNORECASE,
    ),
    re.compile(rf"(?:[♩♪]|\b(?:quarter(?:\s+note)?|crotchet))\s*=\s*{_SPAN}\b", re.IGNORECASE),
    re.compile(r"\bat\s+(\d{2,3})\b()(?!\s*(?:%|am|pm|o'?clock|degrees|a\.m|p\.m|:|/))", re.IGNORECASE),
)
_UNITS = {"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
          "ten": 10, "eleven": 11, "twelve": 12}  # fmt: skip
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_WORD = "(?:" + "|".join((*_UNITS, *_TENS, "hundred")) + ")"
_NAMED = rf"{_WORD}(?:[\s-]+(?:and\s+)?{_WORD})*"
_WORDS = re.compile(rf"\b{_NAMED}(?=\s*-?\s*{_BPM})|(?<=\btempo ){_NAMED}\b|(?<=\btempo [a-z]{{2}} ){_NAMED}\b", re.I)
_SIGN = r"(?:\s*(#|♯|♭)|(b)(?![a-z])|[\s-]*(sharp|flat))?"
_SCALE = r"(?:(?:harmonic|melodic|natural|relative)[\s-]+)?(?:major|minor|maj|min|dur|moll)"
_CHURCH = "ionian|dorian|phrygian|lydian|mixolydian|aeolian|locrian"
_NO_THING = (  # nouns that a plain adjective "major" or "minor" stands before
    r"(?!\s+(?:chords?|thirds?|sevenths?|things?|cit(?:y|ies)|towns?|labels?|roles?|problems?|details?|events?|hits?|"
    r"setbacks?|changes?|roads?|airports?|leagues?|artists?|updates?|stars?|injur\w+|deals?)\b)"
)
# "in a minor key" names a mode and no tonic: the small "a" is an article.
_NO_ARTICLE = r"(?!(?-i:a)\s+(?:major|minor)\s+(?:keys?|mode|scale|tonality|moods?|feel|feeling|vibes?|tones?)\b)"
_IN = r"\b(?:(?:in|key)\s+(?:the\s+key\s+of\s+|of\s+)?)?"
_KEYS = (
    re.compile(
        rf"{_IN}{_NO_ARTICLE}([a-g]){_SIGN}[\s-]*({_SCALE}|{_CHURCH})\b{_NO_THING}(?:\s+(?:key|mode|scale))?",
        re.IGNORECASE,
    ),
    re.compile(rf"\b(?:in\s+)?(?:the\s+)?key(?:\s+of\b|\s*[:=])\s*([a-g]){_SIGN}(m)?(?![\w#])", re.IGNORECASE),
    re.compile(rf"\b(?:[Ii]n\s+)?(?:the\s+)?[Kk]ey\s+([A-G]){_SIGN}(m)?(?![\w#])"),
    re.compile(rf"\bin\s+([A-Gb-g]){_SIGN}(m)?(?=\s*(?:[,.;:|)]|$|at\b|with\b|and\b|or\b|\d))"),
    re.compile(r"(?<![A-Za-z#])([A-G])(#|♯|♭|b)?(m)(?![A-Za-z#'])"),
    re.compile(r"(?<![A-Za-z#])([a-g])(#|♯|♭)(m)(?![A-Za-z#'])"),
)
_MODE = re.compile(rf"\b({_SCALE}|{_CHURCH})(?:\s+(?:key|mode|scale|tonality))?\b{_NO_THING}", re.IGNORECASE)
_NOT = re.compile(
    r"\b(?:not|no|non|never|don't|dont|avoid|without|except)(?:\s+(?:in|a|the|at|too|use|any))*\s*$", re.I
)
_METRE = re.compile(r"\b(\d{1,2})\s*/\s*(2|4|8|16)\b(?!\s*(?:bpm|min))")
_IN_FIGURE = re.compile(r"\bin\s+([346])(?=\s*(?:[,.;!)]|$))", re.IGNORECASE)  # "a tune in 3"
_MINOR_MODES = ("dorian", "phrygian", "aeolian", "locrian")


@dataclass
class NumberReader:
    """Collects tempo, key and notes from all text that it is given."""

    tempo_bpm: float | None = None
    metre: MetreName | Literal[""] = ""
    metre_written: bool = False  # in figures, which win over words: a "6/8 waltz" is in 6/8
    tonic: int | None = None
    minor: bool | None = None
    refused_keys: list[Key] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def key(self) -> Key | None:
        return None if self.tonic is None else Key(self.tonic, bool(self.minor))

    def read(self, text: str) -> str:
        """Read a run of words; returns it with a comma in the place of each tempo, key and metre."""
        text = _METRE.sub(
            self._metre,
            _in_figures(_IN_FIGURE.sub(lambda m: f"{m[1]}/{8 if m[1] == '6' else 4}", in_english_notation(text))),
        )
        for pattern in _TEMPOS:
            text = pattern.sub(self._tempo, text)
        return self._mode(self._key(text))

    def name_metre(self, metre: MetreName) -> None:
        """Take in a metre that a word such as "waltz" names."""
        if not self.metre_written:
            self.metre = metre

    def _metre(self, found: re.Match[str]) -> str:
        said = found.group(0).replace(" ", "")
        if _NOT.search(found.string[: found.start()]):
            self.metre = "3/4" if said == "4/4" else "4/4"
            return " , "
        self.metre_written = True
        exact = next((name for name in get_args(MetreName) if name == said), None)
        beats = int(found.group(1))
        self.metre = exact or ("6/8" if said == "12/8" else "3/4" if beats % 3 == 0 else "4/4")
        if said not in (self.metre, "2/2", "2/4"):
            self.notes.append(f"{said} is played as {self.metre}")
        return " , "

    def _tempo(self, found: re.Match[str]) -> str:
        said = " ".join(found.group(0).split())
        low, high = found.group(1), found.group(2)
        asked = (float(low) + float(high)) / 2 if high else float(low)
        if _NOT.search(found.string[: found.start()]):
            self.notes.append(f"“not {said}” has no effect; name the tempo you want")
            return " , "
        if SLOWEST <= asked <= FASTEST:
            self.tempo_bpm = asked
        elif (value := _octave(asked)) is not None:
            self.tempo_bpm = value
            self.notes.append(f"{asked:g} bpm lies outside {SLOWEST:g} to {FASTEST:g}, so {value:g} is played")
        else:
            self.notes.append(f"{asked:g} bpm lies outside {SLOWEST:g} to {FASTEST:g} and has no effect")
        return " , "

    def drop_negative_tempo(self, text: str) -> str | None:
        """The other words of a term that ``-`` excludes, if it begins with a tempo ("-5 bpm piano"); None if not.

        The sign belongs to the number then, and the rest is not excluded.
        """
        found = _TEMPOS[0].match(text.lstrip())
        if found is None:
            return None
        self.notes.append(f"-{' '.join(found.group(0).split())} is not a tempo and has no effect")
        return found.string[found.end() :]

    def _key(self, text: str) -> str:
        while (found := _first(text)) is not None:
            letter, *signs, mode = found.groups()
            sign = next((s.lower() for s in signs if s), "")
            minor = self._is_minor(mode or "major", found.group(0))
            key = Key(Key.parse(f"{letter}{sign}").tonic, minor)
            before = text[: found.start()]
            refused = _NOT.search(before)
            if refused:
                before = before[: refused.start()]
                self.refused_keys.append(key)
            elif self.tonic is None:
                self.tonic, self.minor = key.tonic, minor
            else:
                self.notes.append(f"{key.name} has no effect: the key is {Key(self.tonic, bool(self.minor)).name}")
            text = before + " , " + text[found.end() :]
        return text

    def _mode(self, text: str) -> str:
        while (found := _MODE.search(text)) is not None:
            before = text[: found.start()]
            refused = _NOT.search(before)
            minor = self._is_minor(found.group(1), found.group(0))
            if refused:
                before, minor = before[: refused.start()], not minor
            if self.tonic is None:
                self.minor = minor
            text = before + " , " + text[found.end() :]
        return text

    def _is_minor(self, mode: str, said: str) -> bool:
        """Whether a scale counts as minor; notes a mode that is simplified."""
        kind = mode.lower().replace("-", " ").split()
        minor = kind[-1] in ("m", "min", "minor", "moll", *_MINOR_MODES)
        exotic = (kind[-1] in _CHURCH and kind[-1] not in ("ionian", "aeolian")) or kind[0] in ("harmonic", "melodic")
        if exotic and kind[-1] not in ("m",):
            self.notes.append(f"{' '.join(said.split())} is played as {'natural minor' if minor else 'major'}")
        return minor


def _octave(bpm: float) -> float | None:
    """A tempo in range that is felt as ``bpm``: half or double of it; None if no piece is that slow or fast."""
    if not _SLOWEST_FELT <= bpm <= _FASTEST_FELT:
        return None
    value = bpm
    while value > FASTEST:
        value /= 2
    while value < SLOWEST:
        value *= 2
    return value if value <= FASTEST else None


def _first(text: str) -> re.Match[str] | None:
    """The first key named in the most reliable notation that occurs."""
    return next((found for pattern in _KEYS if (found := pattern.search(text)) is not None), None)


def _in_figures(text: str) -> str:
    """Number words that stand for a tempo as digits."""

    def digits(found: re.Match[str]) -> str:
        total = 0
        for word in re.split(r"[\s-]+", found.group(0).lower()):
            total = max(1, total) * 100 if word == "hundred" else total + _UNITS.get(word, 0) + _TENS.get(word, 0)
        return str(total)

    return _WORDS.sub(digits, text)
