"""What was understood of a prompt, in plain words and as data, for those who asked; knows nothing of music."""

from __future__ import annotations

from typing import Any

from ...base import Understanding
from ..options import SynthOptions
from .intent import Wishes
from .parser import read_wishes
from .vocabulary import NAMES

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


def describe(wishes: Wishes, ignored: tuple[str, ...] = ()) -> Understanding:
    """The wishes in plain words and as data."""
    data: dict[str, Any] = {
        "tempo_bpm": wishes.tempo_bpm,
        "key": wishes.key.name if wishes.key else None,
        "mode": None if wishes.minor is None else "minor" if wishes.minor else "major",
        "styles": dict(wishes.styles),
        "instruments": list(wishes.instruments),
        "parts": list(wishes.parts),
        "only": wishes.only,
        "drums": True if wishes.drums else False if "drums" in wishes.avoid else None,
        "kit": wishes.kit or None,
        "avoid": list(wishes.avoid),
        "ambience": [a for a, _ in wishes.ambience],
        "crackle": None if wishes.crackle == 0.0 else wishes.crackle > -1.0,
        "moods": {m: round(v, 2) for m, v in wishes.moods.items()},
        "levels_db": dict(wishes.levels_db),
        "notes": list(wishes.notes),
    }
    words = _words(wishes)
    text = "; ".join(words) if words else "whatever comes: lo-fi"
    if wishes.notes:
        text += "; " + "; ".join(wishes.notes)
    if ignored:
        text += "; not understood: " + ", ".join(dict.fromkeys(ignored))
    return Understanding(text=text, understood=data, ignored=tuple(dict.fromkeys(ignored)))


def _words(wishes: Wishes) -> list[str]:
    words: list[str] = []
    if wishes.styles:
        words.append(
            " and ".join(
                name_of(s) + (f" ({share:.0%})" if len(wishes.styles) > 1 else "") for s, share in wishes.styles
            )
        )
    named = [name_of(name) for name in (*wishes.instruments, *wishes.parts)]
    if wishes.drums:
        named.append("drums" + (f" ({wishes.kit})" if wishes.kit else "") + (" (shaker)" if wishes.hats else ""))
    elif wishes.hats or wishes.kit:
        named.append(wishes.hats or wishes.kit)
    if named:
        words.append(("only " if wishes.only else "") + ", ".join(named))
    elif wishes.only:
        words.append("hardly any music")
    if wishes.tempo_bpm is not None:
        words.append(f"{wishes.tempo_bpm:g} bpm")
    if wishes.key is not None:
        words.append(f"in {wishes.key.name}")
    elif wishes.minor is not None:
        words.append("in minor" if wishes.minor else "in major")
    words += [pair[value > 0] for name, pair in _MOOD_WORDS.items() if abs(value := wishes.mood(name)) >= 0.1]
    words += [("more " if level > 0 else "less ") + name_of(name) for name, level in wishes.levels_db if level]
    if wishes.ambience:
        words.append("with " + " and ".join(name_of(a) for a, _ in wishes.ambience))
    words += [
        "not " + a.replace("key ", "in ", 1) if a.startswith("key ") else "without " + name_of(a) for a in wishes.avoid
    ]
    if wishes.crackle <= -1.0:
        words.append("without crackle")
    elif wishes.crackle:
        words.append("with crackle" if wishes.crackle > 0.0 else "less crackle")
    return words


def name_of(name: str) -> str:
    """How a name of the engine reads in a sentence."""
    name = name.removeprefix("style ").removeprefix("kit ")
    return NAMES.get(name, name.replace("_", " "))


def understand(prompt: str, options: SynthOptions | None = None) -> Understanding:
    """What the engine makes of a prompt.

    Raises:
        PromptError: the prompt does not parse.
    """
    return describe(*read_wishes(prompt, options))
