"""Each station by HLS: playlists that keep it awake, and segments that never change and may be cached for long."""

from __future__ import annotations

import asyncio
import re
import secrets
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ...codecs import fragmented_mp4
from ...errors import NotFound
from ..byte_ranges import whole_or_part
from ..clients import client_key
from ..deps import ListenerId, Services, check_room
from ..errors import Full, problem
from ..hls.feed import KBPS, HlsFeed
from ..hls.playlists import Segment, master
from ..hls.replies import CACHED, CACHED_LONG, PLAYLIST_TYPE, SEGMENT_TYPE, etag, playlist_reply
from ..live.channel import Channel

READY_S = 10.0  # seconds that a request for a playlist waits for the first segments
_SEGMENT = re.compile(r"[0-9a-f]{12}-\d{1,4}-(\d{1,12}\.m4s|init\.mp4)")
_MEDIA = re.compile(r"(\d{1,4})\.m3u8")

PLAYLIST: dict[int | str, dict[str, Any]] = {
    200: {"content": {PLAYLIST_TYPE: {"schema": {"type": "string"}}}, "description": "a playlist"},
    501: {"description": "the extra `media` is not installed"},
}
FILE: dict[int | str, dict[str, Any]] = {
    **PLAYLIST,
    200: {
        "content": {
            PLAYLIST_TYPE: {"schema": {"type": "string"}},
            SEGMENT_TYPE: {"schema": {"type": "string", "format": "binary"}},
        },
        "description": "a playlist, or a segment",
    },
}


def router(services: Services) -> APIRouter:
    """``/stream.m3u8`` and ``/stations/{station}/hls/…``."""
    routes = APIRouter(tags=["radio"], dependencies=services.checks)

    @routes.head("/stream.m3u8", include_in_schema=False)
    @routes.get("/stream.m3u8", response_class=Response, responses=PLAYLIST)
    async def stream(request: Request, listener: ListenerId = None) -> Response:
        """The default station by HLS: AAC at two bit rates."""
        channel = services.channels.default
        return _master(services, request, channel, f"stations/{channel.station.id}/hls/", listener)

    @routes.head("/stations/{station}/hls/{name}", include_in_schema=False)
    @routes.get("/stations/{station}/hls/{name}", response_class=Response, responses=FILE)
    async def file(request: Request, station: str, name: str, listener: ListenerId = None) -> Response:
        """A station by HLS: ``index.m3u8``, and the playlists and segments that it leads to."""
        channel = services.channel(station)
        if name == "index.m3u8":
            return _master(services, request, channel, "", listener)
        if channel.hls is None:
            return _missing()
        if (found := _MEDIA.fullmatch(name)) and int(found[1]) in KBPS:
            return await _media(services, request, channel, channel.hls, int(found[1]), listener)
        data = channel.hls.find(name)
        if data is None and _SEGMENT.fullmatch(name):
            data = await (channel.hls.fetch(name) if channel.relay is None else channel.relay.hls(name))
        if data is None:
            raise NotFound("segment", name[:64])
        return whole_or_part(request, data, etag(name), SEGMENT_TYPE, {"Cache-Control": CACHED_LONG})

    return routes


def _missing() -> Response:
    return problem(501, str(fragmented_mp4.missing()))


def _master(services: Services, request: Request, channel: Channel, folder: str, listener: str | None) -> Response:
    """The first playlist. It gives a listener an id, to be counted by, unless the station stands behind a CDN."""
    if channel.hls is None:
        return _missing()
    if channel.station.config.always_on:
        return _playlist(request, master(KBPS, folder, listener), CACHED)
    _admit(services, request, channel, listener)
    if request.method != "HEAD":
        channel.hls.hold()
    # The id is this client's own, so this playlist is not for others.
    return _playlist(request, master(KBPS, folder, listener or secrets.token_hex(8)), "private, no-store")


async def _media(
    services: Services, request: Request, channel: Channel, feed: HlsFeed, kbps: int, listener: str | None
) -> Response:
    """The playlist of one bit rate; waits for the first segments of a station that has just been woken."""
    listeners, station = services.channels.hls_listeners, channel.station
    _admit(services, request, channel, listener)
    if request.method == "HEAD":
        return _playlist(request, "", CACHED)
    if not station.config.always_on:
        listeners.heard(station.id, listener, client_key(request.scope))
    replies, segments = services.hls_replies, list[Segment]()
    if (ready := replies.ready(channel, kbps)) is not None:
        return ready
    with suppress(TimeoutError):
        async with asyncio.timeout(READY_S):
            if channel.relay is not None and (passed := await channel.relay.hls(f"{kbps}.m3u8")) is not None:
                return replies.playlist(channel, kbps, passed)
            segments = await feed.segments(kbps)
    if not segments:
        raise Full("the first segments are not ready yet", 2.0)
    return replies.media(channel, kbps, segments)


def _admit(services: Services, request: Request, channel: Channel, listener: str | None) -> None:
    """Refuse a listener for whom there is no room, and wake the station otherwise.

    Raises:
        Full
    """
    channels, station = services.channels, channel.station
    if station.config.always_on or channels.hls_listeners.knows(station.id, listener):
        return
    check_room(services, channel, request)
    if request.method == "HEAD":
        channels.awake.check(station.id)
    else:
        channels.awake.admit(station.id)


def _playlist(request: Request, text: str, cached: str) -> Response:
    """A playlist as a reply; of a HEAD request only the headers."""
    reply = playlist_reply(text.encode(), cached)
    if request.method == "HEAD":
        reply.body = b""
        del reply.headers["Content-Length"]
    return reply
