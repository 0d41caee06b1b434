"""The synth's streams: composer and renderer joined into the streams of ``lullwave.engines.base``.

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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...audio import Audio, Samples
from ...errors import EngineFailed, InvalidInput, LullwaveError, SnapshotError, StreamClosed
from ...request import Request
from ..base import Mark, Stream, Understanding, check_over_s
from . import snapshots
from .looping import loop_bars, render_loop
from .programme import Programme
from .score import LOOKAHEAD_S, RATE, Bar
from .sound.renderer import LATENCY, Renderer, RendererState
from .sound.stems import StemsRenderer, StemsState, stem_names

if TYPE_CHECKING:
    from .engine import SynthEngine

REWINDABLE_S = 100.0
_AHEAD = round(LOOKAHEAD_S * RATE)
_REMEMBERED_S = 900.0  # seconds for which marks and beats are kept after they were read
_REST_FRAMES = 2 * RATE  # after the last bar, tails are rendered in blocks of this length
END_FADE_S = 0.6
_CUT_FRAMES = 1323  # 30 ms: crossfade from a bar to the same bar as it was steered


@dataclass(frozen=True)
class Checkpoint:
    """The state of composition and sound before the bar that begins at ``frame``."""

    frame: int
    programme: Mapping[str, Any]
    sound: RendererState | StemsState


@dataclass(frozen=True)
class _Steer:
    """A call of ``steer``."""

    bar_frame: int  # at which the bar that was playing began
    called_at: int  # the stream's position
    prompt: str
    over_s: float


class SynthStream(Stream):
    """One programme, rendered bar by bar."""

    rate = RATE
    channels = 2

    def __init__(
        self, engine: SynthEngine, request: Request, programme: Programme, sound: RendererState | StemsState
    ) -> None:
        self.request = request
        self._engine = engine
        self._programme = programme
        self._renderer = self._renderer_from(sound)
        self._position = sound.frame
        self._ready: Samples = np.zeros((0, self.channels), np.float32)  # rendered and not yet read
        self._ring: deque[Checkpoint] = deque()
        self._steers: deque[_Steer] = deque()
        self._marks: deque[Mark] = deque()
        self._beats: deque[int] = deque()
        self._waiting: list[str] = []  # prompts steered to, heard within the current bar
        self._closed = False
        self._bar: Bar | None = None  # the last one that was rendered
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
        return Audio(np.concatenate(parts) if parts else np.zeros((0, self.channels), np.float32), RATE)

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
        assert isinstance(checkpoint.sound, RendererState)
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

    def stems(self, frames: int) -> Iterator[Mapping[str, Audio]]:
        """See ``Stream.stems``. What still rings of music before the bar that plays is a stem of its own, ``EARLIER``.

        Raises:
            InvalidInput: a loop has no stems.
        """
        self._check_open()
        if self.loops:
            raise InvalidInput("options.loop", True, "false: stems are not wrapped at the seam")
        at, checkpoint = self._checkpoint(None)
        assert isinstance(checkpoint.sound, RendererState)
        steers = self._steers_in(checkpoint, at)
        versions = [self._composed(checkpoint, steers[:n])[1] for n in range(len(steers) + 1)]
        bars = [bar for bar in versions if bar is not None] + [bar for bar, _ in self._bars_to(at + frames)]
        names = stem_names(checkpoint.sound, bars, (at + frames - LATENCY) / RATE)
        programme = Programme.restore(checkpoint.programme)
        branch = _StemsStream(self._engine, self.request, programme, checkpoint.sound, names)
        branch._advance_to(at, [(s.called_at, s.prompt, s.over_s) for s in steers])
        return branch.blocks(frames)

    def passage(self, frames: int) -> list[tuple[Bar, Mapping[str, Any]]]:
        """The bars that are heard in the next ``frames`` frames, the first and last cut, each with its piece's facts.

        The first begins with a rest where a bar of which nothing is known still sounds (less than ``LATENCY``).
        """
        low, high = self._position - LATENCY, self._position + frames - LATENCY
        heard: list[tuple[Bar, Mapping[str, Any]]] = []
        for bar, facts in self._bars_to(self._position + frames):
            begin = max(0, low - bar.start_frame) if heard else low - bar.start_frame
            end = min(bar.frames, high - bar.start_frame)
            if begin < end:
                heard.append((bar.part(begin, end), facts))
        return heard

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
            self._bar = bar
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
        programme, bar = self._composed(checkpoint, [*self._steers_in(checkpoint, self._position), steer])
        if bar is None or checkpoint.frame + bar.frames != end:
            return None
        renderer = self._renderer_from(checkpoint.sound)
        samples = _faded(renderer.render(bar), checkpoint.frame, self.total_frames)
        self._programme, self._renderer, self._bar = programme, renderer, bar
        return samples[len(samples) - len(self._ready) :].copy()

    def _composed(self, checkpoint: Checkpoint, steers: Sequence[_Steer]) -> tuple[Programme, Bar | None]:
        """The bar after a checkpoint as these steers change it, and the programme after it."""
        programme = Programme.restore(checkpoint.programme)
        for steer in steers:
            programme.steer(steer.prompt, steer.over_s)
        return programme, programme.next_bar()

    def _bars_to(self, end: int) -> Iterator[tuple[Bar, Mapping[str, Any]]]:
        """The bar that was rendered last and those that follow and are heard before frame ``end``, with the facts of
        their pieces."""
        if self._bar is not None:
            yield self._bar, self._programme.piece(self._bar.piece)
        ahead = Programme.restore(self._programme.state())
        while (bar := ahead.next_bar()) is not None and bar.start_frame + LATENCY - _AHEAD < end:
            yield bar, ahead.piece(bar.piece)

    def _renderer_from(self, sound: RendererState | StemsState) -> Renderer | StemsRenderer:
        assert isinstance(sound, RendererState)
        return Renderer(self.request.seed, self._engine.cache, sound)

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


class _StemsStream(SynthStream):
    """The stems of a stream side by side: two channels for each of ``names``."""

    def __init__(
        self, engine: SynthEngine, request: Request, programme: Programme, sound: RendererState, names: Sequence[str]
    ) -> None:
        self._names, self.channels = names, 2 * len(names)
        super().__init__(engine, request, programme, sound)

    def blocks(self, frames: int) -> Iterator[Mapping[str, Audio]]:
        """The next ``frames`` frames in blocks of a second at most, stem by stem."""
        while frames > 0 and (block := self.read(min(RATE, frames))).frames:
            frames -= block.frames
            yield {name: Audio(block.samples[:, 2 * n : 2 * n + 2], RATE) for n, name in enumerate(self._names)}

    def _renderer_from(self, sound: RendererState | StemsState) -> StemsRenderer:
        return StemsRenderer(self.request.seed, self._engine.cache, sound, self._names)


def _faded(samples: Samples, start: int, total: int | None) -> Samples:
    """A block that begins at frame ``start`` of music that ends at ``total``: its end is faded out, never cut off."""
    if total is None:
        return samples
    fade = min(round(END_FADE_S * RATE), total // 4)
    if start + len(samples) <= total - fade:
        return samples
    left = np.clip((total - np.arange(start, start + len(samples)) - 0.5) / fade, 0.0, 1.0)
    return samples * np.sin(0.5 * np.pi * left).astype(np.float32)[:, None]
