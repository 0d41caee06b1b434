"""The objects of a station's programme in a store: segments of sound, states to go on from, and the manifest.

Every segment has the same length, so the frame at which it begins follows from its number. Frames count what is heard
since the programme's beginning, whatever process produced it. Knows neither stores nor engines.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from ..audio import Audio
from ..codecs import Tags, decode, encode, tags_of
from ..codecs.tags import MAX_BYTES
from ..errors import CodecError, InvalidInput, SnapshotError, StorageUnavailable
from ..station import CHANNELS, RATE, Event

SEGMENT_S = 2.0
SEGMENT_FRAMES = round(SEGMENT_S * RATE)
_STATE = b"LullSeg1"  # first bytes of a state
_GAP_S = 0.001  # a longer time between two segments is a gap; times of day are rounded


@dataclass(frozen=True)
class Segment:
    """Two seconds of the programme and the events that came with them."""

    number: int
    audio: Audio  # (SEGMENT_FRAMES, 2)
    events: tuple[Event, ...] = ()  # an event may be heard in the beginning of the next segment

    @property
    def frame(self) -> int:
        """The frame at which it begins."""
        return self.number * SEGMENT_FRAMES

    def encode(self) -> bytes:
        """A FLAC file of 16 bits; its comment holds the events as JSON.

        Raises:
            InvalidInput: the sound has another shape, or the events are too long for a comment.
        """
        self.audio.check_shape(RATE, CHANNELS)
        if self.audio.frames != SEGMENT_FRAMES:
            raise InvalidInput("audio", f"{self.audio.frames} frames", f"{SEGMENT_FRAMES} frames")
        comment = json.dumps([[event.kind, event.frame, dict(event.data)] for event in self.events])
        if len(comment) > MAX_BYTES["comment"]:
            raise InvalidInput("events", f"{len(comment)} bytes of JSON", f"at most {MAX_BYTES['comment']}")
        return encode(self.audio, "flac", tags=Tags(comment=comment))

    @classmethod
    def decode(cls, number: int, data: bytes) -> Segment:
        """Parse what ``encode`` made; the samples are exactly those, rounded to 16 bits.

        Raises:
            CodecError: it is damaged.
        """
        audio = decode(data)
        try:
            listed = json.loads(tags_of(data).comment)
            events = tuple(Event(str(kind), int(frame), dict(more)) for kind, frame, more in listed)
        except (ValueError, TypeError) as error:
            raise CodecError(f"segment {number}: its events are damaged ({error})") from None
        if (audio.frames, audio.rate, audio.channels) != (SEGMENT_FRAMES, RATE, CHANNELS):
            raise CodecError(f"segment {number}: {audio.frames} frames, {audio.rate} Hz, {audio.channels} channels")
        return cls(number, audio, events)


@dataclass(frozen=True)
class ProgrammeState:
    """From what the programme can be produced again, sample for sample, from the beginning of a segment on."""

    engine: str
    snapshot: bytes  # of the engine's stream; empty: it has no snapshots
    skip: int  # frames to drop after restoring the snapshot
    master: bytes  # state of the master
    prompt: str = ""  # in force

    def encode(self) -> bytes:
        """Eight bytes that say what it is, the length of a JSON header (4 bytes, little-endian), header, bytes."""
        facts = {"engine": self.engine, "skip": self.skip, "snapshot_bytes": len(self.snapshot), "prompt": self.prompt}
        header = json.dumps(facts).encode()
        return _STATE + len(header).to_bytes(4, "little") + header + self.snapshot + self.master

    @classmethod
    def decode(cls, data: bytes) -> ProgrammeState:
        """Parse what ``encode`` made.

        Raises:
            SnapshotError: it is damaged, or of another version.
        """
        begin = 12 + int.from_bytes(data[8:12], "little")
        try:
            header = json.loads(data[12:begin])
            end = begin + int(header["snapshot_bytes"])
            prompt = str(header.get("prompt", ""))
            found = cls(str(header["engine"]), data[begin:end], int(header["skip"]), data[end:], prompt)
        except (ValueError, KeyError, TypeError) as error:
            raise SnapshotError(f"a damaged state of a programme ({error})") from None
        if data[:8] != _STATE or not begin <= end <= len(data):
            raise SnapshotError("not a state of a programme, or of another version")
        return found


@dataclass(frozen=True)
class Run:
    """The segments that one producer wrote."""

    epoch: int  # of its lease
    first: int  # number of its first segment
    wall: float  # when that segment goes on air, in seconds since 1970; the following ones go on without a gap


@dataclass(frozen=True)
class Manifest:
    """Which segments there are. A segment counts only if the manifest has it."""

    first: int  # number of the oldest segment kept
    next: int  # number of the segment to be written next
    runs: tuple[Run, ...]  # of the segments kept, oldest first; the last one is the producer's
    state: int | None = None  # number of the segment from whose beginning on the latest state goes on
    state_epoch: int = 0  # of the producer that wrote that state
    began: float = 0.0  # when frame 0 went on air, in seconds since 1970; tells it from other programmes of the station

    @property
    def epoch(self) -> int:
        """The producer's."""
        return self.runs[-1].epoch

    def run_of(self, number: int) -> Run:
        """The run that segment ``number`` belongs to."""
        return next(run for run in reversed(self.runs) if run.first <= number)

    def air(self, number: int) -> float:
        """When segment ``number`` goes on air, in seconds since 1970."""
        run = self.run_of(number)
        return run.wall + (number - run.first) * SEGMENT_S

    def frame_air(self, frame: int) -> float:
        """When a frame goes on air, in seconds since 1970."""
        number = frame // SEGMENT_FRAMES
        return self.air(number) + (frame - number * SEGMENT_FRAMES) / RATE

    def aired(self, wall: float) -> int:
        """The frame before which everything has been on air at a time of day (seconds since 1970)."""
        frame = self.frame_at(wall)
        if frame is not None:
            return frame
        return (self.first if wall < self.air(self.first) else self.next) * SEGMENT_FRAMES

    def frame_at(self, wall: float) -> int | None:
        """The frame that is on air at a time of day (seconds since 1970); None before the first and after the last.

        Between two runs, where nothing is on air, it is the first one of the later run.
        """
        if not self.air(self.first) <= wall < self.air(self.next):
            return None
        begun = [run for run in self.runs if self.air(max(run.first, self.first)) <= wall]
        run, later = begun[-1], [other for other in self.runs if other.first > begun[-1].first]
        frame = run.first * SEGMENT_FRAMES + round((wall - run.wall) * RATE)
        return min([frame, *(other.first * SEGMENT_FRAMES for other in later[:1])])

    def contiguous_from(self, number: int) -> int:
        """The oldest segment kept from which on all go on air without a gap up to ``number``."""
        begin = number
        while begin > self.first and abs(self.air(begin - 1) + SEGMENT_S - self.air(begin)) < _GAP_S:
            begin -= 1
        return begin

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """Parse what ``encode`` made.

        Raises:
            StorageUnavailable: it is damaged.
        """
        try:
            found: Any = json.loads(data)
            runs = tuple(Run(int(r["epoch"]), int(r["first"]), float(r["wall"])) for r in found["runs"])
            state = None if found["state"] is None else int(found["state"])
            began = float(found.get("began", 0.0))
            manifest = cls(int(found["first"]), int(found["next"]), runs, state, int(found["state_epoch"]), began)
        except (ValueError, KeyError, TypeError):
            raise StorageUnavailable(f"a damaged manifest: {data[:80]!r}") from None
        if not runs or not 0 <= manifest.first <= manifest.next or runs[0].first > manifest.first:
            raise StorageUnavailable(f"a manifest that contradicts itself: {data[:80]!r}")
        return manifest


@dataclass(frozen=True)
class Keys:
    """The keys of one station's objects."""

    station: str

    @property
    def lease(self) -> str:
        return f"{self.station}/lease.json"

    @property
    def manifest(self) -> str:
        return f"{self.station}/manifest.json"

    @property
    def wanted(self) -> str:
        return f"{self.station}/wanted.json"

    @property
    def preferred(self) -> str:
        return f"{self.station}/preferred.json"

    @property
    def present(self) -> str:
        return f"{self.station}/present.json"

    @property
    def requests(self) -> str:
        """The folder of the requests to the producer."""
        return f"{self.station}/requests"

    @property
    def answers(self) -> str:
        """The folder of its answers."""
        return f"{self.station}/answers"

    @property
    def segments(self) -> str:
        """The folder of the segments."""
        return f"{self.station}/segments"

    @property
    def states(self) -> str:
        """The folder of the states."""
        return f"{self.station}/states"

    def segment(self, number: int, epoch: int) -> str:
        return f"{self.segments}/{number:010d}-{epoch:08d}.flac"

    def state(self, number: int, epoch: int) -> str:
        return f"{self.states}/{number:010d}-{epoch:08d}.bin"

    def history(self, day: str) -> str:
        """The folder of what was heard on a day, such as 20270131 (UTC)."""
        return f"{self.station}/history/{day}"

    def request(self, number: int) -> str:
        return f"{self.requests}/{number:010d}.json"

    def answer(self, number: int) -> str:
        return f"{self.answers}/{number:010d}.json"
