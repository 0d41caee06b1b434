"""The wishes for a station's music: one at a time is granted by whoever is on air; knows no rung.

A wish is handed on when its reader left the air before it was done; one that nobody can grant hurts only the one who
made it.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future

from ..engines.base import Mark
from ..errors import EngineFailed, LullwaveError, StreamClosed
from .source import Source
from .steering import SourceReplaced, SteerRequest, SteerResult, turn
from .switcher import Switcher

TRIES = 3  # so many readers may fail over one wish


class SteerQueue:
    """Added to from any thread; all else from the producer's. ``told`` is called when there is something to do."""

    def __init__(self, prompt: str, deck: Switcher, told: Callable[[], None]) -> None:
        self.prompt = prompt  # in force now
        self._deck = deck
        self._told = told
        self._lock: threading.Condition = deck.reserve.changed
        self._waiting: deque[SteerRequest] = deque()
        self._turning: SteerRequest | None = None  # that a reader is at work on
        self._tries: Counter[int] = Counter()

    @property
    def waiting(self) -> bool:
        return bool(self._waiting) or self._turning is not None

    @property
    def wanted(self) -> str:
        """The prompt that somebody who begins now should follow."""
        return self._waiting[0].prompt if self._waiting else self.prompt

    def add(self, prompt: str, over_s: float) -> Future[SteerResult]:
        wish = SteerRequest(prompt, over_s, Future())
        with self._lock:
            self._waiting.append(wish)
        self._told()
        return wish.done

    def serve(self, reader: Source) -> None:
        """Let ``reader``, which is on air, grant the next wish, if none is at work."""
        with self._lock:
            if self._turning is not None or not self._waiting:
                return
            wish = self._waiting.popleft()
            if not wish.done.running() and not wish.done.set_running_or_notify_cancel():
                return
            self._turning = wish
        reader.ask(lambda: self._grant(reader, wish))

    def take_back(self) -> None:
        """Who is on air leaves it: what it was at work on waits again, as the first."""
        with self._lock:
            if self._turning is not None:
                self._waiting.appendleft(self._turning)
                self._turning = None

    def told_by(self, reader: Source) -> Mark | None:
        """What to mark where ``reader`` begins, if its beginning grants the next wish."""
        if self._waiting and self._waiting[0].prompt == reader.prompt != self.prompt:
            return Mark(0, "steer", {"prompt": reader.prompt})
        return None

    def begun(self, reader: Source, frame: int) -> None:
        """``reader`` is heard from ``frame`` on: with it the wish that it began with is granted."""
        assert reader.engine is not None
        if self.told_by(reader) is None:
            return
        wish = self._waiting.popleft()
        self.prompt = wish.prompt
        if wish.done.running() or wish.done.set_running_or_notify_cancel():
            wish.done.set_result(SteerResult(frame, reader.engine.understand(wish.prompt)))

    def close(self) -> None:
        """Nobody grants anything any more."""
        with self._lock:
            self.take_back()
            for wish in self._waiting:
                if not wish.done.cancel():
                    wish.done.set_exception(StreamClosed("the station was stopped"))
            self._waiting.clear()

    def _grant(self, reader: Source, wish: SteerRequest) -> None:
        """On the reader's thread."""
        try:
            steered = turn(
                reader, self._deck.reserve, wish, lambda: self._turning is wish and self._deck.on_air is reader
            )
        except SourceReplaced:
            self._hand_on(wish, None)
        except Exception as error:
            broken = isinstance(error, EngineFailed | StreamClosed) or not isinstance(error, LullwaveError)
            self._hand_on(wish, error, again=broken)
            if broken:
                raise
        else:
            with self._lock:
                mine, self._turning = self._turning is wish, None if self._turning is wish else self._turning
                if mine:
                    self.prompt = wish.prompt
            if mine:
                wish.done.set_result(steered)
        self._told()

    def _hand_on(self, wish: SteerRequest, error: Exception | None, again: bool = True) -> None:
        """Let somebody else grant it, unless it was taken back already, or it has failed often enough."""
        with self._lock:
            if self._turning is not wish:
                return
            self._turning = None
            self._tries[id(wish)] += error is not None
            given_up = error is not None and (not again or self._tries[id(wish)] >= TRIES)
            if not given_up:
                self._waiting.appendleft(wish)
                return
            del self._tries[id(wish)]
        wish.done.set_exception(error)
