"""The synth as an engine: composer and renderer joined into the streams of ``lullwave.engines.base``.

::

    Programme.next_bar ─▶ Renderer.render ─▶ a bar of samples ─▶ read(frames) slices it
          └────────┬───────────┘
          checkpoint before each bar (a ring of the last `rewindable_s`) ─▶ snapshot, fork

A bar is composed and rendered when its first frame is asked for. A steer inside a bar composes and renders that bar
anew from the checkpoint before it, and fades over to it at once; where the new bar has another length, the steer is
heard from the next bar.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...audio import Audio, Samples
from ...errors import EngineFailed, InvalidInput, LullwaveError, SnapshotError, StreamClosed
from ...options import build, option
from ...request import Request
from ..base import Engine, Mark, Stream, Understanding, check_over_s
from . import snapshots
from .looping import loop_bars, render_loop
from .midi import midi_bytes
from .options import SynthOptions
from .planning.memory_file import MemoryFile
from .programme import Programme
from .prompts.choices import choices
from .prompts.explanation import understand
from .score import RATE, Bar
from .sound.instruments.cache import SoundCache
from .sound.renderer import LATENCY, Renderer, RendererState
from .sound.stems import render_stems
from .theory import Key

REWINDABLE_S = 100.0
_REMEMBERED_S = 900.0  # seconds for which marks and beats are kept after they were read
_REST_FRAMES = 2 * RATE  # after the last bar, tails are rendered in blocks of this length
END_FADE_S = 0.6
LONGEST_LOOP_S = 120.0  # a loop is rendered whole before its first sample is read
_CUT_FRAMES = 1323  # 30 ms: crossfade from a bar to the same bar as it was steered


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


@dataclass(frozen=True)
class Checkpoint:
    """The state of composition and sound before the bar that begins at ``frame``."""

    frame: int
    programme: Mapping[str, Any]
    sound: RendererState


@dataclass(frozen=True)
class _Steer:
    """A call of ``steer``."""

    bar_frame: int  # at which the bar that was playing began
    called_at: int  # the stream's position
    prompt: str
    over_s: float


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
        if self._programme(request).loops:
            raise InvalidInput("options.loop", True, "false: stems are not wrapped at the seam")
        return {
            name: Audio(_faded(samples, 0, len(samples)), RATE)
            for name, samples in render_stems(
                self._composed(request)[1], _frames(request), request.seed, self.cache
            ).items()
        }

    def midi(self, request: Request) -> bytes:
        """A finite request as a MIDI file."""
        programme, bars = self._composed(request)
        pieces = {bar.piece: programme.piece(bar.piece) for bar in bars}
        titles = {n: (str(p["title"]), Key.parse(str(p["key"]))) for n, p in pieces.items()}
        return midi_bytes(bars, titles, None if programme.loops else _frames(request))

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


class SynthStream(Stream):
    """One programme, rendered bar by bar."""

    rate = RATE
    channels = 2

    def __init__(self, engine: SynthEngine, request: Request, programme: Programme, sound: RendererState) -> None:
        self.request = request
        self._engine = engine
        self._programme = programme
        self._renderer = Renderer(request.seed, engine.cache, sound)
        self._position = sound.frame
        self._ready: Samples = np.zeros((0, 2), np.float32)  # rendered and not yet read
        self._ring: deque[Checkpoint] = deque()
        self._steers: deque[_Steer] = deque()
        self._marks: deque[Mark] = deque()
        self._beats: deque[int] = deque()
        self._waiting: list[str] = []  # prompts steered to, heard within the current bar
        self._closed = False
        self._loop: list[Bar] | None = None  # once its length was asked for

    @property
    def loops(self) -> bool:
        return self._programme.loops

    @property
    def total_frames(self) -> int | None:
        """Length of a finite stream: as requested, or of whole bars near that in a loop."""
        return sum(bar.frames for bar in self._loop_bars()) if self.loops else super().total_frames

    @property
    def position(self) -> int:
        return self._position

    @property
    def understanding(self) -> Understanding:
        """What was understood of the prompt, as far as the music has been planned."""
        return self._programme.understanding

    def read(self, frames: int) -> Audio:
        if frames < 0:
            raise InvalidInput("frames", frames, "a number of frames, at least 0")
        if self.total_frames is not None:
            frames = min(frames, self.total_frames - self._position)
        parts = []
        missing = frames
        while missing > 0:
            self._check_open()
            if not len(self._ready):
                self._render()
            parts.append(self._ready[:missing])
            self._ready = self._ready[missing:]
            missing -= len(parts[-1])
            self._position += len(parts[-1])
        self._check_open()
        return Audio(np.concatenate(parts) if parts else np.zeros((0, 2), np.float32), RATE)

    def steer(self, prompt: str, over_s: float = 8.0) -> Understanding:
        self._check_open()
        check_over_s(over_s)
        bar_frame = self._ring[-1].frame if self._ring else -1
        steer = _Steer(bar_frame, self._position, prompt, over_s)
        understood = self._programme.steer(prompt, over_s)
        if not self.loops and len(self._ready) > _CUT_FRAMES and (bar := self._bar_anew(steer)) is not None:
            fade = (np.arange(_CUT_FRAMES, dtype=np.float32) + 0.5) / _CUT_FRAMES
            bar[:_CUT_FRAMES] *= fade[:, None]
            bar[:_CUT_FRAMES] += self._ready[:_CUT_FRAMES] * (1.0 - fade)[:, None]
            self._ready = bar
            self._marks.append(Mark(self._position, "steer", {"prompt": prompt}))
        else:
            self._waiting.append(prompt)
        self._steers.append(steer)
        return understood

    def snapshot(self, at_frame: int | None = None) -> bytes:
        """See ``Stream.snapshot``. A steer belongs to it if it was called at or before ``at_frame``."""
        self._check_open()
        at, checkpoint = self._checkpoint(at_frame)
        steers = [(s.called_at, s.prompt, s.over_s) for s in self._steers_in(checkpoint, at)]
        request = {**vars(self.request), "options": dict(self.request.options)}
        head = {"request": request, "programme": checkpoint.programme, "position": at, "steers": steers}
        return snapshots.pack(type(self._engine), head, checkpoint.sound)

    def fork(self, at_frame: int | None = None) -> SynthStream:
        self._check_open()
        at, checkpoint = self._checkpoint(at_frame)
        steers = [(s.called_at, s.prompt, s.over_s) for s in self._steers_in(checkpoint, at)]
        branch = SynthStream(self._engine, self.request, Programme.restore(checkpoint.programme), checkpoint.sound)
        branch._advance_to(at, steers)
        shared = [c for c in self._ring if c.frame < checkpoint.frame]
        branch._ring.extendleft(reversed(shared))
        branch._steers.extendleft(reversed([s for s in self._steers if s.bar_frame < checkpoint.frame]))
        branch._marks = deque([m for m in self._marks if m.frame < checkpoint.frame + LATENCY] + list(branch._marks))
        branch._beats = deque([b for b in self._beats if b < checkpoint.frame + LATENCY] + list(branch._beats))
        return branch

    def marks(self, start: int, stop: int) -> Sequence[Mark]:
        return [mark for mark in self._marks if start <= mark.frame < stop]

    def beats(self, start: int, stop: int) -> Sequence[int]:
        return [beat for beat in self._beats if start <= beat < stop]

    def close(self) -> None:
        self._closed = True

    # ---- rendering

    def _render(self) -> None:
        """The next bar into ``_ready``."""
        began = self._renderer.state.frame
        if self.loops:
            self._render_loop()
            return
        try:
            self._ring.append(Checkpoint(began, self._programme.state(), self._renderer.state))
            bar = self._programme.next_bar()
            if bar is None:
                samples = self._renderer.rest(_REST_FRAMES)
            else:
                self._note(bar)
                samples = self._renderer.render(bar)
        except LullwaveError:
            raise
        except Exception as error:
            raise EngineFailed(f"the synth broke at {began / RATE:.1f} s: {error!r}") from error
        self._ready = _faded(samples, began, self.total_frames)
        oldest = began - round(REWINDABLE_S * RATE)
        while len(self._ring) > 1 and self._ring[1].frame <= oldest:
            self._ring.popleft()
        while self._steers and self._steers[0].bar_frame < self._ring[0].frame:
            self._steers.popleft()
        forgotten = began - round(_REMEMBERED_S * RATE)
        while self._marks and self._marks[0].frame < forgotten:
            self._marks.popleft()
        while self._beats and self._beats[0] < forgotten:
            self._beats.popleft()

    def _loop_bars(self) -> list[Bar]:
        if self._loop is None:
            self._loop = loop_bars(self._programme)
        return self._loop

    def _render_loop(self) -> None:
        """All of a loop into ``_ready``; composition and sound stay at its beginning."""
        self._ring.append(Checkpoint(0, self._programme.state(), self._renderer.state))
        bars = self._loop_bars()
        ahead = Programme.restore(self._programme.state())
        ahead.next_bar()
        self._marks.append(Mark(0, "piece", {**ahead.piece(0), "frames": self.total_frames}))
        for bar in bars:
            first = bar.start_frame + LATENCY
            self._beats.extend(first + round(n * bar.frames / bar.beats) for n in range(bar.beats))
        self._ready = render_loop(bars, self.request.seed, self._engine.cache)

    def _note(self, bar: Bar) -> None:
        """Marks and beats of a bar about to be rendered."""
        heard = bar.start_frame + LATENCY if bar.start_frame else 0
        for prompt in self._waiting:
            self._marks.append(Mark(heard, "steer", {"prompt": prompt}))
        self._waiting.clear()
        if bar.bar == 0:
            self._marks.append(Mark(heard, "piece", dict(self._programme.piece(bar.piece))))
            self._engine.remember(self._programme)
        first = bar.start_frame + LATENCY
        self._beats.extend(first + round(n * bar.frames / bar.beats) for n in range(bar.beats))

    def _advance_to(self, position: int, steers: Sequence[Sequence[Any]]) -> None:
        """Go on from a checkpoint at an earlier frame: render its bar, skip what was read, steer as was steered."""
        skip = position - self._position
        if skip > 0 or steers:
            self._render()
            if not 0 <= skip <= len(self._ready):
                raise SnapshotError(f"snapshot: position {position} lies outside of its bar")
            for called_at, prompt, over_s in steers:
                self._skip_to(called_at)
                self.steer(prompt, over_s)
            self._skip_to(position)

    def _skip_to(self, position: int) -> None:
        """Drop what is rendered up to a frame of this bar."""
        self._ready = self._ready[position - self._position :]
        self._position = position

    def _steers_in(self, checkpoint: Checkpoint, at: int) -> list[_Steer]:
        """The steers in the bar of a checkpoint that were called up to frame ``at``."""
        return [s for s in self._steers if s.bar_frame == checkpoint.frame and s.called_at <= at]

    def _bar_anew(self, steer: _Steer) -> Samples | None:
        """The rest of the bar that plays, composed with all its steers; None where it would have another length.

        Composition and sound go on from the new bar.
        """
        checkpoint, end = self._ring[-1], self._renderer.state.frame
        programme = Programme.restore(checkpoint.programme)
        for earlier in (*self._steers_in(checkpoint, self._position), steer):
            programme.steer(earlier.prompt, earlier.over_s)
        bar = programme.next_bar()
        if bar is None or checkpoint.frame + bar.frames != end:
            return None
        renderer = Renderer(self.request.seed, self._engine.cache, checkpoint.sound)
        samples = _faded(renderer.render(bar), checkpoint.frame, self.total_frames)
        self._programme, self._renderer = programme, renderer
        return samples[len(samples) - len(self._ready) :].copy()

    def _checkpoint(self, at_frame: int | None) -> tuple[int, Checkpoint]:
        at = self._position if at_frame is None else at_frame
        if at == self._renderer.state.frame:
            return at, Checkpoint(at, self._programme.state(), self._renderer.state)
        for checkpoint in reversed(self._ring):
            if checkpoint.frame <= at <= self._position:
                return at, checkpoint
        first = self._ring[0].frame if self._ring else self._position
        raise SnapshotError(f"at_frame: got {at}; allowed: {first} to {self._position}")

    def _check_open(self) -> None:
        if self._closed or self._engine.closed:
            raise StreamClosed("the stream was closed")


def _frames(request: Request) -> int:
    if request.duration_s is None:
        raise InvalidInput("duration_s", None, "a length in seconds: this needs music that ends")
    return round(request.duration_s * RATE)


def _faded(samples: Samples, start: int, total: int | None) -> Samples:
    """A block that begins at frame ``start`` of music that ends at ``total``: its end is faded out, never cut off."""
    if total is None:
        return samples
    fade = min(round(END_FADE_S * RATE), total // 4)
    if start + len(samples) <= total - fade:
        return samples
    left = np.clip((total - np.arange(start, start + len(samples)) - 0.5) / fade, 0.0, 1.0)
    return samples * np.sin(0.5 * np.pi * left).astype(np.float32)[:, None]
