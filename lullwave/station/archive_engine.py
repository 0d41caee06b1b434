"""An engine that plays clips of the archive: each once, in an order that varies, crossfaded.

A stream ends when every clip has been played; the next one plays all of them again. Streams can be restored as long
as their clips are on disk.
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
from .crossfade import CHOICE_S, COMPARED_S, CROSSFADE_S, choose_join, equal_power, latest_join
from .reserve import Block, Reserve

MAX_CLIPS = 240  # in one stream
SKIP_S = 4.0  # of a clip that may be dropped to match loudness: clips begin anywhere in a piece
_TAIL_S = COMPARED_S + CHOICE_S + CROSSFADE_S  # the end of a clip in which the next one may begin
_VERSION = 2  # of snapshots

log = logging.getLogger(__name__)


class ArchiveEngine(Engine):
    """Plays what was on air earlier. Thread-safe."""

    name: ClassVar[str] = REPLAYED
    summary: ClassVar[str] = "clips that were on air earlier"
    rate = RATE
    channels = CHANNELS

    def __init__(self, store: ClipStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._played: set[str] = set()  # digests

    def clips_left(self) -> bool:
        """Whether there is a clip to play."""
        return bool(self._store.digests())

    def open(self, request: Request, **audio_prompts: Audio) -> ArchiveStream:
        return ArchiveStream(self, request, self._order(request.seed))

    def restore(self, snapshot: bytes) -> ArchiveStream:
        try:
            state = json.loads(snapshot)
            if state["recycled"] != _VERSION:
                raise SnapshotError(f"archive snapshot of version {state['recycled']!r}; allowed: {_VERSION}")
            stream = ArchiveStream(self, Request(state["prompt"], state["seed"]), state["order"], exact=True)
            stream.skip_to(state["position"])
        except (ValueError, KeyError, TypeError) as error:
            raise SnapshotError(f"not an archive snapshot: {error}") from error
        return stream

    def note_played(self, digest: str) -> None:
        """Note that a clip begins: it is not played again until all others were."""
        with self._lock:
            self._played.add(digest)

    def _order(self, seed: int) -> list[str]:
        """The clips that were not played yet, shuffled; the newest, which was on air just now, comes last."""
        with self._lock:
            stored = self._store.digests()
            self._played &= set(stored)
            if len(self._played) == len(stored):
                self._played = set()
            left = [digest for digest in stored if digest not in self._played]
        newest = left[-1:] if left and left[-1] == stored[-1] else []
        older = left[: len(left) - len(newest)]
        random.Random(f"{seed} {len(stored)} {len(left)}").shuffle(older)
        return [*older[:MAX_CLIPS], *newest]

    def clip(self, digest: str) -> tuple[Samples, ClipInfo]:
        """A clip without the fades at its ends, (T, 2), and its info.

        Raises:
            SnapshotError: it is not on disk any more, or damaged.
        """
        try:
            data, info = self._store.read(digest)
            sound = decode(data)
        except (NotFound, CodecError, OSError) as error:
            raise SnapshotError(f"clip {digest} cannot be read: {error}") from error
        if sound.rate != RATE or sound.channels != CHANNELS:
            raise SnapshotError(
                f"clip {digest} has {sound.rate} Hz and {sound.channels} channels; allowed: {RATE} Hz and {CHANNELS}"
            )
        fade = round(FADE_S * RATE)
        return sound.samples[fade:-fade], info.shifted(-fade)


class ArchiveStream(Stream):
    """Clips one after another, each decoded when it is needed. One thread."""

    rate = RATE
    channels = CHANNELS

    def __init__(self, engine: ArchiveEngine, request: Request, order: Sequence[str], exact: bool = False) -> None:
        self.request = request
        self._engine = engine
        self._order = tuple(order)
        self._coming = deque(order)
        self._exact = exact  # a missing clip is an error, not left out
        self._position = 0
        self._rendered = 0  # frames, read or ready
        self._ready: Samples = np.zeros((0, CHANNELS), np.float32)
        self._tail: Samples = np.zeros((0, CHANNELS), np.float32)  # of the last clip, for the crossfade
        self._tail_beats: list[int] = []  # in frames of the tail
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
        """Continue from a later frame.

        Raises:
            SnapshotError: the stream is shorter.
        """
        if self.read(frame).frames < frame:
            raise SnapshotError(f"archive stream: got frame {frame}; allowed: up to {self._position}")

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
        """Add the next clip to ``_ready``, except for its tail; False after the last one."""
        if not self._coming:
            ended = not len(self._tail)
            self._add(self._tail)
            self._tail = self._tail[:0]
            return not ended
        digest = self._coming.popleft()
        try:
            samples, info = self._engine.clip(digest)
        except SnapshotError as error:
            if self._exact:
                raise
            log.info("skipping a clip: %s", error)
            return True
        self._engine.note_played(digest)
        start, overlap = self._join(samples, info.beats)
        begin = self._rendered - overlap
        self._marks.append(Mark(begin, "piece", {**info.data, "frames": len(samples) - start}))
        self._beats += [begin + beat - start for beat in info.beats if start <= beat < len(samples)]
        until = max(start + overlap, len(samples) - round(_TAIL_S * RATE))
        self._tail = samples[until:]
        self._tail_beats = [beat - until for beat in info.beats if until <= beat < len(samples)]
        self._add(samples[start + overlap : until])
        return True

    def _join(self, samples: Samples, beats: Sequence[int]) -> tuple[int, int]:
        """Crossfade from the tail into ``samples``; returns its first frame used, and the length of the crossfade."""
        if not len(self._tail):
            return 0, 0
        before = Reserve()
        before.append(Block(0, self._tail, beats=tuple(self._tail_beats)))
        music = Block(0, samples, beats=tuple(beat for beat in beats if beat >= 0))
        at, start = choose_join(before, latest_join(before), music, round(SKIP_S * RATE))
        overlap = min(round(CROSSFADE_S * RATE), len(self._tail) - at, len(samples) - start)
        self._add(self._tail[:at])
        rise, fall = equal_power(overlap)
        self._add(self._tail[at : at + overlap] * fall + samples[start : start + overlap] * rise)
        return start, overlap

    def _add(self, samples: Samples) -> None:
        self._ready = np.concatenate([self._ready, samples])
        self._rendered += len(samples)
