"""Clips of the library as an engine: each once, in an order that varies, joined as music; knows no station.

A stream ends when every clip was heard; the next one begins with all of them again. It can be made again as long as
its clips are kept.
"""

from __future__ import annotations

import json
import logging
import random
import threading
from collections import deque
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ..archive.clip_recorder import FADE_S
from ..archive.clips import REPLAYED, ClipInfo, ClipStore
from ..audio import Audio, Samples
from ..codecs import decode
from ..engines.base import Engine, Mark, Stream
from ..errors import CodecError, NotFound, SnapshotError, StreamClosed
from ..request import Request
from .adapter import CHANNELS, RATE
from .crossfade import CHOICE_S, COMPARED_S, CROSSFADE_S, choose_join, latest_join
from .reserve import Block, Reserve

MOST = 240  # clips in one stream
SKIP_S = 4.0  # of a clip that may be left out, so that it is as loud as what it follows: it begins anywhere in a piece
_TAIL_S = COMPARED_S + CHOICE_S + CROSSFADE_S  # of a clip in which the next one may begin
_VERSION = 2

log = logging.getLogger(__name__)


class ArchiveEngine(Engine):
    """Plays what was on air earlier. Thread-safe."""

    name: ClassVar[str] = REPLAYED
    summary: ClassVar[str] = "clips that were on air earlier"
    rate = RATE
    channels = CHANNELS

    def __init__(self, shelf: ClipStore) -> None:
        self._shelf = shelf
        self._lock = threading.Lock()
        self._heard: set[str] = set()  # digests

    def clips_left(self) -> bool:
        """Whether there is a clip to play."""
        return bool(self._shelf.digests())

    def open(self, request: Request, **audio_prompts: Audio) -> ArchiveStream:
        return ArchiveStream(self, request, self._order(request.seed))

    def restore(self, snapshot: bytes) -> ArchiveStream:
        try:
            state = json.loads(snapshot)
            if state["recycled"] != _VERSION:
                raise SnapshotError(f"recycled music of version {state['recycled']!r}; this is version {_VERSION}")
            stream = ArchiveStream(self, Request(state["prompt"], state["seed"]), state["order"], exact=True)
            stream.skip_to(state["position"])
        except (ValueError, KeyError, TypeError) as error:
            raise SnapshotError(f"no snapshot of recycled music: {error}") from error
        return stream

    def heard(self, digest: str) -> None:
        """A clip begins; it does not come again until all others were heard."""
        with self._lock:
            self._heard.add(digest)

    def _order(self, seed: int) -> list[str]:
        """The clips that were not heard yet, shuffled, the one that was on air just now last."""
        with self._lock:
            kept = self._shelf.digests()
            self._heard &= set(kept)
            if len(self._heard) == len(kept):
                self._heard = set()
            left = [digest for digest in kept if digest not in self._heard]
        newest = left[-1:] if left and left[-1] == kept[-1] else []
        older = left[: len(left) - len(newest)]
        random.Random(f"{seed} {len(kept)} {len(left)}").shuffle(older)
        return [*older[:MOST], *newest]

    def clip(self, digest: str) -> tuple[Samples, ClipInfo]:
        """The sound of a clip without the fades at its ends, and what is known of it.

        Raises:
            SnapshotError: it is not kept any more, or damaged.
        """
        try:
            data, past = self._shelf.read(digest)
            sound = decode(data)
        except (NotFound, CodecError, OSError) as error:
            raise SnapshotError(f"the clip {digest} is not kept any more: {error}") from error
        if sound.rate != RATE or sound.channels != CHANNELS:
            raise SnapshotError(f"the clip {digest} has {sound.rate} Hz and {sound.channels} channels")
        fade = round(FADE_S * RATE)
        return sound.samples[fade:-fade], past.later(-fade)


class ArchiveStream(Stream):
    """Clips one after another, decoded when their turn comes."""

    rate = RATE
    channels = CHANNELS

    def __init__(self, engine: ArchiveEngine, request: Request, order: Sequence[str], exact: bool = False) -> None:
        self.request = request
        self._engine = engine
        self._order = tuple(order)
        self._coming = deque(order)
        self._exact = exact  # a clip that is not kept any more is an error, not left out
        self._position = 0
        self._made = 0  # frames that are ready or were read
        self._ready: Samples = np.zeros((0, CHANNELS), np.float32)
        self._tail: Samples = np.zeros((0, CHANNELS), np.float32)  # of the last clip, for the crossfade
        self._tail_beats: list[int] = []  # in it
        self._marks: list[Mark] = []
        self._beats: list[int] = []
        self._closed = False

    @property
    def position(self) -> int:
        return self._position

    def read(self, frames: int) -> Audio:
        if self._closed:
            raise StreamClosed("the stream was closed")
        while len(self._ready) < frames and self._next_clip():
            pass
        samples, self._ready = self._ready[:frames], self._ready[frames:]
        self._position += len(samples)
        return Audio(samples, RATE)

    def skip_to(self, frame: int) -> None:
        """Go on from a later frame."""
        if self.read(frame).frames < frame:
            raise SnapshotError(f"recycled music: got frame {frame}; allowed: up to {self._position}")

    def snapshot(self, at_frame: int | None = None) -> bytes:
        at = self._position if at_frame is None else at_frame
        state = {
            "recycled": _VERSION,
            "prompt": self.request.prompt,
            "seed": self.request.seed,
            "order": self._order,
            "position": at,
        }
        return json.dumps(state).encode()

    def marks(self, start: int, stop: int) -> list[Mark]:
        return [mark for mark in self._marks if start <= mark.frame < stop]

    def beats(self, start: int, stop: int) -> list[int]:
        return [beat for beat in self._beats if start <= beat < stop]

    def close(self) -> None:
        self._closed = True

    def _next_clip(self) -> bool:
        """One more clip into ``_ready``, all but the end of it that the next one is faded into."""
        if not self._coming:
            ended = not len(self._tail)
            self._add(self._tail)
            self._tail = self._tail[:0]
            return not ended
        digest = self._coming.popleft()
        try:
            samples, past = self._engine.clip(digest)
        except SnapshotError as error:
            if self._exact:
                raise
            log.info("a clip is left out: %s", error)
            return True
        self._engine.heard(digest)
        start, overlap = self._join(samples, past.beats)
        begin = self._made - overlap
        self._marks.append(Mark(begin, "piece", {**past.data, "frames": len(samples) - start}))
        self._beats += [begin + beat - start for beat in past.beats if start <= beat < len(samples)]
        until = max(start + overlap, len(samples) - round(_TAIL_S * RATE))
        self._tail = samples[until:]
        self._tail_beats = [beat - until for beat in past.beats if until <= beat < len(samples)]
        self._add(samples[start + overlap : until])
        return True

    def _join(self, samples: Samples, beats: Sequence[int]) -> tuple[int, int]:
        """Fade the end of the clip before into ``samples``; gives from which frame on, and how many are used up."""
        if not len(self._tail):
            return 0, 0
        before = Reserve()
        before.append(Block(0, self._tail, beats=tuple(self._tail_beats)))
        music = Block(0, samples, beats=tuple(beat for beat in beats if beat >= 0))
        at, start = choose_join(before, latest_join(before), music, round(SKIP_S * RATE))
        overlap = min(round(CROSSFADE_S * RATE), len(self._tail) - at, len(samples) - start)
        self._add(self._tail[:at])
        angle = 0.5 * np.pi * (np.arange(overlap) + 0.5) / max(overlap, 1)
        rise, fall = np.sin(angle)[:, None].astype(np.float32), np.cos(angle)[:, None].astype(np.float32)
        self._add(self._tail[at : at + overlap] * fall + samples[start : start + overlap] * rise)
        return start, overlap

    def _add(self, samples: Samples) -> None:
        self._ready = np.concatenate([self._ready, samples])
        self._made += len(samples)
