"""The synth as an engine: what it can do, how it is set up, and the music of a request as notes and stems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from ...audio import Audio
from ...errors import InvalidInput, SnapshotError
from ...options import build, option
from ...request import Request
from ..base import Engine, Stream, Understanding
from . import snapshots
from .midi import midi_bytes
from .options import SynthOptions
from .planning.memory_file import MemoryFile
from .programme import Programme
from .prompts.choices import choices
from .prompts.explanation import understand
from .score import RATE, Bar
from .sound.instruments.cache import SoundCache
from .sound.renderer import RendererState
from .stream import REWINDABLE_S, SynthStream
from .theory import Key

LONGEST_LOOP_S = 120.0  # a loop is rendered whole before its first sample is read


@dataclass(frozen=True)
class SynthLoadOptions:
    """How the engine is set up."""

    cache_mb: int = option(40, "memory for rendered notes, shared by all streams", low=4, high=2000, unit="MB")
    memory_file: str = option(
        "",
        "file that remembers over restarts what endless streams played; finite music neither reads nor writes it; "
        "empty: none",
        max_length=4096,
    )


class SynthEngine(Engine):
    """Lo-fi, composed and synthesised as it is heard."""

    name: ClassVar[str] = "synth"
    summary: ClassVar[str] = "composes and synthesises endless lo-fi; needs no model and no GPU"
    load_options: ClassVar[type] = SynthLoadOptions
    options: ClassVar[type] = SynthOptions
    writes_midi: ClassVar[bool] = True
    writes_stems: ClassVar[bool] = True

    rate = RATE
    channels = 2
    rewindable_s = REWINDABLE_S

    def __init__(self, cache_mb: int = 40, memory_file: str = "") -> None:
        self.cache = SoundCache(cache_mb * 1_000_000)
        self.closed = False
        self._keeper = MemoryFile(Path(memory_file)) if memory_file else None

    def open(self, request: Request, **audio_prompts: Audio) -> SynthStream:
        return SynthStream(self, request, self._programme(request), RendererState())

    def restore(self, snapshot: bytes) -> SynthStream:
        head, sound = snapshots.unpack(type(self), snapshot)
        try:
            stream = SynthStream(self, Request(**head["request"]), Programme.restore(head["programme"]), sound)
            if stream.loops and (stream.request.duration_s or 0.0) > LONGEST_LOOP_S:
                raise ValueError(f"a loop of {stream.request.duration_s} s")
            stream._advance_to(head["position"], head["steers"])
        except SnapshotError:
            raise
        except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise SnapshotError(f"snapshot: its content makes no sense ({error})") from error
        return stream

    def understand(self, prompt: str) -> Understanding:
        return understand(prompt)

    @classmethod
    def vocabulary(cls) -> dict[str, tuple[str, ...]]:
        return choices()

    def stems(self, request: Request) -> dict[str, Audio]:
        """Each part of a finite request by itself (see ``stems``)."""
        _frames(request)
        with self.open(request) as stream:
            blocks = list(stream.stems(_frames(request)))
        return {name: Audio(np.concatenate([block[name].samples for block in blocks]), RATE) for name in blocks[0]}

    def midi(self, request: Request) -> bytes:
        """A finite request as a MIDI file."""
        programme, bars = self._composed(request)
        pieces = {bar.piece: programme.piece(bar.piece) for bar in bars}
        titles = {n: (str(p["title"]), Key.parse(str(p["key"]))) for n, p in pieces.items()}
        return midi_bytes(bars, titles, None if programme.loops else _frames(request))

    def midi_of(self, passages: Sequence[tuple[Stream, int]]) -> bytes:
        """See ``Engine.midi_of``. An event lies where it is heard."""
        bars: list[Bar] = []
        pieces: dict[int, tuple[str, Key]] = {}
        for stream, frames in passages:
            assert isinstance(stream, SynthStream)
            numbers: dict[int, int] = {}  # pieces are counted anew in every stream
            for bar, facts in stream.passage(frames):
                number = numbers.setdefault(bar.piece, len(pieces))
                pieces[number] = str(facts["title"]), Key.parse(str(facts["key"]))
                bars.append(replace(bar, piece=number))
        return midi_bytes(bars, pieces)

    def close(self) -> None:
        self.closed = True

    def _programme(self, request: Request) -> Programme:
        options = build(SynthOptions, request.options, where="options.")
        if options.loop and (request.duration_s or 0.0) > LONGEST_LOOP_S:
            raise InvalidInput("duration_s", request.duration_s, f"at most {LONGEST_LOOP_S:g} s of a loop")
        memory = self._keeper.memory(request.prompt) if self._keeper and request.duration_s is None else None
        return Programme(request, options, memory)

    def remember(self, programme: Programme) -> None:
        """A piece of an endless stream begins."""
        if self._keeper and programme.request.duration_s is None:
            self._keeper.add(programme.request.prompt, programme.memory)

    def _composed(self, request: Request) -> tuple[Programme, list[Bar]]:
        _frames(request)
        programme = self._programme(request)
        bars = []
        while (bar := programme.next_bar()) is not None:
            bars.append(bar)
        return programme, bars


def _frames(request: Request) -> int:
    if request.duration_s is None:
        raise InvalidInput("duration_s", None, "a length in seconds: this needs music that ends")
    return round(request.duration_s * RATE)
