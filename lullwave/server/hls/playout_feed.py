"""The HLS of a station whose music this process plays: segments of what is on air here, encoded while somebody asks."""

from __future__ import annotations

import secrets
from collections import deque

from ...audio import Audio, Samples
from ...codecs.fragmented_mp4 import LOOKAHEAD_FRAMES, PACKET_FRAMES, WARM_PACKETS, AacFragments, header
from ...ring import Ring
from ...station import CHANNELS, CHUNK_FRAMES, RATE, Epoch, PlayoutStep
from ..live.audio_feed import follows
from .feed import KBPS, KEPT, READY, HlsFeed
from .playlists import LISTED, PACKETS, SEGMENT_FRAMES, SEGMENT_S, Segment, Session

EPOCHS = 64  # kept of a session: one for each time that the station woke, or the system clock was set
# Sound from which an encoder that begins makes ``READY`` segments at once, wherever they begin in it.
_PAST_FRAMES = (READY + 1) * SEGMENT_FRAMES + WARM_PACKETS * PACKET_FRAMES + LOOKAHEAD_FRAMES


class PlayoutHls(HlsFeed):
    """Encodes each step of a station's playout.

    A session ends where the station's frames jump, and with ``begin_anew``. The next one has a name of its own. It goes
    on with the numbers where it follows another one in a playlist; else they also follow the time of day.
    Event loop only, except for ``add``, which the playout thread calls.
    """

    def __init__(self) -> None:
        super().__init__()
        self._rings: dict[int, Ring[tuple[Segment, bytes]]] | None = None  # by bit rate, while somebody asks
        self._files: dict[str, bytes] = {}  # by name: all segments that the rings hold, and their headers
        self._least = 0, 0  # the next session's numbers are no less
        self._anew = False  # what has been on air is not to be used any more
        # The rest is of the playout thread.
        self._encoding: tuple[dict[int, Ring[tuple[Segment, bytes]]], list[AacFragments]] | None = None
        self._session: Session | None = None
        self._numbered: dict[int, Ring[tuple[Segment, bytes]]] | None = None  # the rings of the newest segment
        self._epoch: Epoch | None = None  # of the step before
        self._epochs: tuple[Epoch, ...] = ()  # of the session, each from the first frame that it holds for
        self._next_number = 0  # larger than every number given so far
        self._jumps = 0  # of the next session
        self._recent: deque[tuple[int, Samples]] = deque(maxlen=-(-_PAST_FRAMES // CHUNK_FRAMES))  # (frame, (T, 2))

    @property
    def active(self) -> bool:
        return self._rings is not None

    @property
    def next_number(self) -> int:
        """A media sequence number that is larger than all that were given."""
        return self._next_number

    @property
    def next_jumps(self) -> int:
        """A discontinuity sequence number that is larger than all that were given."""
        return self._jumps

    def begin_anew(self, number: int, jumps: int) -> None:
        """Forget what was on air. What comes is a new session, whose numbers are no less than these."""
        self._least, self._anew = (number, jumps), True
        if self.active:
            self._end()
            self._begin()
            self.on_close()

    async def segments(self, kbps: int) -> list[Segment]:
        self.hold()
        while (rings := self._rings) is not None and rings[kbps].end < READY:
            await rings[kbps].changed()
        return self.ready(kbps)

    def ready(self, kbps: int) -> list[Segment]:
        ring = (self._rings or {}).get(kbps)
        return [] if ring is None or ring.end < READY else _listed(ring)

    def find(self, name: str) -> bytes | None:
        return self._files.get(name)

    def add(self, step: PlayoutStep) -> None:
        newest = (step.mastered_frame, step.mastered)
        if self._anew or not follows(self._recent, step.mastered_frame):
            self._anew = False
            self._recent.clear()
            self._encoding = self._session = self._epoch = None
            self._epochs = ()
        if step.epoch != self._epoch:
            self._epoch = step.epoch
            since = Epoch(step.mastered_frame, _air(step.epoch, step.mastered_frame))
            self._epochs = (*self._epochs[1 - EPOCHS :], since)
        self._recent.append(newest)
        rings = self._rings
        if self._encoding is not None and self._encoding[0] is not rings:
            self._encoding = None
        if rings is None:
            return
        sounds = [newest]
        if self._encoding is None:
            sounds = list(self._recent)
            begin = sounds[0][0]
            self._encoding = rings, [AacFragments(RATE, CHANNELS, kbps, PACKETS, begin) for kbps in KBPS]
        for _, samples in sounds:
            for encoder in self._encoding[1]:
                for index, data in encoder.encode(Audio(samples, RATE)):
                    session = self._session or self._new_session(index, step, continued=self._numbered is rings)
                    self._numbered = rings
                    segment = Segment(session, encoder.kbps, index, self._epochs)
                    self._next_number = max(self._next_number, segment.number + 1)
                    rings[encoder.kbps].publish((segment, data))

    def _begin(self) -> None:
        if self._rings is None:
            self._rings = {kbps: Ring(KEPT) for kbps in KBPS}
            for ring in self._rings.values():
                ring.watch(lambda _: self._list_files())

    def _end(self) -> None:
        for ring in (self._rings or {}).values():
            ring.close()
        self._rings, self._files = None, {}

    def _list_files(self) -> None:
        """Note the names of all files that are kept, after a segment has come."""
        kept = [one for ring in (self._rings or {}).values() for one in ring.items(ring.begin)]
        headers = {one.init_name: header(RATE, CHANNELS, one.kbps) for one, _ in kept}
        self._files = headers | {one.name: data for one, data in kept}

    def _new_session(self, index: int, step: PlayoutStep, continued: bool) -> Session:
        """A session whose first segment has this index; ``continued``: it follows another one in a playlist.

        Else its first number follows the time of day: a process that starts again repeats none. Playout thread.
        """
        if not continued:
            wall = _air(step.epoch, index * SEGMENT_FRAMES)
            number, jumps = self._least
            self._next_number = max(self._next_number, number, int(wall / SEGMENT_S))
            self._jumps = max(self._jumps, jumps, int(wall / SEGMENT_S))
        self._session = Session(secrets.token_hex(6), self._next_number - index, self._jumps)
        self._jumps += 1
        return self._session


def _air(epoch: Epoch, frame: int) -> float:
    """When a frame goes on air by an epoch, in seconds since 1970."""
    return epoch.wall + (frame - epoch.frame) / RATE


def _listed(ring: Ring[tuple[Segment, bytes]]) -> list[Segment]:
    return [segment for segment, _ in ring.items(max(ring.begin, ring.end - LISTED))]
