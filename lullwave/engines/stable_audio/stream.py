"""An endless stream: every window of latents continues those before it, and the sound is decoded from all of them.

Nothing is joined in the sound: a window is painted with the last latents as known (the inpainting conditioning of the
model), and the sound of each latent is decoded with the neighbours that it depends on, across the borders of windows.
While a window is heard, the next one is painted; a change of prompt drops it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
import torch

from ...audio import Audio
from ...errors import SnapshotError, StreamClosed
from ..base import BlockStream, Mark, Understanding, check_over_s
from ..batching import Job
from ..steers import Steer, shares
from . import snapshot as snapshots
from .noise import latent_noise
from .options import StableAudioOptions
from .pipeline import Config, Decode, Paint, Work
from .snapshot import State
from .track import Latents, Track

StudioJob = Job[Work, Config, torch.Tensor]

DECODED = 48  # latents of a stream whose sound is made at a time, at most: 4.5 s; more would have to be painted before
DECODED_OF_CLIP = 96  # of a clip in one window, all of which is painted before: less is wasted on context
REWINDABLE_S = 60.0  # seconds that snapshots reach back


class Studio(Protocol):
    """What a stream needs of the engine."""

    rate: int
    channels: int
    hop: int  # frames per latent
    size: int  # channels of a latent
    lookahead: int  # latents on each side that the sound of a latent depends on
    model: str  # weights, precision, kernels and kind of device

    def begin(self, work: Work, config: Config) -> StudioJob:
        """Queue a piece of work, batched with that of other streams.

        A first window interrupts other windows, and decoding interrupts every window.

        Raises:
            StreamClosed: the engine closed.
        """

    def result(self, job: StudioJob, closed: threading.Event) -> torch.Tensor:
        """The result of a piece of work; see ``Pipeline.make``.

        Raises:
            StreamClosed: ``closed`` was set, or the engine closed.
        """

    def work(self, work: Work, config: Config, closed: threading.Event) -> torch.Tensor:
        """``begin`` a piece of work and wait for its ``result``."""

    def config(self, options: StableAudioOptions, strength: float = 1.0) -> Config:
        """How to paint, with the checkpoint's defaults for what the options leave open."""

    def understand(self, prompt: str) -> Understanding:
        """What the engine makes of a prompt."""


@dataclass(frozen=True)
class _Ahead:
    """A window that is being painted: ``kept`` latents after ``context`` known ones."""

    kept: int
    context: int
    job: StudioJob


class StableAudioStream(BlockStream):
    """A stream of one request. Snapshots reach a minute back. One thread, except ``close``."""

    def __init__(self, studio: Studio, config: Config, state: State, restore: Callable[[bytes], StableAudioStream]):
        super().__init__(state.request, studio.rate, studio.channels, state.position)
        self._studio, self._config, self._restore = studio, config, restore
        self._lengths, self._first_steps = state.lengths, state.first_steps
        self._steers = list(state.steers)
        self._track = Track(list(state.windows))
        self._track.trimmed = state.trimmed
        self._ahead: _Ahead | None = None
        self._ended = threading.Event()

    def next_block(self) -> Audio:
        hop, ahead = self._studio.hop, self._studio.lookahead
        first, last = self._decoded_with(self.frames_made // hop)
        needed = last + ahead if self._total is None else min(last + ahead, self._total)
        if self._track.made >= needed:  # after a change of prompt nothing is being painted yet
            self._paint_ahead()
        while self._track.made < needed:
            self._paint()
        left, right = min(ahead, first - self._track.begin), min(ahead, self._track.made - last)
        latents = torch.from_numpy(self._track.latents(first - left, last + right))
        sound = self._studio.result(self._studio.begin(Decode(latents, left, right), self._config), self._ended)
        self._paint_ahead()
        samples = sound.numpy().T[self.frames_made - first * hop :]
        return Audio(np.ascontiguousarray(samples), self.rate)

    def steer(self, prompt: str, over_s: float = 8.0) -> Understanding:
        self._check_open()
        understood = self._studio.understand(prompt)
        check_over_s(over_s)
        self.discard_unread()
        self._drop_ahead()
        self._steers.append(Steer(self.position, prompt, over_s))
        self._track.cut(self._heard_from(self.position), self.position)
        return understood

    def snapshot(self, at_frame: int | None = None) -> bytes:
        self._check_open()
        at = self.position if at_frame is None else at_frame
        hop, ahead = self._studio.hop, self._studio.lookahead
        oldest = -(-(self._track.begin + ahead) // self._decoded) * self._decoded * hop if self._track.trimmed else 0
        if not oldest <= at <= self.position:
            raise SnapshotError(f"at_frame: got {at}; allowed: from {oldest} to {self.position}")
        steers = [steer for n, steer in enumerate(self._steers) if n == 0 or steer.frame <= at]
        first = at // hop // self._decoded * self._decoded - max(ahead, self._lengths.context)
        windows = self._track.as_before(at, len(steers), first)
        trimmed = self._track.trimmed or first > self._track.begin
        state = State(self._studio.model, self.request, at, self._lengths, self._first_steps, steers, windows, trimmed)
        return snapshots.pack(state)

    def fork(self, at_frame: int | None = None) -> StableAudioStream:
        return self._restore(self.snapshot(at_frame))

    def marks(self, start: int, stop: int) -> Sequence[Mark]:
        prompt = self._steers[0].prompt
        every = [Mark(0, "piece", {"title": prompt or "Stable Audio", "prompt": prompt})]
        every += [Mark(steer.frame, "steer", {"prompt": steer.prompt}) for steer in self._steers[1:]]
        return [mark for mark in every if start <= mark.frame < stop]

    def close(self) -> None:
        super().close()
        self._ended.set()
        self._drop_ahead()

    @property
    def _total(self) -> int | None:
        """Latents of a finite stream."""
        return None if self.total_frames is None else -(-self.total_frames // self._studio.hop)

    @property
    def _decoded(self) -> int:
        """Latents whose sound is made at a time, at most."""
        clip = self._total is not None and self._total <= self._lengths.whole
        return DECODED_OF_CLIP if clip else DECODED

    def _decoded_with(self, latent: int) -> tuple[int, int]:
        """The range of latents whose sound is made together with that of ``latent``.

        It depends only on the latent's number and on the changes of prompt before it. So every reader gets the same
        samples to the bit, wherever it begins. A range ends where the decoder has all of a first window that it can
        have: the window is then heard before the next one is made.
        """
        first, hop = self._lengths.first, self._studio.hop
        begins = [-(-steer.frame // hop) for steer in self._steers[1:]]  # from here on the new prompt may be heard
        borders = [border for begin in begins for border in (begin - 1, begin, begin + first)]
        if self._total is None or self._total > self._lengths.whole:
            borders.append(first - self._studio.lookahead)
        start = latent // self._decoded * self._decoded
        stop = start + self._decoded if self._total is None else min(start + self._decoded, self._total)
        start = max([start, *(border for border in borders if border <= latent)])
        return start, min([stop, *(border for border in borders if border > latent)])

    def _heard_from(self, frame: int) -> int:
        """The first latent that a change of prompt at ``frame`` may change: no earlier sample depends on it."""
        return -(-frame // self._studio.hop) + self._studio.lookahead if frame else 0

    def _paint(self) -> None:
        """Append the next window."""
        self._paint_ahead()
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            raise StreamClosed("the stream was closed")
        painted: Latents = self._studio.result(ahead.job, self._ended).numpy()
        self._check_open()
        self._track.add(painted[:, ahead.context : ahead.context + ahead.kept].copy(), len(self._steers))
        oldest = int((self.position - REWINDABLE_S * self.rate) // self._studio.hop)
        self._track.trim(oldest - self._decoded - max(self._studio.lookahead, self._lengths.context))

    def _paint_ahead(self) -> None:
        """Begin the next window, unless it has begun or the stream needs no more."""
        studio, track, lengths = self._studio, self._track, self._lengths
        if self._ahead is not None or (self._total is not None and track.made >= self._total):
            return
        start, hop = track.made, studio.hop
        begun = min(start, self._heard_from(self._steers[-1].frame)) if len(self._steers) > 1 else 0
        kept, dropped = lengths.next(start, begun, self._total)
        context = min(lengths.context, start - track.begin)
        length = context + kept + dropped
        known = mask = None
        if context:
            known, mask = torch.zeros(studio.size, length), torch.zeros(length)
            known[:, :context] = torch.from_numpy(track.latents(start - context, start))
            mask[:context] = 1.0
        whole = self._total is not None and length == self._total
        first = start == begun and dropped > 0  # a clip in one go is none
        paint = Paint(
            prompts=shares(self._steers, (start + kept // 2) * hop, self.rate),
            length=length,
            noise=partial(latent_noise, self.request.seed, first=start - context, count=length, size=studio.size),
            told_s=self.request.duration_s if whole and self.request.duration_s else length * hop / self.rate,
            known=known,
            mask=mask,
            first=first,
        )
        self._check_open()
        config = self._config
        if first:
            config = replace(config, steps=min(config.steps, self._first_steps))
        self._ahead = _Ahead(kept, context, studio.begin(paint, config))
        if self._closed:  # just now, by another thread
            self._drop_ahead()

    def _drop_ahead(self) -> None:
        """Give up the window that is being painted."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.job.cancel()

    def _check_open(self) -> None:
        if self._closed:
            raise StreamClosed("the stream was closed")
