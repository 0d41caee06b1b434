"""The replies that all listeners of a station get: a playlist until it changes, a whole segment while it is kept.

Every listener asks for both every two seconds, so each reply is made once and sent to all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from starlette.responses import Response

from ..byte_ranges import whole
from ..live.channel import Channel
from .feed import KBPS, KEPT
from .playlists import Segment, media

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
SEGMENT_TYPE = "audio/mp4"
CACHED = "public, max-age=1"
CACHED_LONG = "public, max-age=31536000, immutable"
_FILES = len(KBPS) * (KEPT + 1)  # replies with files that are kept for a station: its segments and headers


def playlist_reply(data: bytes, cached: str) -> Response:
    """A playlist; ``cached`` is its ``Cache-Control``."""
    return Response(data, media_type=PLAYLIST_TYPE, headers={"Cache-Control": cached})


def etag(name: str) -> str:
    """The tag of a segment: its name, since what it names never changes."""
    return f'"{name}"'


@dataclass
class _Made:
    """What was made for one station."""

    texts: dict[int, tuple[tuple[list[Segment], list[tuple[int, str]]], bytes]] = field(default_factory=dict)
    playlists: dict[int, Response] = field(default_factory=dict)  # by bit rate, as ``texts``
    files: dict[str, Response] = field(default_factory=dict)  # by name, oldest first


class HlsReplies:
    """Makes and keeps replies. They are sent to everybody, so nothing may change them. Event loop only."""

    def __init__(self) -> None:
        self._stations: WeakKeyDictionary[Channel, _Made] = WeakKeyDictionary()

    def ready(self, channel: Channel, kbps: int) -> Response | None:
        """The playlist of a bit rate, and the encoder runs on; None if it has to be waited for."""
        if channel.hls is None or kbps not in KBPS:
            return None
        if channel.relay is not None and not channel.relay.own:
            kept = channel.relay.kept_hls(f"{kbps}.m3u8")
            return None if kept is None else self.playlist(channel, kbps, kept)
        if not (segments := channel.hls.ready(kbps)):
            return None
        channel.hls.hold()
        return self.media(channel, kbps, segments)

    def media(self, channel: Channel, kbps: int, segments: list[Segment]) -> Response:
        """The playlist of a bit rate that lists ``segments``."""
        made, listed = self._made(channel), (segments, channel.titles)
        if (kept := made.texts.get(kbps)) is None or kept[0] != listed:
            kept = made.texts[kbps] = listed, media(*listed).encode()
        return self.playlist(channel, kbps, kept[1])

    def playlist(self, channel: Channel, kbps: int, data: bytes) -> Response:
        """The playlist of a bit rate with the content ``data``."""
        made = self._made(channel).playlists
        if (reply := made.get(kbps)) is None or reply.body is not data:
            reply = made[kbps] = playlist_reply(data, CACHED)
        return reply

    def file(self, channel: Channel, name: str) -> Response | None:
        """The whole of a segment or a header; None if it is not here."""
        data = channel.hls.find(name) if channel.hls is not None else None
        if data is None and channel.relay is not None:
            data = channel.relay.kept_hls(name)
        made = self._made(channel).files
        if data is None:
            made.pop(name, None)
            return None
        if (reply := made.get(name)) is None or reply.body is not data:
            while len(made) >= _FILES:
                del made[next(iter(made))]
            reply = made[name] = whole(data, etag(name), SEGMENT_TYPE, {"Cache-Control": CACHED_LONG})
        return reply

    def _made(self, channel: Channel) -> _Made:
        if (made := self._stations.get(channel)) is None:
            made = self._stations[channel] = _Made()
            if channel.hls is not None:
                channel.hls.on_close = made.files.clear  # what the feed forgets is not kept here
        return made
