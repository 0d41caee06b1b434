"""The tasks of a Riffusion checkpoint as jobs: what they make is what the functions of the command line make."""

import asyncio

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from lullwave.clock import SystemClock  # noqa: E402
from lullwave.codecs import decode  # noqa: E402
from lullwave.engines.riffusion import tasks  # noqa: E402
from lullwave.engines.riffusion.clip_options import DenoisingConfig, PromptInput  # noqa: E402
from lullwave.engines.riffusion.engine import RiffusionEngine  # noqa: E402
from lullwave.engines.riffusion.model.random_checkpoint import make_random  # noqa: E402
from lullwave.errors import CheckpointError  # noqa: E402
from lullwave.server.clip_slots import ClipSlots  # noqa: E402
from lullwave.server.engine_pool import EnginePool  # noqa: E402
from lullwave.server.jobs.catalogue import tasks_of  # noqa: E402
from lullwave.server.jobs.queue import JobQueue  # noqa: E402
from lullwave.settings import Settings  # noqa: E402


def test_an_interpolation_and_a_batch_are_those_of_the_command_line(tmp_path):
    checkpoint = make_random(tmp_path / "tiny", seed=5)

    class Tiny(RiffusionEngine):
        def __init__(self, **given):
            super().__init__(str(checkpoint), "cpu", "float32")

    async def main():
        settings = Settings(data_dir=tmp_path, checkpoint=str(checkpoint))
        pool = EnginePool({"riffusion": Tiny})
        queue = JobQueue(settings, pool, ClipSlots(1, 8), tasks_of(settings, pool), SystemClock())
        batch = '{"params": {"num_inference_steps": 1, "width": 128}, "entries": [{"prompt": "bells", "seed": 3}]}'
        making = {"steps": 2, "scheduler": None, "preset": "original", "guidance": 1.0, "format": "wav"}
        jobs = [
            queue.create("me", "a", True, "interpolate", {"start": "a", "end": "b", "clips": 2, "seed": 4, **making}),
            queue.create("me", "a", True, "batch", {"engine": "riffusion", "batch": batch, "format": "wav"}),
        ]
        async with asyncio.timeout(300):
            while any(job.id in queue._running for job in jobs):
                await asyncio.sleep(0.01)
        assert [(job.state, job.fault) for job in jobs] == [("done", None)] * 2
        sounds = [decode(queue.store.folder(job) / job.results[0].name) for job in jobs]
        queue.stop()
        return jobs, sounds, pool.get("riffusion")

    jobs, sounds, engine = asyncio.run(main())
    assert [one.name for one in jobs[0].results] == ["clip.wav", "clip.png"]
    ends = [PromptInput(prompt, 4, guidance=1.0) for prompt in "ab"]
    clip = tasks.between_prompts(engine, *ends, clips=2, config=DenoisingConfig(2))
    one = tasks.text_to_audio(engine, PromptInput("bells", 3), 1.28, DenoisingConfig(1))
    for made, expected in zip(sounds, (clip.audio, one.audio), strict=True):
        assert made.frames == expected.frames
        assert abs(made.samples - expected.samples.clip(-1, 1)).max() < 2e-4  # 16 bits


def test_without_a_checkpoint_the_tasks_say_what_to_install(tmp_path):
    pool = EnginePool()
    settings = Settings(data_dir=tmp_path, checkpoint=str(tmp_path / "nowhere"))
    lacking = tasks_of(settings, pool)["transform"].lacking()
    assert isinstance(lacking, CheckpointError)
    assert "lullwave models pull" in str(lacking)
