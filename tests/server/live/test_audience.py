"""Counts of people against a plain model, and one notification for many changes."""

import asyncio
import random
from contextlib import ExitStack

from lullwave.server.live import audience as module
from lullwave.server.live.audience import Audience

STATIONS = ["main", "other"]


def test_counts_are_those_of_a_plain_model():
    async def run():
        audience, draw, held = Audience(STATIONS, "main"), random.Random(3), []
        for _ in range(400):
            if held and draw.random() < 0.45:
                held.pop(draw.randrange(len(held)))[-1].close()
            else:
                kind, listener, stack = draw.choice([*STATIONS, "socket"]), draw.choice("abcdef"), ExitStack()
                stack.enter_context(audience.socket(listener) if kind == "socket" else audience.audio(kind, listener))
                held.append((kind, listener, stack))
            hearing = {station: {who for kind, who, _ in held if kind == station} for station in STATIONS}
            anywhere = hearing["main"] | hearing["other"]
            silent = {who for kind, who, _ in held if kind == "socket"} - anywhere
            assert audience.people("main") == len(hearing["main"] | silent)
            assert audience.people("other") == len(hearing["other"])
            assert audience.total == len(anywhere | silent)
            assert {who for who in "abcdef" if audience.hears(who)} == anywhere

    asyncio.run(run())


def test_many_changes_cause_one_notification_with_the_last_number(monkeypatch):
    monkeypatch.setattr(module, "NOTIFY_EVERY_S", 0.01)

    async def run():
        audience, told = Audience(STATIONS, "main"), []
        audience.watch(lambda station, people: told.append((station, people)))
        with ExitStack() as stack:
            for n in range(500):
                stack.enter_context(audience.socket(f"listener-{n}"))
            assert told == [("main", 1)]  # the first one at once: it wakes the station
            await audience.changed()
            assert told == [("main", 1), ("main", 500)]
            for _ in range(1000):  # listening, paused, listening, paused …
                with audience.socket("flood"):
                    pass
        await audience.changed()
        assert told[-1] == ("main", 0)
        assert len(told) <= 4

    asyncio.run(run())


def test_leaving_is_told_when_the_last_audio_connection_has_ended(monkeypatch):
    monkeypatch.setattr("lullwave.server.live.audience.AWAY_S", 0.2)

    async def run():
        audience, left = Audience(STATIONS, "main"), []
        audience.watch_leaving(left.append)
        with audience.socket("a"), audience.audio("main", "a"), audience.audio("other", "a"):
            pass
        with audience.audio("main", "a"):  # a player that connects again has not left
            await asyncio.sleep(0.4)
            assert left == []
        await asyncio.sleep(0.4)
        assert left == ["a"]

    asyncio.run(run())
