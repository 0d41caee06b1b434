"""The stream of clips: like that of every function of a frame, but a clip that is being made ends with it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Protocol, Self

from ...audio import Audio
from ...errors import InvalidInput, SnapshotError, StreamClosed
from ...request import Request
from ..base import Engine, Understanding
from ..function import FunctionStream, Steer


class ClipSource(Protocol):
    """Makes the sound of a request from a frame on, as long as it is not cancelled."""

    fingerprint: str

    def sound(
        self, request: Request, start: int, progress: Callable[[int, int], None], cancelled: Callable[[], bool]
    ) -> Audio: ...


class ClipStream(FunctionStream):
    """Clips of one request. One thread, except ``close`` and ``progress``."""

    def __init__(self, engine: Engine, request: Request, position: int = 0, steers: Sequence[Steer] = ()) -> None:
        source = engine.source if isinstance(engine, _Reading) else engine
        self._stopped = threading.Event()
        self._progress = (0, 0)
        super().__init__(_Reading(source, self._stopped.is_set, self._note), request, position, steers)

    @property
    def progress(self) -> tuple[int, int]:
        """Steps done, and steps in total (0: unknown), of the clip that is being made or was made last."""
        return self._progress

    @classmethod
    def restore(cls, engine: Engine, snapshot: bytes) -> Self:
        restored = super().restore(engine, snapshot)
        fingerprint = json.loads(snapshot).get("model")
        if fingerprint != _source(engine).fingerprint:
            raise SnapshotError(
                f"a snapshot of the model {fingerprint!r}, but {_source(engine).fingerprint!r} is loaded"
            )
        return restored

    def snapshot(self, at_frame: int | None = None) -> bytes:
        state = json.loads(super().snapshot(at_frame))
        return json.dumps({**state, "model": _source(self._engine).fingerprint}).encode()

    def close(self) -> None:
        self._stopped.set()
        super().close()

    def _note(self, done: int, total: int) -> None:
        self._progress = (done, total)


class _Reading(Engine):
    """An engine as one stream reads it: a clip that is being made stops between two steps when the stream is closed."""

    name = "reading"
    summary = "one stream's view of an engine"

    def __init__(self, source: Engine, cancelled: Callable[[], bool], progress: Callable[[int, int], None]) -> None:
        self.source = source
        self._cancelled, self._progress = cancelled, progress
        self.name = source.name  # type: ignore[misc]
        self.options = source.options  # type: ignore[misc]
        self.rate, self.channels = source.rate, source.channels

    def read(self, request: Request, start: int) -> Audio:
        if self._cancelled():
            raise StreamClosed("the stream was closed")
        return _source(self).sound(request, start, self._progress, self._cancelled)

    def understand(self, prompt: str) -> Understanding:
        return self.source.understand(prompt)


def _source(engine: Engine) -> ClipSource:
    source = engine.source if isinstance(engine, _Reading) else engine
    if not hasattr(source, "sound"):
        raise InvalidInput("engine", engine.name, "an engine of clips")
    return source  # type: ignore[return-value]
