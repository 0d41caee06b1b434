"""Words of the vocabulary by kind, for listeners who choose words instead of typing.

Of the phrases with one meaning, the first is offered; of an instrument, its label.
"""

from __future__ import annotations

from typing import Any

from .homonyms import HOMONYMS
from .vocabulary import NAMES, PHRASES

TEMPOS_BPM = (60, 80, 100, 120)  # what may be chosen beside "slower" and "faster"
_MOODS = frozenset(("energy", "valence", "bright", "wet", "dense", "warm"))


def choices() -> dict[str, tuple[str, ...]]:
    """Kind → phrases, in the order of the vocabulary. Each phrase alone is a prompt that is understood."""
    found: dict[str, list[str]] = {kind: [] for kind in ("style", "instrument", "mood", "weather", "tempo", "metre")}
    meanings: list[dict[str, Any]] = []
    for phrase, effects in PHRASES.items():
        kind = "" if phrase in HOMONYMS else _kind(effects)
        if kind and effects not in meanings:
            meanings.append(effects)
            found[kind].append(NAMES[effects["instrument"]] if kind == "instrument" else phrase)
    found["tempo"] += [f"{bpm} bpm" for bpm in TEMPOS_BPM]
    return {kind: tuple(phrases) for kind, phrases in found.items()}


def _kind(effects: dict[str, Any]) -> str:
    """The kind of a phrase; empty if it is not offered: parts of the arrangement, ways to play, productions."""
    names = frozenset(effects)
    if names & {"metre", "feel"}:
        return "metre"
    if "pace" in names:
        return "tempo"
    if "ambience" in names:
        return "weather"
    if names in ({"style"}, {"instrument"}):
        return next(iter(names))
    return "mood" if names and names <= _MOODS else ""
