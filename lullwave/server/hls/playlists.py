"""The playlists of HLS as text (RFC 8216): variants, segments, clock and titles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from ...codecs.fragmented_mp4 import PACKET_FRAMES
from ...station import RATE, Epoch
from ..live.icy import clean

PACKETS = 86  # AAC packets in a segment: as many as 2 s hold
SEGMENT_FRAMES = PACKETS * PACKET_FRAMES
SEGMENT_S = SEGMENT_FRAMES / RATE  # 1.997 s
TARGET_S = 2  # EXT-X-TARGETDURATION: `SEGMENT_S` rounded
CODEC = "mp4a.40.2"  # AAC-LC (RFC 6381)
LISTED = 10  # segments in a playlist: 20 s
VERSION = 7  # EXT-X-VERSION: fragmented MP4 with EXT-X-MAP
_HEADROOM_BPS = 12_000  # bits per second by which a segment may exceed its encoder's rate: MP4 boxes, bit reservoir


@dataclass(frozen=True, slots=True)
class Session:
    """A timeline of sound without a jump. Segment k of it is frames ``k * SEGMENT_FRAMES`` and so on."""

    name: str  # of 12 hexadecimal digits: no cache mixes the files of two sessions
    first: int  # number of its segment 0
    jumps: int  # EXT-X-DISCONTINUITY-SEQUENCE: one more than that of the session before


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of AAC packets that never changes once it has a name."""

    session: Session
    kbps: int
    index: int  # within the session
    epochs: tuple[Epoch, ...]  # of the session: each tells when frames go on air from its own frame on, oldest first

    @property
    def number(self) -> int:
        """Its media sequence number, the same at all bit rates."""
        return self.session.first + self.index

    @property
    def frame(self) -> int:
        """The frame that is heard at its beginning."""
        return self.index * SEGMENT_FRAMES

    @property
    def init_name(self) -> str:
        """The name of the MP4 header that a player needs first."""
        return f"{self.session.name}-{self.kbps}-init.mp4"

    @property
    def name(self) -> str:
        return f"{self.session.name}-{self.kbps}-{self.number}.m4s"

    def air(self, frame: int) -> float:
        """When a frame of the session, up to its own last one, goes on air, in seconds since 1970.

        That of a frame never changes: later segments have the same epochs up to it.
        """
        epoch = next((one for one in reversed(self.epochs) if one.frame <= frame), self.epochs[0])
        return epoch.wall + (frame - epoch.frame) / RATE


def master(kbps: Sequence[int], folder: str, listener: str | None) -> str:
    """The multivariant playlist. ``folder`` leads from it to the other playlists; each gets the listener's id."""
    query = f"?listener={quote(listener, safe='')}" if listener else ""
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for rate in kbps:
        average, peak = 1000 * rate + _HEADROOM_BPS // 4, 1000 * rate + _HEADROOM_BPS
        lines.append(f'#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS="{CODEC}"')
        lines.append(f"{folder}{rate}.m3u8{query}")
    return "\n".join([*lines, ""])


def media(segments: Sequence[Segment], titles: Sequence[tuple[int, str]]) -> str:
    """The playlist of one bit rate. ``titles`` are (first station frame, title), oldest first."""
    first = segments[0]
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{TARGET_S}",
        f"#EXT-X-MEDIA-SEQUENCE:{first.number}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{first.session.jumps}",
        f'#EXT-X-MAP:URI="{first.init_name}"',
    ]
    lines += _date_ranges([one for one in segments if one.session == segments[-1].session], titles)
    for before, segment in zip([first, *segments], segments, strict=False):
        if segment.session != before.session:
            lines += ["#EXT-X-DISCONTINUITY", f'#EXT-X-MAP:URI="{segment.init_name}"']
        lines += [
            f"#EXT-X-PROGRAM-DATE-TIME:{date(segment.air(segment.frame))}",
            f"#EXTINF:{SEGMENT_S:.6f},",
            segment.name,
        ]
    return "\n".join([*lines, ""])


def date(wall: float) -> str:
    """A time of day by ISO 8601, in UTC, to the microsecond: a sample takes 23 of them."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _date_ranges(segments: Sequence[Segment], titles: Sequence[tuple[int, str]]) -> list[str]:
    """The piece that is on air where the playlist begins, and each later one.

    The same ID has the same date in every playlist (RFC 8216, 4.3.2.7), also where the sound has paused since.
    """
    begin, newest = segments[0].frame, segments[-1]
    shown = [(frame, title) for frame, title in titles if begin < frame < newest.frame + SEGMENT_FRAMES]
    before = [(frame, title) for frame, title in titles if frame <= begin]
    return [
        f'#EXT-X-DATERANGE:ID="piece-{newest.session.name}-{frame}",CLASS="lullwave.piece",'
        f'START-DATE="{date(newest.air(frame))}",END-ON-NEXT=YES,X-TITLE="{clean(title)}"'
        for frame, title in [*before[-1:], *shown]
    ]
