"""The clip that a new installation has seconds after its start: made apart from the programme, as fast as can be.

One thread renders, another masters and encodes. Knows nothing of HTTP.
"""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future

import numpy as np

from ..audio import Audio
from ..codecs import StreamEncoder
from ..engines.base import Engine
from ..library import FADE_S
from ..mastering import Master
from ..request import Request
from ..settings import Settings


def first_clip(
    engine: Engine, request: Request, settings: Settings, executor: Executor, stopping: threading.Event
) -> bytes | None:
    """The MP3 of ``request``; None when ``stopping`` came first. ``executor`` has one worker."""
    with engine.stream(request) as stream:
        total = stream.total_frames
        assert total is not None, "a clip has a length"
        finish = _Finish(stream.rate, stream.channels, total, settings)
        steps: list[Future[None]] = []
        for block in stream:
            if stopping.is_set():
                return None
            steps.append(executor.submit(finish.add, block))
        for step in steps:
            step.result()
        return finish.whole()


class _Finish:
    """Master, fades at both ends, MP3."""

    def __init__(self, rate: int, channels: int, total: int, settings: Settings) -> None:
        self._master = Master(rate, channels, settings.loudness_lufs, settings.ceiling_dbtp)
        self._encoder = StreamEncoder("mp3", rate, channels, total, settings.bitrate_kbps)
        self._total = total
        self._fade = min(round(FADE_S * rate), total // 4)
        self._frame = -self._master.latency_frames
        self._data = [self._encoder.header]

    def add(self, block: Audio) -> None:
        self._give(self._master.process(block))

    def whole(self) -> bytes:
        self._give(self._master.flush())
        return b"".join([*self._data, self._encoder.flush()])

    def _give(self, mastered: Audio) -> None:
        start, self._frame = self._frame, self._frame + mastered.frames
        sound = mastered[max(0, -start) :]
        if not sound.frames:
            return
        n = np.arange(max(0, start), self._frame, dtype=np.float64)[:, None]
        edge = np.clip(np.minimum(n + 0.5, self._total - n - 0.5) / self._fade, 0.0, 1.0)
        faded = sound.samples * (np.sin(0.5 * np.pi * edge) ** 2).astype(np.float32)
        self._data.append(self._encoder.encode(Audio(faded, sound.rate)))
