"""Makes the first clip of a new installation seconds after its start, apart from the station's own music.

One thread renders, another masters and encodes. Knows nothing of HTTP.
"""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future

from ...archive.clip_recorder import ClipEncoder
from ...audio import Audio
from ...blocks import AlignedMaster, stream_tags
from ...codecs import id3
from ...engines.base import Engine
from ...request import Request
from ...settings import Settings


def first_clip(
    engine: Engine, request: Request, settings: Settings, executor: Executor, stopping: threading.Event
) -> bytes | None:
    """The tagged MP3 of ``request``, or None if ``stopping`` is set first. ``executor`` must have one worker."""
    with engine.stream(request) as stream:
        total = stream.total_frames
        assert total is not None, "a clip has a length"
        master = AlignedMaster(stream.rate, stream.channels, settings.loudness_lufs, settings.ceiling_dbtp)
        clip = ClipEncoder(total, stream.rate, stream.channels, settings.bitrate_kbps)

        def add(block: Audio) -> None:
            clip.feed(master.process(block).samples)

        steps: list[Future[None]] = []
        for block in stream:
            if stopping.is_set():
                return None
            steps.append(executor.submit(add, block))
        for step in steps:
            step.result()
        clip.feed(master.flush().samples)
        return id3(stream_tags(stream, engine.made_by)) + clip.data()
