"""From the words of a prompt to wishes: what is asked for outright and what the mood suggests.

Finds phrases of the vocabulary, hears negations, reads tempo and key. Knows nothing of how wishes are met.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from ...prompt import Prompt
from .options import SynthOptions
from .theory import Key
from .vocabulary import FILLER, NEGATIONS, NEGATIVE_PAIRS, ONLY, PHRASES, STOPS
from .wishes import Wishes

LONGEST = 4  # words of a phrase
SLOWEST, FASTEST = 50.0, 140.0
_TEMPO = re.compile(
    r"\b(?:tempo(?:\s*(?:of|:|=|at))?\s*(\d{2,3}(?:\.\d+)?)|(\d{2,3}(?:\.\d+)?)\s*-?\s*"
    r"(?:bpm|beats?\s*(?:per|a|/)\s*min(?:ute)?)|bpm\s*(?:of|:|=)?\s*(\d{2,3}(?:\.\d+)?))\b"
    r"(?:\s*bpm)?",
    re.IGNORECASE,
)
_AT_TEMPO = re.compile(r"\bat\s+(\d{2,3})\b(?!\s*(?:%|am|pm|o'?clock|degrees|a\.m|p\.m|:))", re.IGNORECASE)
_SIGN = r"(?:\s*(#|♯|♭)|(b)(?![a-z])|[\s-]*(sharp|flat))?"
_KEY = re.compile(
    rf"\b(?:(?:in|key)\s+(?:the\s+key\s+of\s+|of\s+)?)?([a-g]){_SIGN}[\s-]*(major|minor|maj|min|dur|moll)\b"
    r"(?!\s+(?:chords?|third|seventh|thing))(?:\s+key)?",
    re.IGNORECASE,
)
_BARE_KEY = re.compile(rf"\bin\s+([A-Gb-g]){_SIGN}(m)?(?=\s*(?:[,.;:|)]|$|at\b|with\b|and\b|\d))")
_KEY_OF = re.compile(rf"\b(?:in\s+)?(?:the\s+)?key(?:\s+of\b|\s*[:=])\s*([a-g]){_SIGN}(m)?(?![\w#])", re.IGNORECASE)
_MINOR_CHORD = re.compile(r"(?<![A-Za-z#])([A-G])(#|♯|♭|b)?(m)(?![A-Za-z#'])")
_MODE = re.compile(r"\b(major|minor)(?:\s+(?:key|mode|scale|tonality))?\b", re.IGNORECASE)


def read_wishes(prompt: str, options: SynthOptions | None = None) -> tuple[Wishes, tuple[str, ...]]:
    """The wishes in a prompt (options win over it), and the words that meant nothing.

    Raises:
        PromptError: the prompt does not parse.
    """
    parsed = Prompt.parse(prompt)
    found = _Found()
    for part in parsed.parts:
        found.share = part.share if len(parsed.parts) > 1 else 1.0
        for span in part.spans:
            if span.weight < 0.15:
                found.read(span.text, 0.5, avoid=True)
            else:
                found.read(span.text, span.weight)
        found.scope_ends()
    for span in parsed.avoid:
        found.read(span.text, span.weight, avoid=True)
    if options is not None:
        found.obey(options)
    return found.wishes(), tuple(dict.fromkeys(found.ignored))


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKD", text.replace("♯", "#").replace("♭", "b"))
    return "".join(c for c in text if not unicodedata.combining(c)).lower().replace("’", "'")


class _Found:
    """Collects while the prompt is read."""

    def __init__(self) -> None:
        self.share = 1.0
        self.ignored: list[str] = []
        self._tempo: float | None = None
        self._tonic: int | None = None
        self._minor: bool | None = None
        self._styles: dict[str, float] = {}
        self._instruments: list[str] = []
        self._avoid: list[str] = []
        self._only = False
        self._drums = False
        self._kit = ""
        self._ambience: dict[str, float] = {}
        self._moods: dict[str, float] = {}
        self._crackle = 0.0
        self._negated = False

    def read(self, text: str, weight: float, avoid: bool = False) -> None:
        """Take in a run of words."""
        if not avoid:
            text = self._numbers(text)
        for clause in re.split(r"([,;.!?\n]+)", _plain(text)):
            if re.fullmatch(r"[,;.!?\n]+", clause):
                self.scope_ends()
            else:
                self._clause(clause, weight, avoid)
        if avoid:
            self.scope_ends()

    def scope_ends(self) -> None:
        self._negated = False

    def _numbers(self, text: str) -> str:
        """Read tempo and key and take them out of the text."""
        for pattern in (_TEMPO, _AT_TEMPO):
            for match in pattern.finditer(text):
                value = float(next(g for g in match.groups() if g))
                if 30 <= value <= 240:
                    while value > FASTEST:
                        value /= 2
                    while value < SLOWEST:
                        value *= 2
                    self._tempo = value
                    text = text.replace(match.group(0), " , ", 1)
        found = next((f for p in (_KEY, _KEY_OF, _BARE_KEY, _MINOR_CHORD) if (f := p.search(text)) is not None), None)
        if found is not None:
            letter, *signs, mode = found.groups()
            sign = next((s.lower() for s in signs if s), "")
            key = Key.parse(f"{letter}{sign} {mode or ''}")
            self._tonic, self._minor = key.tonic, key.minor
            text = text.replace(found.group(0), " , ", 1)
        elif (mode_found := _MODE.search(text)) is not None:
            self._minor = mode_found.group(1).lower() == "minor"
            text = text.replace(mode_found.group(0), " , ", 1)
        return text

    def _clause(self, clause: str, weight: float, avoid: bool) -> None:
        words = re.findall(r"[a-z0-9#&']+", clause.replace("-", " "))
        i = 0
        bridged = False  # after "and" or "or" a negation reaches one phrase further
        while i < len(words):
            word = words[i]
            if word in NEGATIONS or tuple(words[i : i + 2]) in NEGATIVE_PAIRS:
                self._negated = True
                i += 1 if word in NEGATIONS else 2
                continue
            if word == "solo":  # "solo piano" is piano alone, "piano solo" is a tune
                self._only = self._only or (
                    not avoid and "instrument" in PHRASES.get(self._phrase(words, i + 1)[0] or "", {})
                )
                i += 1
                continue
            if word in STOPS:
                self._negated = False
                self._only = self._only or word in ONLY
                i += 1
                continue
            phrase, length = self._phrase(words, i)
            if phrase is not None:
                after = words[i + length] if i + length < len(words) else ""
                less = after in ("less", "free", "off", "out") or words[i + length - 1].endswith("less")
                if after in ("less", "free", "off", "out"):
                    length += 1
                off = avoid or self._negated or less
                self._take(PHRASES[phrase], weight, off, phrase)
                if after == "only" and not off:
                    self._only = True
                    length += 1
                bridged = False
                i += length
                if self._negated and (i >= len(words) or words[i] not in ("and", "or", "nor", "&")):
                    self._negated = False
                continue
            if word in ("and", "or", "nor", "&"):
                bridged = True
            elif word not in FILLER:
                self.ignored.append(word)
                if bridged:
                    self._negated = False
            i += 1

    @staticmethod
    def _phrase(words: list[str], at: int) -> tuple[str | None, int]:
        """The longest phrase of the vocabulary that begins here; plurals and "-less" count too."""
        for length in range(min(LONGEST, len(words) - at), 0, -1):
            text = " ".join(words[at : at + length])
            for form in (
                text,
                text.removesuffix("s"),
                text.removesuffix("es"),
                text.removesuffix("less"),
                text.removesuffix("y"),
            ):
                if form in PHRASES and (form == text or len(form) > 2):
                    return form, length
        return None, 0

    def _take(self, effects: Mapping[str, Any], weight: float, off: bool, phrase: str) -> None:
        for kind, value in effects.items():
            if kind == "part":
                if off:
                    self._avoid.append(value)
                elif value == "drums":
                    self._drums = True
                elif value == "vocals":
                    self.ignored.append(phrase)
            elif kind == "instrument":
                if off:
                    self._avoid.append(value)
                elif value not in self._instruments:
                    self._instruments.append(value)
            elif kind == "kit":
                if not off:
                    self._kit = value
            elif kind == "style":
                if off:
                    self._avoid.append("style " + value)
                else:
                    self._styles[value] = self._styles.get(value, 0.0) + weight * self.share
            elif kind == "ambience":
                if off:
                    self._avoid.append(value)
                else:
                    self._ambience[value] = max(self._ambience.get(value, 0.0), weight)
            elif kind == "crackle":
                self._crackle = -1.0 if off != (value < 0) else min(1.0, self._crackle + abs(value) * weight)
            elif kind == "only":
                self._only = self._only or not off
            else:
                self._moods[kind] = self._moods.get(kind, 0.0) + (-value if off else value) * weight * max(
                    0.3, self.share
                )

    def obey(self, options: SynthOptions) -> None:
        """Settings win over words."""
        if options.tempo_bpm is not None:
            self._tempo = options.tempo_bpm
        if options.key is not None:
            key = Key.parse(options.key)
            self._tonic, self._minor = key.tonic, key.minor
        if not options.crackle:
            self._crackle = -1.0
        if options.ambience == "none":
            self._ambience.clear()
            self._avoid.append("ambience")
        elif options.ambience != "prompt":
            self._ambience[options.ambience] = 1.0
        if not options.drums:
            self._avoid.append("drums")
            self._drums = False
        if not options.melody:
            self._avoid.append("melody")

    def wishes(self) -> Wishes:
        avoid = tuple(dict.fromkeys(self._avoid))
        styles = {s: w for s, w in self._styles.items() if "style " + s not in avoid}
        total = sum(styles.values()) or 1.0
        ambience = {} if "ambience" in avoid else {a: w for a, w in self._ambience.items() if a not in avoid}
        return Wishes(
            tempo_bpm=self._tempo,
            tonic=self._tonic,
            minor=self._minor,
            styles=tuple((s, w / total) for s, w in styles.items()),
            instruments=tuple(i for i in self._instruments if i not in avoid),
            avoid=avoid,
            only=self._only,
            drums=self._drums and "drums" not in avoid,
            kit=self._kit,
            ambience=tuple(ambience.items()),
            moods={m: max(-1.0, min(1.0, v)) for m, v in self._moods.items()},
            crackle=self._crackle,
        )
