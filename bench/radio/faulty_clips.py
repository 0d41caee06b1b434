"""A Riffusion server that misbehaves on purpose: slow, fails every fifth call, and every clip has another length.

Put around the application, it answers ``/run_inference`` in its place. Its clips never fall silent.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import io
import itertools
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np

from lullwave.audio import Audio
from lullwave.codecs import encode
from lullwave.spectrogram import Spectrogram

LENGTHS_S = (5.11, 3.27, 7.83, 2.4, 5.11, 10.37, 1.3)  # of clips, in turn
FAILS_EVERY = 5  # calls
RATE = 44100
BEAT_S = 0.64  # that of the packaged seed images
QUIETEST = 0.4  # between beats, of the amplitude on the beat
PATHS = ("/run_inference", "/run_inference/")

App = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


@functools.cache
def reply_of(duration_s: float, hz: float) -> bytes:
    """The reply for a chord that pulses on the beat and never falls silent."""
    t = np.arange(round(duration_s * RATE)) / RATE
    pulse = QUIETEST + (1 - QUIETEST) * np.exp(-6 * (t % BEAT_S))
    wave = 0.25 * pulse * (np.sin(2 * np.pi * hz * t) + 0.5 * np.sin(2 * np.pi * 1.5 * hz * t))
    audio = Audio(wave[:, None].astype(np.float32), RATE)
    spectrogram = Spectrogram.from_audio(audio)
    picture = io.BytesIO()
    spectrogram.to_image().save(picture, "JPEG", exif=spectrogram.exif())
    reply = {
        "image": f"data:image/jpeg;base64,{base64.b64encode(picture.getvalue()).decode()}",
        "audio": f"data:audio/mpeg;base64,{base64.b64encode(encode(audio, 'mp3', 192)).decode()}",
        "duration_s": audio.duration_s,
    }
    return json.dumps(reply).encode()


class FaultyClips:
    """An ASGI application around ``app``. ``waits_s`` are the times an answer takes, in turn. Event loop only.

    ``fails_every``: 0 for a server that never fails.
    """

    def __init__(
        self,
        app: App,
        waits_s: Sequence[float],
        lengths_s: Sequence[float] = LENGTHS_S,
        fails_every: int = FAILS_EVERY,
    ) -> None:
        self._app = app
        self._fails_every = fails_every
        self._waits = itertools.cycle(waits_s)
        self._clips = itertools.cycle([reply_of(length, 165 + 20 * n) for n, length in enumerate(lengths_s)])
        self.requests: list[dict[str, Any]] = []
        self.failed = 0

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        path = scope.get("path")
        if path == "/api/riffusion":
            await _reply(send, 200, json.dumps({"available": True, "checkpoint": "faulty"}).encode())
        elif path in PATHS:
            body = b""
            more = True
            while more:
                message = await receive()
                body, more = body + message.get("body", b""), message.get("more_body", False)
            await self._infer(json.loads(body), send)
        else:
            await self._app(scope, receive, send)

    async def _infer(self, request: dict[str, Any], send: Any) -> None:
        self.requests.append(request)
        await asyncio.sleep(next(self._waits))
        if self._fails_every and len(self.requests) % self._fails_every == 0:
            self.failed += 1
            await _reply(send, 500, b'{"error": {"message": "failed on purpose", "field": null}}')
        else:
            await _reply(send, 200, next(self._clips))


async def _reply(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
