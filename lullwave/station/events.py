"""What a station tells its subscribers, and the piece that is on air."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .playout import PlayoutStep

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """Something that happens at a station frame: to the sound, or to the station while that frame goes on air."""

    kind: str  # piece, steer, programme, state, rung, …
    frame: int
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class NowPlaying:
    """The piece on air."""

    started_frame: int
    data: Mapping[str, Any]


class Subscribers:
    """The callbacks of one station, called on its threads. ``add`` before the station starts; then thread-safe."""

    def __init__(self, station: str) -> None:
        self._station = station
        self._on_step: list[Callable[[PlayoutStep], None]] = []
        self._on_event: list[Callable[[Event], None]] = []
        self._failed: list[Callable[..., None]] = []  # each is logged once

    def add(self, on_step: Callable[[PlayoutStep], None] | None, on_event: Callable[[Event], None] | None) -> None:
        """Call these back from now on."""
        if on_step is not None:
            self._on_step.append(on_step)
        if on_event is not None:
            self._on_event.append(on_event)

    def step(self, step: PlayoutStep) -> None:
        """Hand on what went on air."""
        self._call(self._on_step, step)

    def event(self, event: Event) -> None:
        """Hand on an event."""
        self._call(self._on_event, event)

    def _call(self, callbacks: list[Callable[[T], None]], thing: T) -> None:
        """Call all of them; one that fails is logged once and does not affect the others."""
        for callback in callbacks:
            try:
                callback(thing)
            except Exception:
                if callback not in self._failed:
                    self._failed.append(callback)
                    log.exception("station %s: subscriber %r failed; the music goes on", self._station, callback)
