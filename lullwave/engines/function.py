"""The stream of an engine that only defines ``Engine.read``: sound as a function of the request and a frame.

Nothing has to be remembered but a position and the prompts, so steering, snapshots and forks are the same for every
such engine. Steering is a linear crossfade from the sound of one prompt to that of the next.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, Self

import numpy as np

from ..audio import Audio, Samples
from ..errors import EngineFailed, SnapshotError
from ..options import build
from ..request import Request
from .base import BlockStream, Engine, Mark, Understanding, check_over_s

_FORMAT = 1  # version of the snapshots


class Steer(NamedTuple):
    """A change of prompt: the crossfade begins at ``frame`` and takes ``fade`` frames."""

    frame: int
    fade: int
    prompt: str


class FunctionStream(BlockStream):
    """Calls ``engine.read`` for each block, from any frame on."""

    def __init__(self, engine: Engine, request: Request, position: int = 0, steers: Sequence[Steer] = ()) -> None:
        build(engine.options, request.options, where="options.")
        super().__init__(request, engine.rate, engine.channels, position)
        self._engine = engine
        self._steers = list(steers)  # in order of their frames

    @classmethod
    def restore(cls, engine: Engine, snapshot: bytes) -> Self:
        """The stream that ``snapshot`` came from.

        Raises:
            SnapshotError: it is damaged, or of another engine or version.
        """
        try:
            state = json.loads(snapshot)
            maker = state["format"], state["engine"]
            if maker == (_FORMAT, engine.name):
                steers = [Steer(*steer) for steer in state["steers"]]
                return cls(engine, Request(**state["request"]), int(state["position"]), steers)
        except (ValueError, RecursionError, TypeError, LookupError) as error:
            raise SnapshotError(f"not a snapshot of the engine {engine.name}: {error}") from error
        raise SnapshotError(f"a snapshot of (format, engine) {maker}; expected: {(_FORMAT, engine.name)}")

    def next_block(self) -> Audio:
        start = self.frames_made
        done = max((i for i, s in enumerate(self._steers) if s.frame + s.fade <= start), default=-1)
        fading = [s for s in self._steers[done + 1 :] if s.frame <= start]
        request = self._asked(self._steers[done].prompt) if done >= 0 else self.request
        block = self._engine.read(request, start)
        edges = [edge for s in self._steers for edge in (s.frame, s.frame + s.fade) if edge > start]
        if edges:
            block = block[: min(edges) - start]
        samples = block.samples
        for s in fading:
            other = self._exactly(s.prompt, start, len(samples))
            n = np.arange(start - s.frame, start - s.frame + len(samples), dtype=np.float64)
            share = ((n + 0.5) / s.fade).astype(np.float32)[:, None]
            samples = samples * (1.0 - share) + other * share
        return Audio(samples, block.rate)

    def steer(self, prompt: str, over_s: float = 8.0) -> Understanding:
        self._check_open()
        self._asked(prompt)
        check_over_s(over_s)
        self.discard_unread()
        self._steers.append(Steer(self.position, round(over_s * self.rate), prompt))
        return self._engine.understand(prompt)

    def snapshot(self, at_frame: int | None = None) -> bytes:
        self._check_open()
        at = self._reached(at_frame)
        state = {
            "format": _FORMAT,
            "engine": self._engine.name,
            "request": self.request.values(),
            "position": at,
            "steers": self._before(at),
        }
        return json.dumps(state).encode()

    def fork(self, at_frame: int | None = None) -> Self:
        self._check_open()
        at = self._reached(at_frame)
        return type(self)(self._engine, self.request, at, self._before(at))

    def marks(self, start: int, stop: int) -> Sequence[Mark]:
        first = [Mark(0, "piece", {"title": self.request.prompt or self._engine.name, "prompt": self.request.prompt})]
        every = first + [Mark(s.frame, "steer", {"prompt": s.prompt}) for s in self._steers]
        return [mark for mark in every if start <= mark.frame < stop]

    def _asked(self, prompt: str) -> Request:
        """The request of this stream, with another prompt."""
        return replace(self.request, prompt=prompt)

    def _exactly(self, prompt: str, start: int, frames: int) -> Samples:
        """(frames, C): the sound of ``prompt`` from ``start`` on."""
        parts: list[Samples] = []
        while frames > 0:
            part = self._engine.read(self._asked(prompt), start).samples[:frames]
            if not len(part):
                raise EngineFailed(f"the engine {self._engine.name} gave an empty block at frame {start}")
            parts.append(part)
            start, frames = start + len(part), frames - len(part)
        return np.concatenate(parts)

    def _before(self, frame: int) -> list[Steer]:
        """The changes of prompt up to ``frame``."""
        return self._steers[: bisect.bisect_right(self._steers, frame, key=lambda s: s.frame)]

    def _reached(self, at_frame: int | None) -> int:
        at = self.position if at_frame is None else at_frame
        if not 0 <= at <= self.position:
            raise SnapshotError(f"at_frame: got {at}; allowed: 0 to {self.position}")
        return at
