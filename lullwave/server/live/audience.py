"""Counts listeners: people, not connections, and never addresses. Knows nothing of HTTP or of audio.

A listener is an audio connection, or a websocket that sent ``listening`` and has no audio connection. A page sends the
same listener id with both, and so counts once.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Audience:
    """The listeners of each station; notifies watchers when a number changes. Event loop only."""

    def __init__(self, stations: list[str], default: str) -> None:
        self._audio: dict[str, Counter[str]] = {station: Counter() for station in stations}
        self._sockets: Counter[str] = Counter()
        self._default = default
        self._published: dict[str, int] = dict.fromkeys(stations, 0)
        self._first: dict[str, tuple[str, int]] = {}  # listener → station, frame
        self._watchers: list[Callable[[str, int], None]] = []
        self._waiting: set[asyncio.Future[None]] = set()

    def connections(self, station: str) -> int:
        """Audio connections to a station."""
        return self._audio[station].total()

    def people(self, station: str) -> int:
        """Listeners of a station. A listener with only a websocket counts for the default station."""
        people = len(self._audio[station])
        if station == self._default:
            people += sum(1 for listener in self._sockets if not self.hears(listener))
        return people

    @property
    def total(self) -> int:
        """Listeners of all stations; a listener of two counts once."""
        listening: set[str] = set(self._sockets)
        for listeners in self._audio.values():
            listening.update(listeners)
        return len(listening)

    def hears(self, listener: str) -> bool:
        """Tell whether a listener has an audio connection."""
        return any(listener in listeners for listeners in self._audio.values())

    def watch(self, watcher: Callable[[str, int], None]) -> None:
        """Call ``watcher(station, people)`` on every change."""
        self._watchers.append(watcher)

    @contextmanager
    def audio(self, station: str, listener: str | None) -> Iterator[str]:
        """Count an audio connection while the block runs; yields the listener's id."""
        listener = listener or f"anonymous-{secrets.token_hex(8)}"
        self._audio[station][listener] += 1
        self._changed()
        try:
            yield listener
        finally:
            self._drop(self._audio[station], listener)
            if not self.hears(listener):
                self._first.pop(listener, None)
            self._changed()

    @contextmanager
    def socket(self, listener: str | None) -> Iterator[None]:
        """Count a websocket while the block runs."""
        listener = listener or f"anonymous-{secrets.token_hex(8)}"
        self._sockets[listener] += 1
        self._changed()
        try:
            yield
        finally:
            self._drop(self._sockets, listener)
            self._changed()

    def given(self, station: str, listener: str, frame: int) -> None:
        """Note the first frame that a listener's audio connection was sent."""
        self._first[listener] = (station, frame)

    def first_frame(self, station: str, listener: str | None) -> int | None:
        """The first frame that a listener's audio connection to a station was sent."""
        at, frame = self._first.get(listener or "", ("", 0))
        return frame if at == station else None

    async def changed(self) -> None:
        """Return after the next change."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)

    def _changed(self) -> None:
        for station in self._audio:
            if (people := self.people(station)) != self._published[station]:
                self._published[station] = people
                for watcher in self._watchers:
                    watcher(station, people)
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    @staticmethod
    def _drop(counts: Counter[str], listener: str) -> None:
        counts[listener] -= 1
        if counts[listener] <= 0:
            del counts[listener]
