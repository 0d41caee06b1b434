"""A broken engine's way back: tried again after a while, off the producer's thread; knows neither reserve nor air.

Times are in station frames, so that a station that sleeps does not try.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from ..engines.base import Engine
from ..errors import EngineError
from ..request import Request
from .feed import RATE, Feed
from .reserve import Block, State

FIRST_S = 30.0  # after a failure the engine is tried again no sooner than this; twice as long after each further one
LONGEST_S = 600.0  # but no longer than this; who plays as long without a fault is trusted again

log = logging.getLogger(__name__)


@dataclass
class Opening:
    """The beginning of an engine's music, made before it is known when it is heard: it begins at frame 0."""

    feed: Feed
    block: Block
    prompt: str


class Comeback:
    """Tries one engine again. All calls from the producer's thread."""

    def __init__(self, name: str, engine: Callable[[], Engine], opening_frames: int) -> None:
        self._name = name
        self._engine = engine
        self._frames = opening_frames
        self._wait_s = 0.0
        self._due = 0  # the station frame from which on it is tried
        self._returned: int | None = None  # the station frame at which it came back; None while it is away
        self._trial: threading.Thread | None = None
        self._opening: Opening | None = None
        self._closed = False

    @property
    def failures(self) -> bool:
        """Whether the engine failed before and is not trusted yet."""
        return self._wait_s > 0

    def failed(self, frame: int) -> None:
        """The engine broke at a station frame."""
        if self._returned is not None and frame - self._returned > LONGEST_S * RATE:
            self._wait_s = 0.0
        self._returned = None
        self._wait_s = min(2 * self._wait_s, LONGEST_S) or FIRST_S
        self._due = frame + round(self._wait_s * RATE)

    def returned(self, frame: int) -> None:
        """It plays again."""
        self._returned = frame

    def ready(self, frame: int, request: Request) -> Opening | None:
        """Its music, once it is due and made; begins to make it, and tries later when it cannot be made."""
        if self._trial is None:
            if frame >= self._due:
                self._trial = threading.Thread(target=self._try, args=(request,), name="comeback", daemon=True)
                self._trial.start()
            return None
        if self._trial.is_alive():
            return None
        self._trial = None
        opening, self._opening = self._opening, None
        if opening is None:
            self.failed(frame)
        return opening

    def close(self) -> None:
        self._closed = True
        if self._opening is not None:
            self._opening.feed.close()

    def _try(self, request: Request) -> None:
        feed: Feed | None = None
        try:
            feed = Feed(self._engine().stream(request), 0)
            states: tuple[State, ...] = ()
            with suppress(EngineError):  # it has no snapshots
                states = (State(0, self._name, feed.snapshot()[1]),)
            samples = feed.read(self._frames)
            block = Block(0, samples, tuple(feed.marks(0, self._frames)), tuple(feed.beats(0, self._frames)), states)
            self._opening = Opening(feed, block, request.prompt)
        except Exception as error:  # whatever it raises: another try follows
            log.info("engine %s does not work yet: %s", self._name, error)
        if feed is not None and (self._closed or self._opening is None):
            feed.close()
