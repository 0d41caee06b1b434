"""Clips that arrive whole, five at a time, and wait here until they are played; asks for more in good time.

Knows neither how they are asked for (``dialects``) nor what becomes of them. They wait as they came, encoded: a minute
of music is a megabyte instead of twenty.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from ...errors import EngineError, EngineLost, StreamClosed

FULL = 5  # with fewer clips than this more are asked for, while these are played

log = logging.getLogger(__name__)


class Dialect(Protocol):
    """A way to ask an old server for clips."""

    def batch(self, stopping: threading.Event) -> Iterator[bytes]:
        """The files of one batch as they come; ends early when ``stopping`` is set.

        Raises:
            EngineLost: the server is not there, or goes away.
        """

    def close(self) -> None:
        """Break off what waits."""


class Crate:
    """The clips of one server, for all streams that play them."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._clips: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._fetching: threading.Thread | None = None
        self._error: EngineError | None = None
        self.lost = False  # the last try to get clips failed

    def take(self, unwanted: Callable[[], bool]) -> bytes:
        """The next clip, waited for however long it takes.

        Raises:
            EngineLost: there is none, and the server is gone. Asking again tries again.
            StreamClosed: ``unwanted`` came true (``wake`` has it looked at), or the crate was closed.
        """
        with self._changed:
            while True:
                if self._stopping.is_set() or unwanted():
                    raise StreamClosed("the stream was closed")
                if self._clips:
                    clip = self._clips.popleft()
                    self._fetch()
                    return clip
                if self._error is not None:
                    error, self._error = self._error, None
                    raise error
                self._fetch()
                self._changed.wait()

    def wake(self) -> None:
        """Let those who wait see whether they still want to."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """End what is being fetched; whoever waits gets ``StreamClosed``."""
        self._stopping.set()
        self.wake()
        self._dialect.close()
        if self._fetching is not None:
            self._fetching.join(2.0)

    def _fetch(self) -> None:
        """Ask for more on a thread, unless that is being done or there are enough."""
        if self._fetching is None and len(self._clips) < FULL and self._error is None:
            self._fetching = threading.Thread(target=self._run, name="crate", daemon=True)
            self._fetching.start()

    def _run(self) -> None:
        error: EngineError | None = None
        try:
            for clip in self._dialect.batch(self._stopping):
                with self._changed:
                    self._clips.append(clip)
                    self.lost = False
                    self._changed.notify_all()
        except EngineError as failed:
            error = failed
            log.info("no more clips: %s", failed)
        except Exception as failed:
            error = EngineLost(f"clips could not be fetched: {failed!r}")
            log.exception("clips could not be fetched")
        with self._changed:
            self._fetching = None
            self._error = error
            self.lost = error is not None
            self._changed.notify_all()
