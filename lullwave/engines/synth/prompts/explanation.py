"""Describes an intent in plain words and as data."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from ...base import Understanding
from ..options import SynthOptions
from .intent import Intent
from .languages import known_words
from .parser import read_intent
from .phrases import phrase_at
from .vocabulary import NAMES, PHRASES

_A_LITTLE, _MUCH = 0.5, 1.3  # weights of a place
_UNCOUNTED = ("rain", "waves")  # places whose names take "much" and "a little"
_MOOD_WORDS = {
    "pace": ("slower", "faster"),
    "beat": ("soft drums", "strong drums"),
    "energy": ("calm", "lively"),
    "valence": ("wistful", "cheerful"),
    "bright": ("dark", "bright"),
    "wet": ("close", "spacious"),
    "dense": ("sparse", "full"),
    "swing": ("straight", "swinging"),
    "warm": ("clean", "warm"),
}


def describe(intent: Intent, ignored: tuple[str, ...] = ()) -> Understanding:
    """An intent in plain words and as data."""
    data: dict[str, Any] = {
        "tempo_bpm": intent.tempo_bpm,
        "metre": intent.metre or None,
        "feel": {"": None, "half": "half-time", "double": "double-time"}[intent.feel],
        "key": intent.key.name if intent.key else None,
        "mode": None if intent.minor is None else "minor" if intent.minor else "major",
        "styles": dict(intent.styles),
        "instruments": list(intent.instruments),
        "parts": list(intent.parts),
        "only": intent.only,
        "drums": True if intent.drums else False if "drums" in intent.avoid.names else None,
        "kit": intent.kit or None,
        "chords": intent.comp or None,
        "production": intent.production or None,
        "avoid": intent.avoid.to_strings(),
        "ambience": [a for a, _ in intent.ambience],
        "crackle": None if intent.crackle == 0.0 else intent.crackle > -1.0,
        "moods": {m: round(v, 2) for m, v in intent.moods.items()},
        "levels_db": dict(intent.levels_db),
        "notes": list(intent.notes),
    }
    words = _words(intent)
    text = "; ".join(words) if words else "no particular request: lo-fi"
    if intent.notes:
        text += "; " + "; ".join(intent.notes)
    ignored = tuple(dict.fromkeys(ignored))
    suggestions = {word: near for word in ignored if (near := nearest_words(word))}
    if ignored:
        meant = (f"{w} (did you mean {' or '.join(suggestions[w])}?)" if w in suggestions else w for w in ignored)
        text += "; not understood: " + ", ".join(meant)
    recognised = replace(intent, notes=()) != Intent()
    return Understanding(text, data, ignored, recognised, suggestions)


def nearest_words(word: str) -> tuple[str, ...]:
    """The words of the vocabulary that a word is likely to be a misspelling of, the nearest first; at most two."""
    if len(word) < 4 or " " in word or phrase_at(word.split(), 0)[0] is not None:
        return ()
    known = [phrase for phrase, effects in PHRASES.items() if effects and " " not in phrase and len(phrase) > 2]
    near = get_close_matches(word, known, 2, 0.75)
    if not near and len(word) > 4:
        near = get_close_matches(word, known_words(), 2, 0.8)  # of another language
    return tuple(near)


def _words(intent: Intent) -> list[str]:
    words: list[str] = []
    if intent.styles:
        words.append(
            " and ".join(
                name_of(s) + (f" ({share:.0%})" if len(intent.styles) > 1 else "") for s, share in intent.styles
            )
        )
    named = [name_of(name) for name in (*intent.instruments, *intent.parts)]
    if intent.drums:
        named.append("drums" + (f" ({intent.kit})" if intent.kit else "") + (" (shaker)" if intent.hats else ""))
    elif intent.hats or intent.kit:
        named.append(intent.hats or intent.kit)
    if named:
        words.append(("only " if intent.only else "") + ", ".join(named))
    elif intent.only:
        words.append("hardly any music")
    if intent.tempo_bpm is not None:
        words.append(f"{intent.tempo_bpm:g} bpm")
    if intent.metre:
        words.append("in " + intent.metre)
    if intent.feel:
        words.append(f"{intent.feel}-time")
    if intent.key is not None:
        words.append(f"in {intent.key.name}")
    elif intent.minor is not None:
        words.append("in minor" if intent.minor else "in major")
    words += [pair[value > 0] for name, pair in _MOOD_WORDS.items() if abs(value := intent.mood(name)) >= 0.1]
    words += [("more " if level > 0 else "less ") + name_of(name) for name, level in intent.levels_db if level]
    if intent.ambience:
        words.append("with " + " and ".join(_amount_of(place, amount) for place, amount in intent.ambience))
    avoid = intent.avoid
    words += [
        "without half-time or double-time" if name == "feel" else "without " + name_of(name)
        for name in (*avoid.names, *avoid.styles, *avoid.kits)
    ]
    words += [f"not in {key.name}" for key in avoid.keys]
    if intent.comp:
        words.append(f"{name_of(intent.comp)} chords")
    if intent.production:
        words.append(f"{name_of(intent.production)} sound")
    if intent.crackle <= -1.0:
        words.append("without crackle")
    elif intent.crackle:
        words.append("with crackle" if intent.crackle > 0.0 else "less crackle")
    return words


def _amount_of(place: str, amount: float) -> str:
    """A place by name, and whether more or less of it is asked for: "much rain", "a little rain"."""
    much = "a little " if amount <= _A_LITTLE else "much " if amount >= _MUCH else ""
    return (much if place in _UNCOUNTED else "") + name_of(place)


def name_of(name: str) -> str:
    """The words for an internal name: "felt_piano" is a piano."""
    return NAMES.get(name, name.replace("_", " "))


def understand(prompt: str, options: SynthOptions | None = None) -> Understanding:
    """How the engine understands a prompt.

    Raises:
        PromptError: the prompt does not parse.
    """
    return describe(*read_intent(prompt, options))
