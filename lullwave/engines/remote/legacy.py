"""Plays from inference servers that predate ``lullwave.v1``: they send whole clips and accept no prompts.

``LegacyWebSocketClient`` and ``LegacyHttpClient`` request a batch of five clips; ``ClipBuffer`` requests the next batch
while the last one plays; ``LegacyStream`` decodes the clips and crossfades them into one endless stream.

Such a server may be busy for minutes while it makes music and then answers nothing, not even a ping. So no pings are
sent, and TCP keepalive detects a dead peer.
"""

from __future__ import annotations

import hashlib
import http.client
import logging
import random
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import Protocol
from urllib.parse import urlsplit

import numpy as np
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from ...audio import Audio, crossfade
from ...codecs import blocks_of
from ...errors import CodecError, EngineError, EngineLost, InvalidInput, StreamClosed
from ...redaction import redacted
from ...request import Request
from ..base import Mark, Stream, Understanding
from .connection import error_reason, keep_alive

RATE = 44100  # Hz; clips of other rates are resampled
CHANNELS = 2
OVERLAP_S = 5.0  # crossfade between two clips, as on the web page of those servers
MIN_CLIP_S = 3.0  # shorter clips are rejected
MAX_CLIP_S = 300.0  # longer clips are rejected: this one has 106 MB decoded
MAX_CLIP_RATE = 48_000  # Hz; the highest rate of an MP3
MAX_CLIP_CHANNELS = 8  # of which the first two are played
MAX_CLIP_BYTES = 64 * 1024 * 1024  # of one encoded clip
MARKS_KEPT = 64

BATCH = 5  # clips that one request gives
LOW_WATER = 5  # with fewer clips in the buffer than this, the next batch is requested

CONNECT_S = 8.0  # timeout for the TCP connection
BATCH_S = 3600.0  # timeout for a batch: longer than the slowest machine needs for five clips
STALE_S = 900.0  # HTTP: after this long, accept a clip that equals the one of the batch before
STOP_CHECK_S = 0.5  # how often a waiting receiver checks whether to stop
POLL_S = (2.0, 4.0)  # HTTP: range of the random pause between two requests for a clip
RENEW_S = 60.0  # HTTP: after this long without a clip, request the batch again
REPLY_S = 30.0  # HTTP: timeout of one reply
UNACKNOWLEDGED_MS = 15_000  # the kernel ends the connection when sent bytes stay unacknowledged for this long

log = logging.getLogger(__name__)


class LegacyClient(Protocol):
    """Requests clips from a server."""

    def batch(self, stopping: threading.Event) -> Iterator[bytes]:
        """Yield the encoded clips of one batch as they arrive; end early when ``stopping`` is set.

        Raises:
            EngineLost: the server does not answer, or the connection was lost.
        """

    def close(self) -> None:
        """Interrupt a ``batch`` that is waiting."""


class LegacyWebSocketClient:
    """Sends the text ``generate`` and receives five binary messages, one clip each."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._shown = redacted(url)  # for messages
        self._connection: ClientConnection | None = None
        self._stack = ExitStack()  # closes the connection

    def batch(self, stopping: threading.Event) -> Iterator[bytes]:
        try:
            connection = self._connection or self._connect()
            self._connection = connection
            connection.send("generate")
            deadline = time.monotonic() + BATCH_S
            for _ in range(BATCH):
                while True:
                    if stopping.is_set():
                        return
                    with suppress(TimeoutError):
                        message = connection.recv(STOP_CHECK_S)
                        break
                    if time.monotonic() > deadline:
                        raise TimeoutError(f"no clip within {BATCH_S:g} seconds")
                if isinstance(message, str):
                    raise EngineLost(f"{self._shown}: the server sent text instead of a clip: {message[:80]!r}")
                yield message
        except (OSError, WebSocketException) as error:
            self.close()
            raise EngineLost(f"{self._shown}: {error_reason(error)}") from None
        except EngineLost:
            self.close()
            raise

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
            self._stack.close()

    def _connect(self) -> ClientConnection:
        parts = urlsplit(self._url)
        assert parts.hostname is not None
        secure = parts.scheme == "wss"
        plain = socket.create_connection((parts.hostname, parts.port or (443 if secure else 80)), CONNECT_S)
        keep_alive(plain, idle_s=5, interval_s=3, probes=3)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        opening = connect(
            self._url,
            sock=plain,
            ssl=ssl.create_default_context() if secure else None,
            additional_headers={"Authorization": f"Bearer {self._token}"} if self._token else None,
            open_timeout=BATCH_S,  # the server answers only after the clip that it is making
            ping_interval=None,
            close_timeout=1,
            max_size=MAX_CLIP_BYTES,
            compression=None,  # an MP3 does not get shorter
            proxy=None,
        )
        return self._stack.enter_context(opening)


class LegacyHttpClient:
    """Starts a batch by ``POST /generate`` and polls ``POST /clips/0`` to ``/clips/4`` until each clip is ready.

    Some servers return the clips of the previous batch until new ones are ready. A clip that equals the previous one is
    therefore skipped, unless the server has answered 404 since, or still returns it after ``STALE_S``. A server that
    restarted has forgotten the request, so it is repeated every ``RENEW_S``; a server that is still busy answers 409.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url.rstrip("/"), token
        self._shown = redacted(self._url)  # for messages
        self._previous = [""] * BATCH  # digests of the last batch

    def batch(self, stopping: threading.Event) -> Iterator[bytes]:
        self._request_batch()
        began = asked = time.monotonic()
        cleared = False
        for number in range(BATCH):
            while True:
                status, body = self._post(f"/clips/{number}")
                took_s = time.monotonic() - began
                digest = hashlib.sha256(body).hexdigest()
                if status == 200 and (cleared or digest != self._previous[number] or took_s > STALE_S):
                    break
                cleared = cleared or status == 404
                if status not in (200, 404, 409, 425, 503):
                    raise EngineLost(f"{self._shown}/clips/{number}: refused with status {status}: {body[:80]!r}")
                if took_s > BATCH_S:
                    raise EngineLost(f"{self._shown}: no clip within {BATCH_S:g} seconds")
                if stopping.wait(random.uniform(*POLL_S)):
                    return
                if time.monotonic() - asked > RENEW_S:
                    self._request_batch()
                    asked = time.monotonic()
            self._previous[number] = digest
            yield body

    def close(self) -> None:
        """Do nothing: every HTTP exchange is short."""

    def _request_batch(self) -> None:
        status, body = self._post("/generate")
        if status not in (200, 201, 202, 204, 409):
            raise EngineLost(f"{self._shown}/generate: refused with status {status}: {body[:80]!r}")

    def _post(self, path: str) -> tuple[int, bytes]:
        parts = urlsplit(self._url)
        assert parts.hostname is not None
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname, parts.port, timeout=REPLY_S)
        try:
            headers = {"Authorization": f"key {self._token}"} if self._token else {}
            connection.request("POST", parts.path + path, b"", headers)
            response = connection.getresponse()
            body = response.read(MAX_CLIP_BYTES + 1)
            if len(body) > MAX_CLIP_BYTES:
                raise EngineLost(f"{self._shown}{path}: the reply is longer than the allowed {MAX_CLIP_BYTES} bytes")
            return response.status, body
        except (OSError, http.client.HTTPException) as error:
            raise EngineLost(f"{self._shown}: {error_reason(error)}") from None
        finally:
            connection.close()


class ClipBuffer:
    """Buffers the encoded clips of one server for all its streams; thread-safe.

    Clips wait encoded: a minute of music is 1 MB encoded and 20 MB decoded.
    """

    def __init__(self, client: LegacyClient) -> None:
        self._client = client
        self._clips: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._fetching: threading.Thread | None = None
        self._error: EngineError | None = None
        self.lost = False  # the last request for clips failed

    def take(self, cancelled: Callable[[], bool]) -> bytes:
        """Wait for the next clip and remove it from the buffer.

        Raises:
            EngineLost: the buffer is empty and the server is lost; the next call tries again.
            StreamClosed: ``cancelled()`` became true (see ``wake``), or the buffer was closed.
        """
        with self._changed:
            while True:
                if self._stopping.is_set() or cancelled():
                    raise StreamClosed("the stream was closed")
                if self._clips:
                    clip = self._clips.popleft()
                    self._fetch()
                    return clip
                if self._error is not None:
                    error, self._error = self._error, None
                    raise error
                self._fetch()
                self._changed.wait()

    def wake(self) -> None:
        """Make every waiting ``take`` check whether it was cancelled."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Stop fetching; waiting ``take`` calls raise ``StreamClosed``."""
        self._stopping.set()
        self.wake()
        self._client.close()
        if self._fetching is not None:
            self._fetching.join(2.0)

    def _fetch(self) -> None:
        """Request a batch on a thread of its own if the buffer is low and no request is under way."""
        if self._fetching is None and len(self._clips) < LOW_WATER and self._error is None:
            self._fetching = threading.Thread(target=self._run, name="legacy-clips", daemon=True)
            self._fetching.start()

    def _run(self) -> None:
        error: EngineError | None = None
        try:
            for clip in self._client.batch(self._stopping):
                with self._changed:
                    self._clips.append(clip)
                    self.lost = False
                    self._changed.notify_all()
        except EngineError as failed:
            error = failed
            log.info("no more clips: %s", failed)
        except Exception as failed:
            error = EngineLost(f"clips could not be fetched: {failed!r}")
            log.exception("clips could not be fetched")
        with self._changed:
            self._fetching = None
            self._error = error
            self.lost = error is not None
            self._changed.notify_all()


class LegacyStream(Stream):
    """Crossfades clips into an endless stream. It cannot be steered: the server accepts no prompts."""

    rate = RATE
    channels = CHANNELS

    def __init__(self, request: Request, clips: ClipBuffer) -> None:
        self.request = request
        self._buffer = clips
        self._position = 0
        self._ready = Audio.silence(0, RATE, CHANNELS)  # decoded and not read yet
        self._overlap_s = 0.0  # how much of the end of `_ready` the next clip is crossfaded with
        self._count = 0
        self._marks: list[Mark] = []
        self._closed = False

    @property
    def position(self) -> int:
        return self._position

    def read(self, frames: int) -> Audio:
        if frames < 0:
            raise InvalidInput("frames", frames, "a number of frames, at least 0")
        if self.total_frames is not None:
            frames = min(frames, self.total_frames - self._position)
        while self._ready.frames - round(self._overlap_s * RATE) < frames:
            self._join(self._next())
        if self._closed:
            raise StreamClosed("the stream was closed")
        audio, self._ready = self._ready[:frames], self._ready[frames:]
        self._position += audio.frames
        return audio

    def steer(self, prompt: str, over_s: float = 8.0) -> Understanding:
        raise EngineError("the inference server uses the legacy protocol, which accepts no prompts")

    def marks(self, start: int, stop: int) -> Sequence[Mark]:
        return [mark for mark in self._marks if start <= mark.frame < stop]

    def close(self) -> None:
        self._closed = True
        self._buffer.wake()

    def _join(self, clip: Audio) -> None:
        """Append ``clip`` with a crossfade."""
        overlap_s = min(self._overlap_s, clip.duration_s / 3.0)
        begin = self._position + max(0, self._ready.frames - round(overlap_s * RATE))
        self._ready = crossfade(self._ready, clip, overlap_s)
        self._overlap_s = min(OVERLAP_S, clip.duration_s / 3.0)
        self._count += 1
        data = {"title": f"Clip {self._count}", "prompt": "", "frames": clip.frames}
        self._marks = [*self._marks[-MARKS_KEPT:], Mark(begin, "piece", data)]

    def _next(self) -> Audio:
        """Decode the next clip, in stereo at ``RATE``.

        Raises:
            EngineLost: the server is lost, or sent something that is not a clip of allowed length.
        """
        data = self._buffer.take(lambda: self._closed)
        try:
            clip = decoded(data)
        except CodecError as error:
            raise EngineLost(f"the server sent something that is not a clip: {error}") from None
        if clip.duration_s < MIN_CLIP_S:
            raise EngineLost(
                f"the server sent a clip of {clip.duration_s:.1f} seconds; allowed: {MIN_CLIP_S:g} or more"
            )
        return clip.to_channels(CHANNELS).resample(RATE)


def decoded(data: bytes) -> Audio:
    """The sound of a clip, its first two channels at most. A few kilobytes can state gigabytes: decoded in blocks.

    Raises:
        CodecError: not sound, or a rate, a number of channels or a length that is not allowed.
    """
    parts, frames, rate = [], 0, RATE
    for block in blocks_of(data):
        rate, frames = block.rate, frames + block.frames
        if rate > MAX_CLIP_RATE or block.channels > MAX_CLIP_CHANNELS or frames > MAX_CLIP_S * rate:
            raise CodecError(
                f"at least {frames / rate:.0f} seconds of {block.channels} channels at {rate} Hz; "
                f"allowed: {MAX_CLIP_S:g} seconds, {MAX_CLIP_CHANNELS} channels, {MAX_CLIP_RATE} Hz"
            )
        parts.append(block.samples[:, :CHANNELS].copy())
    return Audio(np.concatenate(parts), rate)
