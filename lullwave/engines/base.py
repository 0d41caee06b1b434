"""The base of every engine: engines open endless, steerable streams of audio blocks.

The caller *pulls* blocks from a stream: nothing is made ahead unless the engine chooses to, and the samples do not
depend on the sizes of the blocks.

There are three ways to write an engine, from least to most work::

    Engine.read(request, start)      sound as a function of the request and a frame; the rest is inherited
    BlockStream.next_block()         sound with a state; counting, slicing, ending and closing are inherited
    Stream                           everything is up to you

For the second and third, ``Engine.open`` returns the stream. ``examples/lullwave-birdsong`` is a complete engine of the
first kind; ``lullwave.engines`` explains how engines are found.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Literal, Self

import numpy as np

from ..audio import Audio, Samples
from ..errors import EngineError, EngineFailed, InvalidInput, StreamClosed, Unsupported
from ..options import option
from ..request import Request
from .comparison import Comparison

BLOCK_S = 0.25  # seconds in a block of `for block in stream`
MAX_OVER_S = 3600.0  # longest change from one prompt to the next, seconds
UNLIMITED_S = 1e9  # rewindable seconds of an engine that reaches any frame

AudioPrompt = Literal["continue_from", "melody", "source"]


@dataclass(frozen=True)
class NoOptions:
    """The options of an engine that has none."""


@dataclass(frozen=True)
class Mark:
    """Something that begins at a frame of a stream, stamped with the frame at which it is heard.

    ``piece``: a new piece of music; data has ``title`` and, where the engine knows them, ``tempo_bpm``, ``metre``,
    ``key`` (such as ``"D minor"``), ``frames`` (its length) and ``prompt``.
    ``steer``: a requested change begins to be heard; data has ``prompt``.
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
    recognised: bool = True  # False: nothing in the prompt has any meaning to the engine
    suggestions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # ignored word → known words like it


class Closing(ABC):
    """Closes itself at the end of a ``with`` block."""

    @abstractmethod
    def close(self) -> None:
        """Free what it holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Stream(Closing):
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
        """How many frames were read since the stream's beginning (a restored stream continues the count)."""

    @property
    def total_frames(self) -> int | None:
        """Length of a finite stream; None when it is endless."""
        if self.request.duration_s is None:
            return None
        return round(self.request.duration_s * self.rate)

    @property
    def loops(self) -> bool:
        """Whether the end of a finite stream leads into its beginning."""
        return False

    @property
    def understanding(self) -> Understanding | None:
        """What was made of the words of this stream, where that is more than ``Engine.understand`` tells."""
        return None

    @property
    def tokens_made(self) -> int | None:
        """How many tokens the model has made for this stream, where it makes tokens."""
        return None

    @abstractmethod
    def read(self, frames: int) -> Audio:
        """The next ``frames`` frames; fewer only at the end of a finite stream, none after it.

        Raises:
            InvalidInput: ``frames`` is negative.
            StreamClosed: the stream was closed.
            EngineFailed: the engine broke.
        """

    def steer(self, prompt: str, over_s: float = 8.0) -> Understanding:
        """Turn the music towards ``prompt`` from the next frame on, over about ``over_s`` seconds.

        Raises:
            InvalidInput: the prompt does not parse, or ``over_s`` is not from 0 to ``MAX_OVER_S``.
            EngineError: the engine cannot be steered.
        """
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

    def stems(self, frames: int) -> Iterator[Mapping[str, Audio]]:
        """The parts of the next ``frames`` frames in blocks, each with every part by name.

        Their sum is what ``read`` returns, to within rounding. The stream stays where it is. Where ``writes_stems``.

        Raises:
            EngineError: the engine writes none.
        """
        raise EngineError(f"{type(self).__name__} cannot write stems")

    def marks(self, start: int, stop: int) -> Sequence[Mark]:
        """What begins in the frames ``start <= frame < stop``, all of which have been read."""
        return ()

    def beats(self, start: int, stop: int) -> Sequence[int]:
        """The frames of the beats in ``start <= frame < stop``, where the engine knows them."""
        return ()

    def close(self) -> None:
        """Free what the stream holds. Closing twice is allowed."""

    def __iter__(self) -> Iterator[Audio]:
        """Blocks of ``BLOCK_S`` seconds until the end."""
        frames = max(1, round(BLOCK_S * self.rate))
        while (block := self.read(frames)).frames:
            yield block


def check_over_s(over_s: float) -> None:
    """Check the length of a change of prompt, in seconds.

    Raises:
        InvalidInput: it is negative, no number, or longer than ``MAX_OVER_S``.
    """
    if not 0.0 <= over_s <= MAX_OVER_S:
        raise InvalidInput("over_s", over_s, f"a number of seconds from 0 to {MAX_OVER_S:g}")


class BlockStream(Stream):
    """A stream whose subclass gives blocks of any length; counting, slicing, ending and closing are done here."""

    def __init__(self, request: Request, rate: int, channels: int, position: int = 0) -> None:
        self.request, self.rate, self.channels = request, rate, channels
        self._position = self._made = position
        self._unread: list[Samples] = []  # (T, C) each, made and not yet read
        self._closed = False

    @abstractmethod
    def next_block(self) -> Audio:
        """The sound that follows all blocks so far: at least one frame, at the stream's rate and channels."""

    @property
    def position(self) -> int:
        return self._position

    @property
    def frames_made(self) -> int:
        """The frame at which the next block begins."""
        return self._made

    def read(self, frames: int) -> Audio:
        if frames < 0:
            raise InvalidInput("frames", frames, "a number of frames, at least 0")
        if self.total_frames is not None:
            frames = max(0, min(frames, self.total_frames - self._position))
        self._check_open()
        while self._made - self._position < frames:
            block = self.next_block()
            self._check_open()
            if not block.frames or (block.rate, block.channels) != (self.rate, self.channels):
                raise EngineFailed(
                    f"{type(self).__name__}: a block of {block.frames} frames, {block.rate} Hz, {block.channels} "
                    f"channels; expected: at least 1 frame, {self.rate} Hz, {self.channels} channels"
                )
            self._unread.append(block.samples)
            self._made += block.frames
        samples = np.concatenate([np.zeros((0, self.channels), np.float32), *self._unread])
        self._unread = [samples[frames:]]
        self._position += frames
        return Audio(samples[:frames], self.rate)

    def discard_unread(self) -> None:
        """Drop what was made and not yet read: the next block begins at ``position``."""
        self._unread, self._made = [], self._position

    def close(self) -> None:
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise StreamClosed("the stream was closed")


class EngineFacts:
    """The description of an engine. Engines with heavy packages keep it in a module that imports none of them."""

    name: ClassVar[str]
    summary: ClassVar[str]  # one line for lists
    load_options: ClassVar[type] = NoOptions  # how to load it: checkpoint, device… (see lullwave.options)
    options: ClassVar[type] = NoOptions  # what a request may set: Request.options
    lighter: ClassVar[Sequence[Mapping[str, Any]]] = ()  # options that make it faster, added one by one
    weights: ClassVar[str] = ""  # the load option that names its weights, if ``smaller`` ones are supported
    audio_prompts: ClassVar[Sequence[AudioPrompt]] = ()  # the audio that ``Engine.stream`` takes besides the words
    writes_midi: ClassVar[bool] = False  # whether ``Engine.midi`` and ``midi_of`` work
    writes_stems: ClassVar[bool] = False  # whether ``Engine.stems`` and ``Stream.stems`` work

    @classmethod
    def kernels(cls) -> str:
        """What it computes with on this machine unless told otherwise, and why, if there is a choice; else empty."""
        return ""

    @classmethod
    def vocabulary(cls) -> Mapping[str, Sequence[str]]:
        """Words to choose a prompt from, by kind: ``{"mood": ("calm", …)}``. Empty: the engine takes any text."""
        return {}


def smaller_weights() -> Any:
    """The load option ``smaller`` of an engine that has ``weights``; see ``lullwave.engines.smaller``."""
    return option("", "a smaller checkpoint that plays while this one is too slow; empty: none", max_length=1000)


class Engine(EngineFacts, Closing):
    """Makes streams. One engine may feed many streams at once, from as many threads.

    A subclass defines ``read`` or ``open``; all else has a default. One that defines ``read`` and no ``name`` or
    ``summary`` gets its class's name in lower case and the first line of its docstring.
    """

    rate: int = 44100  # Hz; a stream may have another
    channels: int = 2
    reads_at_once: int = 2  # streams to read concurrently; higher for engines that batch

    def __init_subclass__(cls, **extra: Any) -> None:
        super().__init_subclass__(**extra)
        if "read" in vars(cls):
            if not hasattr(cls, "name"):
                cls.name = cls.__name__.lower()
            if not hasattr(cls, "summary"):
                cls.summary = (cls.__doc__ or cls.name).strip().partition("\n")[0]

    @property
    def rewindable_s(self) -> float:
        """How far back of a stream's position snapshots reach, in seconds. A subclass may set it as an attribute."""
        return 0.0 if type(self).read is Engine.read else UNLIMITED_S

    @property
    def made_by(self) -> str:
        """The name of the engine that makes the music, for the tags of files: for a remote engine, the server's."""
        return self.name

    def stream(
        self,
        request: Request | str = "",
        *,
        continue_from: Audio | None = None,
        melody: Audio | None = None,
        source: Audio | None = None,
    ) -> Stream:
        """Begin a stream. A string is the prompt of an endless request with seed 0.

        ``continue_from``: the music continues this audio. ``melody``: it follows the melody of this audio. ``source``:
        it is made from this audio, as the engine's options say. Each is allowed only if ``audio_prompts`` names it.

        Raises:
            InvalidInput: ``request.options`` has a name or a value that the engine does not allow, or the engine does
                not take this audio.
        """
        request = Request(request) if isinstance(request, str) else request
        heard: dict[AudioPrompt, Audio | None] = {"continue_from": continue_from, "melody": melody, "source": source}
        given = {name: audio for name, audio in heard.items() if audio is not None}
        for name, audio in given.items():
            if name not in self.audio_prompts:
                raise Unsupported(name, audio, f"the engine {self.name!r} does not take this audio")
        return self.open(request, **given)

    def open(self, request: Request, **audio_prompts: Audio) -> Stream:
        """Begin a stream. ``stream`` calls this; engines whose streams have a state define it.

        Only the names in ``audio_prompts`` of the class are passed. By default the stream consists of ``read``.
        """
        from .function import FunctionStream

        return FunctionStream(self, request)

    def read(self, request: Request, start: int) -> Audio:
        """The sound from frame ``start`` on, of any length above zero, as a function of the two arguments alone.

        An engine that defines it has everything else: lengths, steering (a crossfade from one prompt to the next),
        snapshots and forks.
        """
        raise NotImplementedError(f"the engine {self.name} defines neither read nor open")

    def restore(self, snapshot: bytes) -> Stream:
        """Continue from ``Stream.snapshot`` with the same samples.

        Raises:
            SnapshotError: made by another engine or version.
        """
        if type(self).read is Engine.read:
            raise EngineError(f"engine {self.name!r} has no snapshots")
        from .function import FunctionStream

        return FunctionStream.restore(self, snapshot)

    def understand(self, prompt: str) -> Understanding:
        """What the engine makes of ``prompt``, without playing it."""
        return Understanding(text=prompt)

    def compare_with_reference(self) -> Comparison:
        """Run a few steps of the loaded model here and by the library that defines it, in float32.

        Raises:
            EngineError: the engine has no such library.
        """
        raise EngineError(f"the engine {self.name} has no reference to be compared with")

    def midi(self, request: Request) -> bytes:
        """A finite request as a MIDI file, where ``writes_midi``.

        Raises:
            EngineError: the engine writes none.
        """
        raise EngineError(f"the engine {self.name} cannot write MIDI")

    def midi_of(self, passages: Sequence[tuple[Stream, int]]) -> bytes:
        """The next frames of each stream, one stream after the other, as MIDI, where ``writes_midi``.

        Raises:
            EngineError: the engine writes none.
        """
        raise EngineError(f"the engine {self.name} cannot write MIDI")

    def stems(self, request: Request) -> Mapping[str, Audio]:
        """The parts of a finite request by name, if the engine ``writes_stems``.

        Raises:
            EngineError: the engine writes none.
        """
        raise EngineError(f"the engine {self.name} cannot write stems")

    def close(self) -> None:
        """Free models and devices. Streams still open end with ``StreamClosed``."""
