"""The HLS segments of a station, encoded only while somebody asks for them. Knows nothing of HTTP."""

from __future__ import annotations

import math
import secrets
from collections import deque

from ...audio import Audio, Samples
from ...codecs.fragmented_mp4 import FragmentedAac
from ...ring import Ring
from ...station import CHANNELS, CHUNK_FRAMES, RATE, Epoch, PlayoutStep
from ..live.audio_feed import follows
from ..live.idle_timer import IdleTimer
from .playlists import LISTED, PACKETS, SEGMENT_FRAMES, SEGMENT_S, Segment, Session

KBPS = (160, 64)  # bit rates, the better one first
HOLD_S = 10.0  # seconds that a request for a playlist keeps the encoder running
READY = 2  # segments that a player needs to begin
AT_ONCE = 3  # segments that are encoded at once from what was on air, when the encoder begins
KEPT = 2 * LISTED + 2  # segments that can still be fetched: those listed, and as many again for late clients


class HlsFeed:
    """The newest segments of a station at each of ``KBPS``, cut at the same frames.

    Event loop only, except for ``add``, which the playout thread calls.
    """

    def __init__(self) -> None:
        self._rings: dict[int, Ring[Segment]] | None = None  # by bit rate, while somebody asks
        self._files: dict[str, bytes] = {}  # by name: all segments that the rings hold, and their headers
        self._held = IdleTimer(self.close)
        self._always = False
        self._encoding: tuple[dict[int, Ring[Segment]], list[_Variant]] | None = None  # playout thread
        self._next_number = 0  # larger than every number given so far; playout thread
        past = math.ceil((AT_ONCE * SEGMENT_FRAMES + 2 * FragmentedAac.delay_frames) / CHUNK_FRAMES)
        self._recent: deque[tuple[int, Samples]] = deque(maxlen=past)  # (station frame, (T, 2)); playout thread

    @property
    def active(self) -> bool:
        """Tell whether segments are encoded now."""
        return self._rings is not None

    def keep(self, always: bool) -> None:
        """Encode always, or only while somebody asks."""
        self._always = always
        if always or self.active:
            self.hold()

    def hold(self) -> None:
        """Encode for ``HOLD_S`` from now on: somebody has asked for a playlist."""
        if self._rings is None:
            self._rings = {kbps: Ring(KEPT) for kbps in KBPS}
            for ring in self._rings.values():
                ring.watch(lambda _: self._list_files())
        if self._always:
            self._held.cancel()
        else:
            self._held.hold(HOLD_S)

    async def segments(self, kbps: int) -> list[Segment]:
        """The segments for a playlist, at least ``READY``: waits for them. Empty if the feed is closed meanwhile."""
        self.hold()
        assert self._rings is not None
        ring = self._rings[kbps]
        while ring.end < READY and not ring.closed:
            await ring.changed()
        return _listed(ring)

    def ready(self, kbps: int) -> list[Segment]:
        """The segments for a playlist now; empty if they are not ready."""
        ring = (self._rings or {}).get(kbps)
        return [] if ring is None or ring.end < READY else _listed(ring)

    def find(self, name: str) -> bytes | None:
        """The file of a name; None if there is none, or none any more."""
        return self._files.get(name)

    def add(self, step: PlayoutStep) -> None:
        """Encode what a step put on air; a new encoder begins with the last seconds. Playout thread."""
        newest = (step.mastered_frame, step.mastered)
        jumped = not follows(self._recent, step.mastered_frame)
        if jumped:
            self._recent.clear()
        self._recent.append(newest)
        rings = self._rings
        if self._encoding is not None and (jumped or self._encoding[0] is not rings):
            for variant in self._encoding[1]:
                variant.close()
            self._encoding = None
        if rings is None:
            return
        sounds = [newest]
        if self._encoding is None:
            sounds = list(self._recent)
            self._encoding = rings, self._variants(sounds[0][0], step.epoch)
        for _, samples in sounds:
            for variant in self._encoding[1]:
                for segment in variant.encode(Audio(samples, RATE), step.epoch):
                    self._next_number = max(self._next_number, segment.number + 1)
                    rings[variant.kbps].publish(segment)

    def close(self) -> None:
        """Stop encoding until the next request; waiting requests end."""
        self._held.cancel()
        for ring in (self._rings or {}).values():
            ring.close()
        self._rings, self._files = None, {}

    def _list_files(self) -> None:
        """Note the names of all files that are kept, after a segment has come."""
        kept = [one for ring in (self._rings or {}).values() for one in ring.items(ring.begin)]
        self._files = {one.init_name: one.init for one in kept} | {one.name: one.data for one in kept}

    def _variants(self, begin: int, epoch: Epoch) -> list[_Variant]:
        """A new encoder for each bit rate. Their numbers follow the time of day, so that a restart does not repeat one.

        Playout thread.
        """
        wall = epoch.wall + (begin - epoch.frame) / RATE
        session = Session(secrets.token_hex(6), max(self._next_number, int(wall / SEGMENT_S)))
        return [_Variant(kbps, begin, session) for kbps in KBPS]


def _listed(ring: Ring[Segment]) -> list[Segment]:
    return ring.items(max(ring.begin, ring.end - LISTED))


class _Variant:
    """Encodes one bit rate of one session. Playout thread."""

    def __init__(self, kbps: int, begin: int, session: Session) -> None:
        self.kbps = kbps
        self._aac = FragmentedAac(RATE, CHANNELS, kbps, PACKETS)
        self._frame = begin - self._aac.delay_frames  # station frame of the next segment's first sample
        self._session, self._number = session, session.first

    def encode(self, sound: Audio, epoch: Epoch) -> list[Segment]:
        """The segments that ``sound`` completes."""
        made = []
        for data in self._aac.encode(sound):
            made.append(Segment(self._session, self.kbps, self._number, self._frame, epoch, self._aac.init, data))
            self._frame += SEGMENT_FRAMES
            self._number += 1
        return made

    def close(self) -> None:
        """Free the encoder."""
        self._aac.close()
