"""Who listens: people, not connections and never addresses; knows nothing of HTTP or of audio.

A person is an audio connection, or a websocket that said ``listening`` and has no audio connection. A page sends the
same listener id with both, and then counts once. Lives on the event loop.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Audience:
    """Counts the people at each station, and tells when a number changes."""

    def __init__(self, stations: list[str], default: str) -> None:
        self._audio: dict[str, Counter[str]] = {station: Counter() for station in stations}
        self._sockets: Counter[str] = Counter()
        self._default = default
        self._told: dict[str, int] = dict.fromkeys(stations, 0)
        self._first: dict[str, tuple[str, int]] = {}  # listener → station, frame
        self._watchers: list[Callable[[str, int], None]] = []
        self._waiting: set[asyncio.Future[None]] = set()

    def connections(self, station: str) -> int:
        """Audio connections to a station."""
        return self._audio[station].total()

    def people(self, station: str) -> int:
        """People at a station. Those who only keep a socket open count for the default station."""
        people = len(self._audio[station])
        if station == self._default:
            people += sum(1 for listener in self._sockets if not self.hears(listener))
        return people

    @property
    def total(self) -> int:
        """People at all stations; somebody who hears two counts once."""
        everybody: set[str] = set(self._sockets)
        for listeners in self._audio.values():
            everybody.update(listeners)
        return len(everybody)

    def hears(self, listener: str) -> bool:
        """Whether a listener has an audio connection."""
        return any(listener in listeners for listeners in self._audio.values())

    def watch(self, watcher: Callable[[str, int], None]) -> None:
        """Call ``watcher(station, people)`` on every change."""
        self._watchers.append(watcher)

    @contextmanager
    def audio(self, station: str, listener: str | None) -> Iterator[str]:
        """An audio connection, while it is open; gives the listener's id."""
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
        """A socket that says ``listening``, while it does."""
        listener = listener or f"anonymous-{secrets.token_hex(8)}"
        self._sockets[listener] += 1
        self._changed()
        try:
            yield
        finally:
            self._drop(self._sockets, listener)
            self._changed()

    def given(self, station: str, listener: str, frame: int) -> None:
        """A listener's audio connection was given this frame first."""
        self._first[listener] = (station, frame)

    def first_frame(self, station: str, listener: str | None) -> int | None:
        """The frame that a listener's audio connection to a station was given first."""
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
            if (people := self.people(station)) != self._told[station]:
                self._told[station] = people
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
