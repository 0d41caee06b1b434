"""What every engine is: something that gives endless, steerable streams of audio blocks.

Knows nothing of any particular engine, of stations or of the web. An engine is a class with a name, a rate and
``stream``; see ``examples/`` for a complete one of a few dozen lines, and ``lullwave.engines`` for how engines are
found. Streams are *pulled* by their caller: nothing is made ahead unless the engine chooses to, and the samples
are the same whatever the sizes of the blocks that are read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Literal, Self

from ..audio import Audio
from ..errors import EngineError
from ..options import option
from ..request import Request

BLOCK_S = 0.25  # length of the blocks that iteration gives


@dataclass(frozen=True)
class NoOptions:
    """The options of an engine that has none."""


@dataclass(frozen=True)
class Mark:
    """Something that begins at a frame of a stream, stamped with the frame at which it is heard.

    ``piece``: a new piece of music; data has ``title`` and, where the engine knows them, ``tempo_bpm``, ``key``
    (such as ``"D minor"``), ``frames`` (its length) and ``prompt``.
    ``steer``: a change that was asked for begins to be heard; data has ``prompt``.
    """

    frame: int
    kind: Literal["piece", "steer"]
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Understanding:
    """What an engine made of a prompt, in plain words and as data."""

    text: str
    understood: Mapping[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()  # words that had no effect


class Stream(ABC):
    """A sequence of audio, endless unless the request names a duration.

    Not thread-safe: one caller at a time. ``close`` may come from any thread and ends a read in progress as soon
    as the engine can.
    """

    request: Request
    rate: int  # Hz
    channels: int

    @property
    @abstractmethod
    def position(self) -> int:
        """How many frames have been read since the stream's beginning (a restored stream goes on counting)."""

    @property
    def total_frames(self) -> int | None:
        """Length of a finite stream; None when it is endless."""
        if self.request.duration_s is None:
            return None
        return round(self.request.duration_s * self.rate)

    @abstractmethod
    def read(self, frames: int) -> Audio:
        """The next ``frames`` frames; fewer only at the end of a finite stream, none after it.

        Raises:
            StreamClosed: the stream was closed.
            EngineFailed: the engine broke.
        """

    def steer(self, prompt: str, over_s: float = 8.0) -> Understanding:
        """Turn the music towards ``prompt`` from the next frame on, over about ``over_s`` seconds."""
        raise EngineError(f"{type(self).__name__} cannot be steered while it plays")

    def snapshot(self, at_frame: int | None = None) -> bytes:
        """The state from which ``Engine.restore`` continues with the same samples.

        ``at_frame`` may lie up to ``Engine.rewindable_s`` before ``position`` (the default).
        The bytes carry the engine's name and version.

        Raises:
            SnapshotError: ``at_frame`` is out of reach.
        """
        raise EngineError(f"{type(self).__name__} has no snapshots")

    def fork(self, at_frame: int | None = None) -> Stream:
        """A second stream that plays the same from ``at_frame`` (default: ``position``) until one is steered."""
        raise EngineError(f"{type(self).__name__} cannot be forked")

    def marks(self, start: int, stop: int) -> Sequence[Mark]:
        """What begins in the frames ``start <= frame < stop``, all of which have been read."""
        return ()

    def beats(self, start: int, stop: int) -> Sequence[int]:
        """The frames of the beats in ``start <= frame < stop``, where the engine knows them."""
        return ()

    def close(self) -> None:  # noqa: B027  (nothing to free is a fine default)
        """Free what the stream holds. Closing twice is allowed."""

    def __iter__(self) -> Iterator[Audio]:
        """Blocks of ``BLOCK_S`` seconds until the end."""
        frames = max(1, round(BLOCK_S * self.rate))
        while (block := self.read(frames)).frames:
            yield block

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class EngineFacts:
    """What an engine says of itself. Engines with heavy packages keep it in a module that imports none of them."""

    name: ClassVar[str]
    summary: ClassVar[str]  # one line for lists
    load_options: ClassVar[type] = NoOptions  # how to load it: checkpoint, device… (see lullwave.options)
    options: ClassVar[type] = NoOptions  # what a request may set: Request.options
    lighter: ClassVar[Sequence[Mapping[str, Any]]] = ()  # options that make it quicker, added one by one
    weights: ClassVar[str] = ""  # the load option that names its weights, where ``smaller`` ones may stand beside them


def smaller_weights() -> Any:
    """The load option ``smaller`` of an engine that has ``weights``; see ``lullwave.engines.smaller``."""
    return option("", "a smaller checkpoint that plays while this one is too slow; empty: none", max_length=1000)


class Engine(EngineFacts, ABC):
    """Makes streams. One engine may feed many streams at once, from as many threads."""

    rate: int  # Hz; a stream's own counts
    channels: int
    rewindable_s: float = 0.0  # how far back of a stream's position snapshots reach
    reads_at_once: int = 2  # streams that are worth reading at the same time: more where the engine batches them

    @abstractmethod
    def stream(self, request: Request) -> Stream:
        """Begin a stream.

        Raises:
            InvalidInput: ``request.options`` has a name or a value that the engine does not allow.
        """

    def restore(self, snapshot: bytes) -> Stream:
        """Continue from ``Stream.snapshot`` with the same samples.

        Raises:
            SnapshotError: made by another engine or version.
        """
        raise EngineError(f"engine {self.name!r} has no snapshots")

    def understand(self, prompt: str) -> Understanding:
        """What the engine makes of ``prompt``, without playing it."""
        return Understanding(text=prompt)

    def close(self) -> None:
        """Free models and devices. Streams still open end with ``StreamClosed``."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
