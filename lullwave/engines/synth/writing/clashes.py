"""Finds and mends clashes: two notes a minor second or minor ninth apart that sound together too long.

Inside one part above E3 that is harmony; between parts, or low down, it is mud. A clash is mended by shortening or
dropping notes of the part that matters less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from ..theory import clashing
from .event import Event

_LOW = 52  # E3
_WEIGHT = {"bass": 5, "lead": 4, "answer": 3, "keys": 2, "pad": 1}

TimedNote = tuple[str, float, float, int]  # part, start and end in seconds, pitch
T = TypeVar("T")


def _find(items: list[T], sung: Callable[[T], TimedNote], longest: float) -> list[tuple[T, T]]:
    order = sorted(items, key=lambda n: sung(n)[1])
    active: list[tuple[T, TimedNote]] = []
    found: list[tuple[T, T]] = []
    for item in order:
        here = sung(item)
        active = [(other, s) for other, s in active if s[2] - here[1] >= longest - 1e-6]
        for other, s in active:
            matters = s[0] != here[0] or min(s[3], here[3]) < _LOW
            if matters and clashing(s[3], here[3]) and min(s[2], here[2]) - here[1] >= longest - 1e-6:
                found.append((other, item))
        active.append((item, here))
    return found


def resolve_clashes(events: list[Event], beat_s: float) -> list[Event]:
    """The events without clashes: the note that began first ends early, or the lesser one goes.

    ``beat_s`` is the length of the shortest beat; a margin covers swing and human spread.
    """
    longest = 0.15 / beat_s  # in beats, with room for the spread
    for _ in range(6):
        pairs = _find(events, lambda e: (e.part, e.beat, e.end, e.pitch), longest)
        if not pairs:
            break
        changes: dict[int, Event | None] = {}
        for first, second in pairs:
            if id(first) in changes or id(second) in changes:
                continue
            kept = second.beat - first.beat
            if kept >= 0.45 and not (first.part == "bass" and second.part in ("pad", "keys")):
                changes[id(first)] = replace(first, beats=kept)
            else:
                lesser = first if _WEIGHT[first.part] < _WEIGHT[second.part] else second
                changes[id(lesser)] = None
        events = [changes.get(id(e), e) for e in events if changes.get(id(e), e) is not None]  # type: ignore[misc]
    return events
