"""An engine with a smaller model beside it, for when the larger one is too slow; knows no engine and no station.

``with_smaller`` makes of an engine's class one whose requests may say ``smaller``. Those streams are made by a second
engine of the same kind with other weights, which is loaded when it is first asked for and let go of when nobody has
played it for a while. That is the last of the engine's ``lighter`` steps, so that whoever asks for these gets it,
on another machine too. Everything else is the larger model's.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, make_dataclass, replace
from typing import Any, ClassVar

from ..audio import Audio
from ..errors import InvalidInput, StreamClosed
from ..options import option
from ..request import Request
from .base import Engine, Mark, Stream, Understanding

OPTION = "smaller"
CLOSE_S = 0.5  # how long closing waits for a model that is being loaded
KEPT_S = 600.0  # how long a smaller model that nobody plays stays in memory
MAGIC = b"LWSMALL1"  # before the snapshots of its streams

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asks:
    """What a request may say besides."""

    smaller: bool = option(False, "by the smaller model: quicker, and plainer")


class WithSmaller(Engine):
    """Mixed into an engine by ``with_smaller``, before its own class."""

    kept_s: ClassVar[float] = KEPT_S

    def __init__(self, *, load_smaller: Callable[[], Engine], **options: Any) -> None:
        super().__init__(**options)  # of the engine's own class
        self._load_smaller = load_smaller
        self._loading = threading.Lock()  # held while it is loaded, and while it is let go of
        self._small: Engine | None = None
        self._playing = 0  # its streams that are open
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
        return self._played(lambda engine: engine.open(own, **audio_prompts))

    def restore(self, snapshot: bytes) -> Stream:
        if not snapshot.startswith(MAGIC):
            return super().restore(snapshot)
        return self._played(lambda engine: engine.restore(snapshot[len(MAGIC) :]))

    def close(self) -> None:
        self._ended = True
        if self._loading.acquire(timeout=CLOSE_S):  # else it is being loaded, and is let go of then
            self._let_go()
            self._loading.release()
        super().close()

    @property
    def smaller_loaded(self) -> bool:
        """Whether the smaller model is in memory."""
        return self._small is not None

    def _played(self, begin: Callable[[Engine], Stream]) -> SmallStream:
        """A stream of the smaller model, which is loaded if it is not."""
        with self._loading:
            if self._ended:
                raise StreamClosed("the engine was closed")
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._small is None:
                log.info("engine %s loads its smaller model", self.name)
                self._small = self._load_smaller()
                if self._ended:
                    self._let_go()
                    raise StreamClosed("the engine was closed")
            small = self._small
            self._playing += 1
        try:
            return SmallStream(begin(small), self._played_on, self._left)
        except BaseException:
            self._left()
            raise

    def _played_on(self, begin: Callable[[], Stream]) -> SmallStream:
        """One more stream of the smaller model, made from one that is open."""
        return self._played(lambda small: begin())

    def _left(self) -> None:
        """One of its streams was closed."""
        with self._loading:
            self._playing -= 1
            if self._playing == 0 and not self._ended:
                self._timer = threading.Timer(self.kept_s, self._forget)
                self._timer.daemon = True
                self._timer.start()

    def _forget(self) -> None:
        with self._loading:
            if self._playing == 0:
                self._let_go()
                log.info("engine %s let go of its smaller model", self.name)

    def _let_go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        small, self._small = self._small, None
        if small is not None:
            small.close()


class SmallStream(Stream):
    """A stream of the smaller model. Its rate and channels are its own."""

    def __init__(
        self, inner: Stream, more: Callable[[Callable[[], Stream]], SmallStream], left: Callable[[], None]
    ) -> None:
        self._inner, self._more, self._left = inner, more, left
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
        self._left()


def with_smaller(kind: type[Engine]) -> type[WithSmaller]:
    """The class of an engine that has a smaller model: loaded as ``kind``, with a function that loads that one."""
    options = make_dataclass(f"{kind.options.__name__}AndSmaller", [], bases=(Asks, kind.options), frozen=True)
    facts = {"__doc__": kind.__doc__, "options": options, "lighter": (*kind.lighter, {OPTION: True})}
    return type(kind.__name__, (WithSmaller, kind), facts)
