"""Strangers' clips on the open legacy route: a small share for each address, and never the owner's places."""

import asyncio
import json
import threading
from concurrent.futures import Future
from contextlib import suppress
from types import SimpleNamespace

import pytest
from radio_server import serving
from sine_engine import SineEngine

from lullwave.engines.riffusion import legacy_api
from lullwave.errors import Busy
from lullwave.server.riffusion_service import PER_ADDRESS, STRANGERS_AT_ONCE, RiffusionService
from lullwave.settings import load

BODY = {"start": {"prompt": "a", "seed": 1}, "end": {"prompt": "b", "seed": 1}, "alpha": 0.5}


class Queue:
    """An engine whose clips are finished by the test."""

    def __init__(self):
        self.jobs = []

    def submit(self, clip):
        job = SimpleNamespace(result=Future())
        job.cancel = job.result.cancel
        self.jobs.append(job)
        return job

    def close(self):
        pass


@pytest.fixture(autouse=True)
def reply(monkeypatch):
    monkeypatch.setattr(legacy_api, "reply", lambda engine, clip, image: {"image": image})


def run(tmp_path, steps):
    """Run ``steps(service, engine, ask)``; ``ask(address, owner)`` begins a request and lets it reach the engine."""
    engine = Queue()

    async def main():
        service = RiffusionService(load({"data_dir": tmp_path}), SimpleNamespace(get=lambda name: engine))
        asked = []

        async def ask(address, owner=False):
            task = asyncio.create_task(service.run_inference(BODY, address, owner))
            asked.append(task)
            before = len(engine.jobs)
            for _ in range(200):
                await asyncio.sleep(0.001)
                if task.done() or len(engine.jobs) > before:
                    break
            return task

        try:
            await steps(service, engine, ask)
        finally:
            for task in asked:
                task.cancel()
                with suppress(asyncio.CancelledError, Busy):
                    await task

    asyncio.run(main())


def test_an_address_has_its_share_and_the_owner_all_places(tmp_path):
    async def steps(service, engine, ask):
        for _ in range(PER_ADDRESS):
            await ask("192.0.2.1")
        with pytest.raises(Busy, match=f"your address has {PER_ADDRESS} clips"):
            await (await ask("192.0.2.1"))
        assert not (await ask("192.0.2.2")).done()
        for _ in range(3 * PER_ADDRESS):
            await ask("192.0.2.1", owner=True)
        assert len(engine.jobs) == PER_ADDRESS + 1 + 3 * PER_ADDRESS

    run(tmp_path, steps)


def test_strangers_never_have_more_than_their_part_of_the_engine_s_queue(tmp_path):
    async def steps(service, engine, ask):
        first = [await ask(f"192.0.2.{n}") for n in range(STRANGERS_AT_ONCE + 2)]
        assert len(engine.jobs) == STRANGERS_AT_ONCE
        engine.jobs[0].result.set_result("made")
        assert await first[0] == {"image": "made"}
        first[1].cancel()  # its client went away
        while len(engine.jobs) < STRANGERS_AT_ONCE + 2:
            await asyncio.sleep(0.001)
        assert engine.jobs[1].result.cancelled()
        await ask("192.0.2.1")  # the place of the one that went away is free again

    run(tmp_path, steps)


def test_the_route_tells_strangers_to_come_back_and_serves_the_owner(tmp_path):
    engine = Queue()
    begun = threading.Semaphore(0)

    class Held(SineEngine):
        def submit(self, clip):
            job = engine.submit(clip)
            begun.release()
            return job

    flags = {"host": "0.0.0.0", "legacy_open": True, "token": "secret"}
    with serving(tmp_path, engines={"synth": SineEngine, "riffusion": Held}, **flags) as served:

        def post(token=None):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return served.ask("/run_inference", "POST", BODY, headers)

        held = [threading.Thread(target=post) for _ in range(PER_ADDRESS)]
        for thread in held:
            thread.start()
            assert begun.acquire(timeout=30)
        refused, data = post()
        assert refused.status == 429
        assert refused.headers["Retry-After"]
        assert refused.headers["Access-Control-Allow-Origin"] == "*"
        assert "your address" in json.loads(data)["error"]["message"]
        owner = threading.Thread(target=post, args=["secret"])
        owner.start()
        assert begun.acquire(timeout=30)
        for job in engine.jobs:
            job.result.set_result("made")
        for thread in [*held, owner]:
            thread.join(30)
            assert not thread.is_alive()
