"""A timer that is put off ends once, when nothing has put it off for a while."""

import asyncio
from types import SimpleNamespace

import pytest

from lullwave.server.live.idle_timer import IdleTimer


class Loop:
    """The part of an event loop that timers need, with a time that is set."""

    def __init__(self) -> None:
        self.now, self.timers = 100.0, []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, function):
        timer = SimpleNamespace(when=lambda: when, function=function)
        timer.cancel = lambda: self.timers.remove(timer)
        self.timers.append(timer)
        return timer

    def pass_to(self, now: float) -> None:
        while due := [one for one in self.timers if one.when() <= now]:
            first = min(due, key=lambda one: one.when())
            self.now = first.when()
            self.timers.remove(first)
            first.function()
        self.now = now


@pytest.fixture
def loop(monkeypatch):
    loop = Loop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    return loop


def test_it_ends_when_it_was_last_put_off_and_once(loop):
    ended = []
    timer = IdleTimer(lambda: ended.append(loop.now))
    for _ in range(50):
        timer.hold(10.0)
        loop.pass_to(loop.now + 3.0)
        assert len(loop.timers) == 1  # however often it is put off
    assert loop.now == 250.0
    loop.pass_to(400.0)
    assert ended == [257.0]  # ten seconds after the last time
    timer.hold(5.0)
    loop.pass_to(500.0)
    assert ended == [257.0, 405.0]


def test_the_last_word_counts_also_if_it_is_sooner(loop):
    ended = []
    timer = IdleTimer(lambda: ended.append(loop.now))
    timer.hold(60.0)
    timer.hold(1.0)
    loop.pass_to(300.0)
    assert ended == [101.0]
    timer.hold(1.0)
    timer.cancel()
    loop.pass_to(400.0)
    assert ended == [101.0]
