"""What was understood of a prompt, in plain words and as data, for those who asked; knows nothing of music."""

from __future__ import annotations

from typing import Any

from ..base import Understanding
from .options import SynthOptions
from .reading import read_wishes
from .vocabulary import NAMES
from .wishes import Wishes

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
    words: list[str] = []
    if wishes.styles:
        words.append(
            " and ".join(
                NAMES.get(s, s) + (f" ({share:.0%})" if len(wishes.styles) > 1 else "") for s, share in wishes.styles
            )
        )
    if wishes.instruments:
        words.append(
            ("only " if wishes.only else "") + ", ".join(NAMES.get(i, i.replace("_", " ")) for i in wishes.instruments)
        )
    if wishes.drums:
        words.append("drums")
    if wishes.tempo_bpm is not None:
        words.append(f"{wishes.tempo_bpm:g} bpm")
    if wishes.key is not None:
        words.append(f"in {wishes.key.name}")
    elif wishes.minor is not None:
        words.append("in minor" if wishes.minor else "in major")
    moods = [pair[value > 0] for name, pair in _MOOD_WORDS.items() if abs(value := wishes.mood(name)) >= 0.2]
    words += moods
    if wishes.ambience:
        words.append("with " + " and ".join(NAMES.get(a, a) for a, _ in wishes.ambience))
    words += [
        "without " + NAMES.get(a.removeprefix("style "), a.removeprefix("style ").replace("_", " "))
        for a in wishes.avoid
    ]
    if wishes.crackle > 0.0:
        words.append("with crackle")
    if wishes.crackle <= -1.0:
        words.append("without crackle")
    data: dict[str, Any] = {
        "tempo_bpm": wishes.tempo_bpm,
        "key": wishes.key.name if wishes.key else None,
        "mode": None if wishes.minor is None else "minor" if wishes.minor else "major",
        "styles": dict(wishes.styles),
        "instruments": list(wishes.instruments),
        "only": wishes.only,
        "avoid": list(wishes.avoid),
        "ambience": [a for a, _ in wishes.ambience],
        "moods": {m: round(v, 2) for m, v in wishes.moods.items()},
    }
    text = "; ".join(words) if words else "whatever comes: lo-fi"
    if ignored:
        text += "; not understood: " + ", ".join(dict.fromkeys(ignored))
    return Understanding(text=text, understood=data, ignored=tuple(dict.fromkeys(ignored)))


def understand(prompt: str, options: SynthOptions | None = None) -> Understanding:
    """What the engine makes of a prompt.

    Raises:
        PromptError: the prompt does not parse.
    """
    return describe(*read_wishes(prompt, options))
