"""Adds a smaller model to an engine, for when the larger one is too slow.

``with_smaller`` extends an engine's class by the request option ``smaller``. Streams with that option come from a
second engine of the same kind with other weights, loaded on first use and unloaded when idle for a while. Using the
smaller model is the last ``lighter`` step, so it also works through a remote engine. All other attributes come from the
larger model.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ..audio import Audio
from ..errors import InvalidInput, StreamClosed
from ..options import option
from ..request import Request
from .base import Engine, Mark, Stream, Understanding

OPTION = "smaller"
CLOSE_S = 0.5  # how long closing waits for the smaller model to finish loading
KEPT_S = 600.0  # idle time after which the smaller model is unloaded
MAGIC = b"LWSMALL1"  # prefix of the snapshots of its streams

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SmallerOption:
    """The request option that the smaller model adds."""

    smaller: bool = option(False, "use the smaller model: faster, less quality")


class WithSmaller(Engine):
    """Mixed into an engine's class by ``with_smaller``; thread-safe."""

    kept_s: ClassVar[float] = KEPT_S

    def __init__(self, *, load_smaller: Callable[[], Engine], **options: Any) -> None:
        super().__init__(**options)  # of the class that it is mixed into
        self._load_smaller = load_smaller
        self._loading = threading.Lock()  # held while the smaller model is loaded or unloaded
        self._smaller: Engine | None = None
        self._open_streams = 0  # open streams of the smaller model
        self._timer: threading.Timer | None = None
        self._ended = False

    def open(self, request: Request, **audio_prompts: Audio) -> Stream:
        options = dict(request.options)
        small = options.pop(OPTION, False)
        if type(small) is not bool:
            raise InvalidInput(f"options.{OPTION}", small, "true or false")
        own = replace(request, options=options)
        if not small:
            return super().open(own, **audio_prompts)
        return self._open_smaller(lambda engine: engine.open(own, **audio_prompts))

    def restore(self, snapshot: bytes) -> Stream:
        if not snapshot.startswith(MAGIC):
            return super().restore(snapshot)
        return self._open_smaller(lambda engine: engine.restore(snapshot[len(MAGIC) :]))

    def close(self) -> None:
        self._ended = True
        if self._loading.acquire(timeout=CLOSE_S):  # if not, it is being loaded, and is unloaded then
            self._unload()
            self._loading.release()
        super().close()

    @property
    def smaller_loaded(self) -> bool:
        """Tell whether the smaller model is in memory."""
        return self._smaller is not None

    def _open_smaller(self, begin: Callable[[Engine], Stream]) -> SmallerStream:
        """Open a stream of the smaller model; load the model if necessary."""
        with self._loading:
            if self._ended:
                raise StreamClosed("the engine was closed")
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._smaller is None:
                log.info("engine %s: loading the smaller model", self.name)
                self._smaller = self._load_smaller()
                if self._ended:
                    self._unload()
                    raise StreamClosed("the engine was closed")
            small = self._smaller
            self._open_streams += 1
        try:
            return SmallerStream(begin(small), self._fork, self._stream_closed)
        except BaseException:
            self._stream_closed()
            raise

    def _fork(self, begin: Callable[[], Stream]) -> SmallerStream:
        """Open another stream of the smaller model, forked from an open one."""
        return self._open_smaller(lambda small: begin())

    def _stream_closed(self) -> None:
        """Count a closed stream; after the last one, schedule the unloading."""
        with self._loading:
            self._open_streams -= 1
            if self._open_streams == 0 and not self._ended:
                self._timer = threading.Timer(self.kept_s, self._unload_if_idle)
                self._timer.daemon = True
                self._timer.start()

    def _unload_if_idle(self) -> None:
        with self._loading:
            if self._open_streams == 0:
                self._unload()
                log.info("engine %s: unloaded the idle smaller model", self.name)

    def _unload(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        small, self._smaller = self._smaller, None
        if small is not None:
            small.close()


class SmallerStream(Stream):
    """A stream of the smaller model. Its rate and channels are its own."""

    def __init__(
        self, inner: Stream, more: Callable[[Callable[[], Stream]], SmallerStream], left: Callable[[], None]
    ) -> None:
        self._inner, self._more, self._stream_closed = inner, more, left
        self._closing = threading.Lock()
        self._closed = False
        self.rate, self.channels = inner.rate, inner.channels
        self.request = replace(inner.request, options={**inner.request.options, OPTION: True})

    @property
    def position(self) -> int:
        return self._inner.position

    @property
    def total_frames(self) -> int | None:
        return self._inner.total_frames

    @property
    def tokens_made(self) -> int | None:
        return self._inner.tokens_made

    def read(self, frames: int) -> Audio:
        return self._inner.read(frames)

    def steer(self, prompt: str, over_s: float = 8.0) -> Understanding:
        return self._inner.steer(prompt, over_s)

    def snapshot(self, at_frame: int | None = None) -> bytes:
        return MAGIC + self._inner.snapshot(at_frame)

    def fork(self, at_frame: int | None = None) -> Stream:
        return self._more(lambda: self._inner.fork(at_frame))

    def marks(self, start: int, stop: int) -> Sequence[Mark]:
        return self._inner.marks(start, stop)

    def beats(self, start: int, stop: int) -> Sequence[int]:
        return self._inner.beats(start, stop)

    def close(self) -> None:
        with self._closing:
            if self._closed:
                return
            self._closed = True
        self._inner.close()
        self._stream_closed()


def with_smaller(kind: type[Engine]) -> type[WithSmaller]:
    """Return the class of engine ``kind`` with a smaller model; its constructor also takes ``load_smaller``."""

    @dataclass(frozen=True)
    class Options(SmallerOption, kind.options):  # type: ignore[name-defined, misc]
        __doc__ = kind.options.__doc__

    class LargerEngine(WithSmaller, kind):  # type: ignore[valid-type, misc]
        __doc__ = kind.__doc__
        options = Options
        lighter = (*kind.lighter, {OPTION: True})

    return LargerEngine
