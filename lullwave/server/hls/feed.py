"""The HLS segments of a station, as its playlists and routes see them. Knows neither HTTP nor where sound is from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from ...station import PlayoutStep
from ..live.idle_timer import IdleTimer
from .playlists import LISTED, Segment

KBPS = (160, 64)  # bit rates, the better one first
HOLD_S = 10.0  # seconds that a request for a playlist keeps the encoder running
READY = 2  # segments that a player needs to begin
KEPT = 2 * LISTED + 2  # segments that are kept: those listed, and as many again for late clients


class HlsFeed(ABC):
    """The newest segments of a station at each of ``KBPS``, encoded while somebody asks. Event loop only."""

    def __init__(self) -> None:
        self._held = IdleTimer(self.close)
        self._always = False
        self.on_close: Callable[[], None] = lambda: None

    @property
    @abstractmethod
    def active(self) -> bool:
        """Tell whether segments are encoded now."""

    def keep(self, always: bool) -> None:
        """Encode always, or only while somebody asks."""
        self._always = always
        if always or self.active:
            self.hold()

    def hold(self) -> None:
        """Encode for ``HOLD_S`` from now on: somebody has asked for a playlist."""
        self._begin()
        if self._always:
            self._held.cancel()
        else:
            self._held.hold(HOLD_S)

    @abstractmethod
    async def segments(self, kbps: int) -> list[Segment]:
        """The segments for a playlist, at least ``READY``: waits for them. Empty if the feed is closed meanwhile."""

    @abstractmethod
    def ready(self, kbps: int) -> list[Segment]:
        """The segments for a playlist now; empty if they are not ready."""

    @abstractmethod
    def find(self, name: str) -> bytes | None:
        """The file of a name, if it is kept here."""

    async def fetch(self, name: str) -> bytes | None:
        """The same file, made anew if it can be; None if there is none, or none any more.

        Raises:
            StorageUnavailable
            Full
        """
        return self.find(name)

    def add(self, step: PlayoutStep) -> None:  # noqa: B027 - a feed may have its sound from elsewhere
        """Take what a step put on air. Playout thread."""

    def close(self) -> None:
        """Stop encoding until the next request; waiting requests end."""
        self._held.cancel()
        self._end()
        self.on_close()

    @abstractmethod
    def _begin(self) -> None:
        """Encode from now on, if not yet."""

    @abstractmethod
    def _end(self) -> None:
        """Stop encoding, and forget what was made."""
