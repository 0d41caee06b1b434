"""Makes the first clip of a new installation seconds after its start, apart from the station's own music.

One thread renders, another masters and encodes. Knows nothing of HTTP.
"""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future

from ...archive.clip_recorder import ClipEncoder
from ...audio import Audio
from ...engines.base import Engine
from ...mastering import Master
from ...request import Request
from ...settings import Settings


def first_clip(
    engine: Engine, request: Request, settings: Settings, executor: Executor, stopping: threading.Event
) -> bytes | None:
    """The MP3 of ``request``, or None if ``stopping`` is set first. ``executor`` must have one worker."""
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
    """Master and clip."""

    def __init__(self, rate: int, channels: int, total: int, settings: Settings) -> None:
        self._master = Master(rate, channels, settings.loudness_lufs, settings.ceiling_dbtp)
        self._clip = ClipEncoder(total, rate, channels, settings.bitrate_kbps)
        self._late = self._master.latency_frames  # that the master gives before the first of the clip

    def add(self, block: Audio) -> None:
        self._give(self._master.process(block))

    def whole(self) -> bytes:
        self._give(self._master.flush())
        return self._clip.data()

    def _give(self, mastered: Audio) -> None:
        early = min(self._late, mastered.frames)
        self._late -= early
        if early < mastered.frames:
            self._clip.feed(mastered.samples[early:])
