"""Finished clips that are kept: a number of them, and less of them where they are long."""

import asyncio
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from PIL import Image

from lullwave.audio import Audio
from lullwave.codecs import Tags
from lullwave.server.riffusion_jobs import KEPT, KEPT_COLUMNS, ClipJobs

ENGINE = SimpleNamespace(converter=SimpleNamespace(audio=lambda image: Audio.silence(100, 44100)))


@pytest.mark.parametrize(("width", "most"), [(512, KEPT), (6144, KEPT_COLUMNS // 6144 + 1)])
def test_finished_clips_go_oldest_first(width, most):
    def submit(progress):
        result = Future()
        result.set_result(Image.new("L", (width, 64)))
        return SimpleNamespace(result=result, cancel=lambda: None), Tags()

    async def make():
        clips, made = ClipJobs(), []
        for _ in range(KEPT + 10):
            clip = await clips.begin(ENGINE, submit)
            made.append(clip.id)
            while not clip.ended:
                await asyncio.sleep(0.001)
        kept = [id for id in made if id in clips._clips]
        assert kept == made[-len(kept) :]
        return len(kept)

    assert asyncio.run(make()) == most
