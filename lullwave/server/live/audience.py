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

NOTIFY_EVERY_S = 0.1  # shortest time between two notifications: many changes in between cause one
AWAY_S = 5.0  # a listener that connects again within this time has not left


class Audience:
    """The listeners of each station; notifies watchers when a number changes. Event loop only.

    Every change costs the same however many listeners there are: sets are kept, and the watchers are told at once or
    after ``NOTIFY_EVERY_S``.
    """

    def __init__(self, stations: list[str], default: str) -> None:
        self._audio: dict[str, Counter[str]] = {station: Counter() for station in stations}
        self._hearing: Counter[str] = Counter()  # listener → audio connections to all stations
        self._sockets: Counter[str] = Counter()  # listener → websockets that said ``listening``
        self._only_socket: set[str] = set()  # listeners with a websocket and no audio connection
        self._default = default
        self._published: dict[str, int] = dict.fromkeys(stations, 0)
        self._first: dict[str, tuple[str, int]] = {}  # listener → station, frame
        self._watchers: list[Callable[[str, int], None]] = []
        self._leaving: list[Callable[[str], None]] = []
        self._waiting: set[asyncio.Future[None]] = set()
        self._notified: asyncio.TimerHandle | None = None  # the pause after a notification
        self._due = False  # something has changed in that pause

    def add(self, station: str) -> None:
        """Count the listeners of one more station."""
        self._audio[station], self._published[station] = Counter(), 0

    def remove(self, station: str) -> None:
        """Count those of a station no more; its connections are about to end."""
        del self._audio[station], self._published[station]

    def connections(self, station: str) -> int:
        """Audio connections to a station."""
        return self._audio[station].total()

    def people(self, station: str) -> int:
        """Listeners of a station. A listener with only a websocket counts for the default station."""
        people = len(self._audio[station])
        return people + len(self._only_socket) if station == self._default else people

    @property
    def total(self) -> int:
        """Listeners of all stations; a listener of two counts once."""
        return len(self._hearing) + len(self._only_socket)

    @property
    def settled(self) -> bool:
        """Tell whether the watchers know of every change."""
        return not self._due

    def hears(self, listener: str) -> bool:
        """Tell whether a listener has an audio connection."""
        return listener in self._hearing

    def watch(self, watcher: Callable[[str, int], None]) -> None:
        """Call ``watcher(station, people)`` when a number has changed."""
        self._watchers.append(watcher)

    def watch_leaving(self, watcher: Callable[[str], None]) -> None:
        """Call ``watcher(listener)`` when a listener has had no audio connection for ``AWAY_S``."""
        self._leaving.append(watcher)

    @contextmanager
    def audio(self, station: str, listener: str | None) -> Iterator[str]:
        """Count an audio connection while the block runs; yields the listener's id."""
        listener = listener or f"anonymous-{secrets.token_hex(8)}"
        heard = self._audio[station]
        heard[listener] += 1
        self._hearing[listener] += 1
        self._changed(listener)
        try:
            yield listener
        finally:
            self._drop(heard, listener)
            self._drop(self._hearing, listener)
            self._changed(listener)
            if not self.hears(listener):
                self._first.pop(listener, None)
                asyncio.get_running_loop().call_later(AWAY_S, self._away, listener)

    @contextmanager
    def socket(self, listener: str | None) -> Iterator[None]:
        """Count a websocket while the block runs."""
        listener = listener or f"anonymous-{secrets.token_hex(8)}"
        self._sockets[listener] += 1
        self._changed(listener)
        try:
            yield
        finally:
            self._drop(self._sockets, listener)
            self._changed(listener)

    def given(self, station: str, listener: str, frame: int) -> None:
        """Note the first frame that a listener's audio connection was sent."""
        self._first[listener] = (station, frame)

    def first_frame(self, station: str, listener: str | None) -> int | None:
        """The first frame that a listener's audio connection to a station was sent."""
        at, frame = self._first.get(listener or "", ("", 0))
        return frame if at == station else None

    async def changed(self) -> None:
        """Return after the next notification."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)

    def _changed(self, listener: str) -> None:
        """Note that the connections of a listener have changed, and notify now or when the pause is over."""
        if listener in self._sockets and not self.hears(listener):
            self._only_socket.add(listener)
        else:
            self._only_socket.discard(listener)
        if self._notified is None:
            self._notify()
        else:
            self._due = True

    def _notify(self) -> None:
        self._due = False
        self._notified = asyncio.get_running_loop().call_later(NOTIFY_EVERY_S, self._pause_over)
        for station in self._audio:
            if (people := self.people(station)) != self._published[station]:
                self._published[station] = people
                for watcher in self._watchers:
                    watcher(station, people)
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _pause_over(self) -> None:
        self._notified = None
        if self._due:
            self._notify()

    def _away(self, listener: str) -> None:
        if not self.hears(listener):
            for watcher in self._leaving:
                watcher(listener)

    @staticmethod
    def _drop(counts: Counter[str], listener: str) -> None:
        counts[listener] -= 1
        if counts[listener] <= 0:
            del counts[listener]
