"""The chunks of a station at one bit rate with the connections that receive them, and the low bit rate on request."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ...audio import Audio, Samples
from ...ring import Ring
from ...settings import Settings
from ...station import CHUNK_S, RATE, Chunk, ChunkEncoder, PlayoutStep
from .fanout import Fanout

LOW_KBPS = 64  # of the stream for slow networks


class AudioFeed:
    """The newest chunks of a station at ``kbps``, written to every connection. Event loop only, but for ``publish``."""

    def __init__(self, settings: Settings, kbps: int, on_drop: Callable[[], None]) -> None:
        self.kbps = kbps
        self.chunks: Ring[Chunk] = Ring(max(8, round(settings.ring_s / CHUNK_S)), asyncio.get_running_loop())
        self.fanout = Fanout(self.chunks, settings.stall_s, on_drop)
        self._burst_s = settings.burst_s
        self._begin = 0  # number of the first chunk that new listeners may get

    def burst_start(self, burst_s: float | None = None) -> int:
        """The number of the first chunk for a new listener, at most ``burst_s`` (or the setting) before the newest."""
        newest = self.chunks.newest()
        if newest is None:
            return self.chunks.end
        end = newest.frame + newest.frames
        burst_frames = round(min(self._burst_s, burst_s or self._burst_s) * RATE)
        return max(self._begin, self.chunks.since(lambda chunk: end - chunk.frame <= burst_frames))

    def cut(self) -> None:
        """Give new listeners nothing of what was published so far: what follows does not continue it."""
        self._begin = self.chunks.end

    def close(self) -> None:
        """End every reader, and stop checking for stalled connections."""
        self.chunks.close()
        self.fanout.close()


class LowFeed:
    """A station at ``LOW_KBPS``, encoded only while somebody listens to it, by one encoder for all of them.

    Event loop only, except for ``add``, which the playout thread calls.
    """

    def __init__(self, settings: Settings, on_drop: Callable[[], None]) -> None:
        self._settings = settings
        self._on_drop = on_drop
        self._listeners = 0
        self._feed: AudioFeed | None = None  # while there are listeners
        self._encoding: tuple[AudioFeed, ChunkEncoder] | None = None  # playout thread
        past = max(1, math.floor(settings.burst_s / CHUNK_S))
        self._recent: deque[tuple[int, Samples]] = deque(maxlen=past)  # (station frame, (T, 2)); playout thread

    @property
    def active(self) -> bool:
        """Tell whether the low bit rate is encoded now."""
        return self._feed is not None

    @contextmanager
    def listening(self) -> Iterator[AudioFeed]:
        """The chunks while the block runs; the encoder ends with its last listener."""
        feed = self._feed = self._feed or AudioFeed(self._settings, LOW_KBPS, self._on_drop)
        self._listeners += 1
        try:
            yield feed
        finally:
            self._listeners -= 1
            if not self._listeners:
                self._feed = None
                feed.close()

    def add(self, step: PlayoutStep) -> None:
        """Encode what a step put on air; a new encoder begins with the last ``burst_s``. Playout thread."""
        newest = (step.mastered_frame, step.mastered)
        jumped = not follows(self._recent, step.mastered_frame)
        if jumped:
            self._recent.clear()
        self._recent.append(newest)
        feed = self._feed
        if feed is None:
            self._encoding = None
            return
        sounds = [newest]
        other = self._encoding is None or self._encoding[0] is not feed
        if other or jumped:
            sounds = list(self._recent)
            count = 0 if other or self._encoding is None else self._encoding[1].count
            self._encoding = feed, ChunkEncoder(LOW_KBPS, sounds[0][0], count)
        assert self._encoding is not None
        for _, samples in sounds:
            chunk = self._encoding[1].encode(Audio(samples, RATE))
            if chunk is not None:
                feed.chunks.publish(chunk)

    def close(self) -> None:
        """End every connection."""
        if self._feed is not None:
            self._feed.close()


def follows(recent: Sequence[tuple[int, Samples]], frame: int) -> bool:
    """Tell whether sound that begins at a station frame follows the last (station frame, sound) without a gap."""
    return not recent or recent[-1][0] + len(recent[-1][1]) == frame
