"""The output of a station: masters and encodes its music block by block, into numbered chunks of MP3.

An output can go on where another one stopped (``OutputPoint``), in another process, say. Knows neither the clock nor
listeners.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..audio import Audio, Samples
from ..codecs import Mp3Encoder, mp3_frames, muted
from ..codecs.mp3 import MUTED_LEAD, MUTED_LEAD_LOW
from ..mastering import Master
from ..mastering.biquads import F64
from ..settings import Settings
from ..storage.packing import Arrays
from .adapter import CHANNELS, RATE

MP3_FRAME = 1152  # samples


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of whole MP3 frames of one encoder."""

    number: int  # counts from 0, whatever encoders take over
    frame: int  # station frame that is heard at its beginning
    frames: int
    data: bytes
    lead: bytes = b""  # silent MP3 frames for a decoder that begins here (see ``codecs.mp3.muted``)
    lead_frames: int = 0  # samples per channel that the lead decodes to


class ChunkEncoder:
    """Encodes an endless run of mastered sound into chunks. One thread.

    ``begin`` is the station frame of the first sample that is given, ``count`` the number of the first chunk.
    """

    def __init__(self, kbps: int, begin: int, count: int = 0) -> None:
        self._mp3 = Mp3Encoder(RATE, CHANNELS, kbps)
        self.next_frame = begin - self._mp3.delay_frames  # station frame with which the next chunk begins
        self._recent: list[bytes] = []  # the last MP3 frames, for the lead of the next chunk
        self._lead = MUTED_LEAD if kbps >= 96 else MUTED_LEAD_LOW
        self._held: list[bytes] = []  # MP3 frames that no chunk has yet
        self._to_drop = self._to_mute = 0  # MP3 frames
        self.count = count  # number of the next chunk

    @classmethod
    def after(cls, kbps: int, recent: Samples, end: int, next_frame: int, count: int) -> ChunkEncoder:
        """An encoder that takes over from one that has had all sound up to station frame ``end``.

        ``recent`` (T, 2) is the end of that sound, at least eight MP3 frames of it. The next chunk has the number
        ``count`` and begins at ``next_frame``; its first MP3 frames are silent, since they would need bits of frames
        before them that no listener has.
        """
        begin = end - len(recent)
        begin += (next_frame + Mp3Encoder.delay_frames - begin) % MP3_FRAME
        encoder = cls(kbps, begin, count)
        encoder._to_drop, odd = divmod(next_frame - encoder.next_frame, MP3_FRAME)
        assert encoder._to_drop >= 0, "the recent sound is too short"
        assert not odd, "both encoders cut the sound into MP3 frames at the same places"
        encoder._to_mute = encoder._lead
        encoder.next_frame = next_frame
        encoder._held = mp3_frames(encoder._mp3.encode(Audio(recent[begin - end :], RATE)))
        return encoder

    def warm(self, sound: Audio) -> None:
        """Encode sound that nobody gets, so that what follows begins as in the middle of a stream."""
        count = self.count
        self.encode(sound)
        self.count = count

    def encode(self, sound: Audio) -> Chunk | None:
        """The chunk that ``sound`` completes; None if it completes no MP3 frame."""
        frames, self._held = [*self._held, *mp3_frames(self._mp3.encode(sound))], []
        dropped, self._to_drop = frames[: self._to_drop], max(0, self._to_drop - len(frames))
        frames = frames[len(dropped) :]
        if dropped:
            self._remember(dropped)
        if not frames:
            return None
        if 0 < len(frames) < self._to_mute:  # together in one chunk
            self._held = frames
            return None
        data = muted(frames[: self._to_mute]) + b"".join(frames[self._to_mute :])
        self._to_mute = 0
        lead, lead_frames = muted(self._recent), len(self._recent) * MP3_FRAME
        self._remember(frames)
        first, length = self.next_frame, len(frames) * MP3_FRAME
        self.next_frame, self.count = first + length, self.count + 1
        return Chunk(self.count - 1, first, length, data, lead, lead_frames)

    def _remember(self, frames: list[bytes]) -> None:
        self._recent = [*self._recent, *frames][-self._lead :]


@dataclass(frozen=True)
class OutputLevels:
    """Bit rate and loudness of a station's output; from the settings."""

    kbps: int = 192
    loudness_lufs: float = -15.0
    ceiling_dbtp: float = -1.0

    @classmethod
    def of(cls, settings: Settings) -> OutputLevels:
        """As the settings say."""
        return cls(settings.bitrate_kbps, settings.loudness_lufs, settings.ceiling_dbtp)


@dataclass(frozen=True)
class OutputPoint:
    """Where an output goes on with what another one has begun."""

    master: Arrays  # state of the master
    frame: int = 0  # station frame of the next sample
    recent: Samples | None = None  # the last mastered sound, (T, 2); None before the first
    next_frame: int = 0  # station frame with which the next chunk begins
    count: int = 0  # number of the next chunk


@dataclass(frozen=True)
class Made:
    """What an output made of a block."""

    mastered: Samples  # (T, 2), as many frames as the block, heard ``latency_frames`` earlier than these
    chunk: Chunk | None  # None if no MP3 frame became complete


class Output:
    """Masters and encodes the music of one station in this process. ``level`` is thread-safe; all else is one thread's.

    The level control begins with ``level``, if that is given.
    """

    def __init__(self, levels: OutputLevels, level: Mapping[str, F64] | None = None) -> None:
        self.levels = levels
        self._master = Master(RATE, CHANNELS, levels.loudness_lufs, levels.ceiling_dbtp)
        self._mastering = threading.Lock()  # guards the master
        if level is not None:
            self._master.set_level(level)
        self.latency_frames = self._master.latency_frames
        self._encoder = ChunkEncoder(levels.kbps, -self.latency_frames)

    @property
    def count(self) -> int:
        """How many chunks there were."""
        return self._encoder.count

    def level(self) -> Mapping[str, F64]:
        """The state of the level control now."""
        with self._mastering:
            return self._master.level()

    def state(self) -> bytes:
        """The state of the master before the next block."""
        with self._mastering:
            return self._master.state()

    def arrays(self) -> Arrays:
        """The same as arrays, which are never written to."""
        with self._mastering:
            return self._master.arrays()

    def restore(self, state: bytes) -> None:
        """Let the master go on from a state.

        Raises:
            SnapshotError
        """
        with self._mastering:
            self._master.restore(state)

    def go_on(self, point: OutputPoint) -> None:
        """Go on with what another output of the same levels has begun."""
        with self._mastering:
            self._master.take_over(point.master)
        if point.recent is not None:
            end = point.frame - self.latency_frames
            self._encoder = ChunkEncoder.after(self.levels.kbps, point.recent, end, point.next_frame, point.count)

    def master(self, samples: Samples) -> Samples:
        """Master the next block, (T, 2), alone."""
        with self._mastering:
            return self._master.process(Audio(samples, RATE)).samples

    def process(self, samples: Samples) -> Made:
        """Master and encode the next block, (T, 2)."""
        mastered = self.master(samples)
        return Made(mastered, self._encoder.encode(Audio(mastered, RATE)))

    def close(self) -> None:
        """Nothing more follows. A second call has no effect."""


OpenOutput = Callable[[OutputLevels, Mapping[str, F64] | None], Output]  # the second: state of the level control
