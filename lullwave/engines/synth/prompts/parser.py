"""Reads a prompt into an ``Intent``: what it asks for outright and what its mood suggests.

Finds phrases of the vocabulary, negations, amounts and shares. Composes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ....prompt import Prompt
from ..catalogue.drums import KitName
from ..catalogue.instruments import INSTRUMENTS, InstrumentName
from ..catalogue.productions import ProductionName
from ..options import SynthOptions
from ..score import AMBIENCES, Ambience, Feel
from ..theory import Key
from .families import FAMILIES
from .intent import Avoided, Intent
from .numbers import NumberReader
from .phrases import Tokens, phrase_at
from .tokens import (
    AND,
    OR,
    counts_bars,
    is_number,
    list_goes_on,
    names_a_section,
    phrase_follows,
    share_at,
    shares_first,
    tokens_of,
)
from .vocabulary import (
    FILLER,
    LESS,
    LESS_AFTER,
    LESS_PAIRS,
    MORE,
    MORE_AFTER,
    MORE_PAIRS,
    NAMES,
    NEGATED_AFTER,
    NEGATED_AS_VALUE,
    NEGATIONS,
    NEGATIVE_PAIRS,
    ONLY,
    ONLY_PAIRS,
    PHRASES,
    STAND_INS,
    STOPS,
    STRENGTHS,
    STYLE_STAND_INS,
)

_CONCRETE = {"instrument", "part", "kit", "hats", "ambience"}
_LOUDER_DB, _SOFTER_DB = 3.0, -4.0
_VOLUME = ("louder", "quieter", "softer")  # without a thing: the music is livelier or calmer


def read_intent(prompt: str, options: SynthOptions | None = None) -> tuple[Intent, tuple[str, ...]]:
    """The intent of a prompt (options win over it), and the words that were not understood.

    Raises:
        PromptError: the prompt does not parse.
    """
    parsed = Prompt.parse(prompt)
    found = _PromptReader()
    for part in parsed.parts:
        found.share = part.share if len(parsed.parts) > 1 else 1.0
        for span in part.spans:
            if span.weight < 1.0 and names_a_section(span.text):
                found.note(f"[{span.text.strip()}] has no effect: pieces have forms of their own")
            elif span.weight < 0.15:
                found.read(span.text, 0.5, avoid=True)
            else:
                found.read(span.text, span.weight)
        found.scope_ends()
    for span in parsed.avoid:
        rest = found.drop_negative_tempo(span.text)
        found.read(span.text if rest is None else rest, span.weight, avoid=rest is None)
    if options is not None:
        found.apply(options)
    return found.intent(), tuple(dict.fromkeys(found.ignored))


class _PromptReader:
    """Collects what a prompt asks for, run of words by run of words."""

    def __init__(self) -> None:
        self.share = 1.0
        self.ignored: list[str] = []
        self._figures = NumberReader()
        self._styles: dict[str, float] = {}
        self._instruments: dict[InstrumentName, set[str]] = {}  # with the phrases that asked for them
        self._refused: dict[str, set[str]] = {}  # names to avoid, and the phrases that said so
        self._refused_styles: dict[str, None] = {}  # an ordered set
        self._refused_kits: dict[str, None] = {}
        self._parts: list[str] = []
        self._only = False
        self._only_next = False  # after "just": only the next instrument, part or style plays
        self._drums = False
        self._kit: KitName | Literal[""] = ""
        self._hats = ""
        self._comp = ""
        self._production: ProductionName | Literal[""] = ""
        self._feel: Feel = ""
        self._ambience: dict[Ambience, float] = {}
        self._places: dict[Ambience, set[str]] = {}  # with the phrases that asked for them
        self._moods: dict[str, float] = {}
        self._levels: dict[str, float] = {}
        self._crackle = 0.0
        self._negation = ""  # the word whose scope this is
        self._amount = 0  # 1 more, -1 less of what comes next
        self._strength = 1.0
        self._softly = False  # less of what is asked for: "sax, but softer"

    def read(self, text: str, weight: float, avoid: bool = False) -> None:
        """Take in a run of words."""
        self._read(tokens_of(text if avoid else self._figures.read(text)), weight, avoid)
        if avoid:
            self.scope_ends()

    def drop_negative_tempo(self, text: str) -> str | None:
        """See ``NumberReader.drop_negative_tempo``."""
        return self._figures.drop_negative_tempo(text)

    def note(self, words: str) -> None:
        """Tell what is done otherwise than asked."""
        self._figures.notes.append(words)

    def scope_ends(self) -> None:
        self._negation, self._amount, self._strength, self._only_next = "", 0, 1.0, False

    def _read(self, words: Tokens, weight: float, avoid: bool) -> None:
        i = 0
        last = ""  # the negation of the phrase before
        bridged = False  # after "and" or "or" a negation reaches one phrase further
        before = shares_first(words)
        while i < len(words):
            word, pair = words[i], tuple(words[i : i + 2])
            phrase, length = phrase_at(words, i)
            grammar = length < 2  # a longer phrase goes before the grammar in it: "with vibes", "no rush"
            if word == ";" or word == ",":
                goes_on = word == "," and last and list_goes_on(words, i + 1, last)
                self.scope_ends()
                self._negation = last if goes_on else ""
                last = self._negation
                i += 1
            elif counts_bars(words, i):
                self.note(f"{word} {words[i + 1]} has no effect: pieces have forms of their own")
                i += 2
            elif grammar and pair in ONLY_PAIRS:
                self._only_next, i = True, i + 2
            elif grammar and (word == "nothing" or word in NEGATIONS or pair in NEGATIVE_PAIRS):
                twice = self._negation and i and words[i - 1] in ("not", "never", "don't", "dont")
                self._negation = "" if twice else word
                i += 2 if pair in NEGATIVE_PAIRS else 1
            elif grammar and word == "solo":  # "solo piano" is piano alone, "piano solo" is a tune
                alone = phrase_at(words, i + 1)[0]
                self._only = self._only or (not avoid and alone is not None and bool(_CONCRETE & set(PHRASES[alone])))
                i += 1
            elif grammar and word in STOPS:
                self._negation = last = ""
                self._only_next = self._only_next or (word in ONLY and (not i or words[i - 1] != "not"))
                i += 1
            elif phrase is not None:
                if word in STOPS:
                    self._negation = last = ""
                share = share_at(words, i - 1 if before else i + length)
                i, off = self._ending(words, i, length)
                off = avoid or bool(self._negation) != off
                self._take(PHRASES[phrase], weight * share, off, phrase)
                last, bridged = self._negation, False
                self._amount, self._strength = 0, 1.0
                if i >= len(words) or words[i] not in (*AND, *OR, ",") or (words[i] == "," and not last):
                    self._negation = ""
            elif pair in MORE_PAIRS or pair in LESS_PAIRS:
                self._amount, i = 1 if pair in MORE_PAIRS else -1, i + 2
            elif word in MORE or word in LESS or (self._negation and word in ("much", "many")):
                if self._negation and word in ("much", "many"):
                    self._negation, self._amount = "", -1
                elif not self._negation:  # "no more rain" is no rain
                    self._amount = 1 if word in MORE else -1
                    if not phrase_follows(words, i + 1):
                        if word in _VOLUME:
                            self._mood("energy", 0.4 * self._amount)
                        else:
                            self.ignored.append(word)
                i += 1
            elif word in STRENGTHS:
                self._strength *= STRENGTHS[word]
                i += 1
            else:
                if word in AND or word in OR:
                    bridged = True
                elif word.endswith("%") or word == "=":
                    pass
                elif word not in FILLER and not (i and words[i - 1] == "=" and is_number(word)):
                    self.ignored.append(word)
                    if bridged:
                        self._negation = ""
                i += 1

    def _ending(self, words: Tokens, at: int, length: int) -> tuple[int, bool]:
        """Where to go on after a phrase, and whether what follows it says that it is not wanted."""
        off = words[at + length - 1].endswith("less") and words[at + length - 1] not in PHRASES
        at += length
        after, value = (*words[at : at + 2], "", "")[:2]
        if after in NEGATED_AFTER:
            return at + 1, True
        if after == "=" and value in NEGATED_AS_VALUE:
            return at + 2, True
        self._softly = after == "softly"
        if after in MORE_AFTER or after in LESS_AFTER:
            self._amount = 1 if after in MORE_AFTER else -1
            at += 1
        elif after == "only" and not self._negation:
            self._only = True
            at += 1
        return at, off

    def _take(self, effects: Mapping[str, Any], weight: float, off: bool, phrase: str) -> None:
        if self._only_next and not off:
            self._only = self._only or bool(_CONCRETE & set(effects))
            if _CONCRETE & set(effects) or "style" in effects:
                self._only_next = False
        amount, weight = self._amount, weight * self._strength
        weight *= 1.5 if amount > 0 else 0.4 if amount < 0 else 1.0
        if off and {"beat", "kit", "hats"} & set(effects):  # this manner is not wanted: others are
            if "kit" in effects:
                self._refused_kits[effects["kit"]] = None
            if "hats" in effects:
                self._refuse(effects["hats"], phrase)
            if "beat" in effects:
                self._mood("beat", -effects["beat"])
            return
        for kind, value in effects.items():
            if kind == "part":
                self._part(value, off, amount, phrase)
            elif kind == "instrument":
                if off:
                    for name in FAMILIES.get(phrase, (value,)):
                        self._refuse(name, phrase)
                    continue
                if amount:
                    self._level(value, amount)
                if amount >= 0 or self._softly:
                    self._instruments.setdefault(value, set()).add(phrase)
            elif kind == "metre":
                self._figures.name_metre("4/4" if off else value)
            elif kind == "feel":
                if off:
                    self._refuse("feel", phrase)
                else:
                    self._feel = value
            elif kind in ("kit", "hats"):
                setattr(self, "_" + kind, value)
            elif kind in ("comp", "production"):
                if off and len(effects) == 1:
                    self.ignored.append("no " + phrase)
                elif not off and amount >= 0:
                    setattr(self, "_" + kind, value)
            elif kind == "tempo":
                if off:
                    self.note(f"“not {phrase}” has no effect; name the tempo you want")
                else:
                    self._figures.tempo_bpm = self._figures.tempo_bpm or value
            elif kind == "style":
                if off:
                    self._refused_styles[value] = None
                    for name in FAMILIES.get(phrase, ()):
                        self._refuse(name, phrase)
                else:
                    self._styles[value] = self._styles.get(value, 0.0) + weight * self.share
                    if phrase in STYLE_STAND_INS:
                        self.note(f"no {phrase} here: {NAMES.get(value, value)} instead")
            elif kind == "ambience":
                if off:
                    self._refuse(value, phrase)
                else:
                    self._ambience[value] = max(self._ambience.get(value, 0.0), weight)
                    self._places.setdefault(value, set()).add(phrase)
            elif kind == "crackle":
                if amount < 0 and not off:
                    self._crackle = -0.7
                else:
                    self._crackle = -1.0 if off != (value < 0) else min(1.0, self._crackle + abs(value) * weight)
            elif kind == "only":
                self._only = self._only or not off
            else:
                turned = -1.0 if off or amount < 0 else 1.0
                self._mood(kind, turned * value * weight)

    def _part(self, part: str, off: bool, amount: int, phrase: str) -> None:
        if off:
            self._refuse(part, phrase)
        elif part == "drums" and amount:
            self._mood("beat", 0.6 * amount)
            self._drums = self._drums or amount > 0
        elif part in ("drums", "kick", "snare", "hat") and not amount:
            self._drums = True
        elif part in ("bass", "melody", "keys"):
            if amount:
                self._level(part, amount)
            if amount >= 0 and part not in self._parts:
                self._parts.append(part)
        elif part == "vocals" and phrase in STAND_INS:
            self._instruments.setdefault("humming_choir", set()).add(phrase)
        elif part != "instruments":  # words, fills, "nature sounds": there are none to be had by name
            self.ignored.append(phrase)

    def _level(self, name: str, amount: int) -> None:
        self._levels[name] = self._levels.get(name, 0.0) + (_LOUDER_DB if amount > 0 else _SOFTER_DB)

    def _mood(self, name: str, value: float) -> None:
        self._moods[name] = self._moods.get(name, 0.0) + value * max(0.3, self.share)

    def _refuse(self, name: str, phrase: str) -> None:
        self._refused.setdefault(name, set()).add(phrase)

    def apply(self, options: SynthOptions) -> None:
        """Let options win over words."""
        figures = self._figures
        if options.tempo_bpm is not None:
            figures.tempo_bpm = options.tempo_bpm
        if options.key is not None:
            key = Key.parse(options.key)
            figures.tonic, figures.minor = key.tonic, key.minor
        if not options.crackle:
            self._crackle = -1.0
        if options.ambience == "none":
            self._ambience.clear()
            self._refuse("ambience", "")
        elif options.ambience != "prompt":
            self._ambience |= {place: 1.0 for place in AMBIENCES if place == options.ambience}
        if not options.drums:
            self._refuse("drums", "")
            self._drums = False
        if not options.melody:
            self._refuse("melody", "")

    def _stand_ins(self, instruments: tuple[InstrumentName, ...]) -> list[str]:
        """Notes on the named instruments that others stand in for."""
        return [
            f"no {phrase} here: {INSTRUMENTS[name].label} instead"
            for name in instruments
            for phrase in sorted(self._instruments[name])
            if phrase in STAND_INS
        ]

    def intent(self) -> Intent:
        avoid: list[str] = []
        named = {str(name): phrases for name, phrases in (*self._instruments.items(), *self._places.items())}
        for name, phrases in self._refused.items():
            asking = named.get(name, set())
            if asking and not asking & phrases:  # "rain, no thunder": there is but one; "violin, no other strings"
                self.ignored += sorted("no " + phrase for phrase in phrases if phrase not in FAMILIES)
            else:
                avoid.append(name)
        styles = {s: w for s, w in self._styles.items() if s not in self._refused_styles}
        total = sum(styles.values()) or 1.0
        ambience = {} if "ambience" in avoid else {a: w for a, w in self._ambience.items() if a not in avoid}
        instruments = tuple(i for i in self._instruments if i not in avoid)
        parts = tuple(p for p in self._parts if p not in avoid)
        drums = self._drums and "drums" not in avoid
        figures = self._figures
        return Intent(
            tempo_bpm=figures.tempo_bpm,
            metre=figures.metre,
            feel=self._feel,
            tonic=figures.tonic,
            minor=figures.minor,
            styles=tuple((s, w / total) for s, w in styles.items()),
            instruments=instruments,
            parts=parts,
            avoid=Avoided(
                tuple(avoid),
                tuple(self._refused_styles),
                tuple(self._refused_kits),
                tuple(dict.fromkeys(figures.refused_keys)) if figures.key is None else (),
            ),
            only=self._only and bool(instruments or parts or drums or ambience),
            drums=drums,
            kit=self._kit if self._kit not in self._refused_kits and "drums" not in avoid else "",
            hats=self._hats if self._hats not in avoid and "drums" not in avoid else "",
            comp=self._comp,
            production=self._production,
            ambience=tuple(ambience.items()),
            moods={m: max(-1.0, min(1.0, v)) for m, v in self._moods.items()},
            levels_db=tuple(self._levels.items()),
            crackle=self._crackle,
            notes=tuple(dict.fromkeys((*figures.notes, *self._stand_ins(instruments)))),
        )
