"""The rate rule against a plain count: never more than the burst and what time has earned since."""

import random

from lullwave.server.rate_limits import MAX_KNOWN, RateLimit, RateLimits


def test_what_is_allowed_never_exceeds_the_burst_and_the_rate():
    draw, pace, now, allowed = random.Random(1), RateLimit(5.0, 10), 100.0, []
    for _ in range(3000):
        now += draw.expovariate(20.0)
        if pace.allows(now):
            allowed.append(now)
    for first in range(len(allowed)):
        for last in range(first, min(first + 60, len(allowed))):
            assert last - first + 1 <= 10 + 5.0 * (allowed[last] - allowed[first]) + 1e-6
    assert len(allowed) > 0.95 * 5.0 * (now - 100.0)  # and not less than the rate


def test_turns_follow_each_other_at_the_rate():
    pace = RateLimit(2.0, 3)
    assert [pace.turn(7.0) for _ in range(6)] == [0.0, 0.0, 0.0, 0.5, 1.0, 1.5]
    assert not pace.rested(7.0)
    assert pace.rested(10.0)
    assert [pace.turn(60.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_clients_are_apart_and_forgotten_only_when_they_have_rested():
    paces = RateLimits(1.0, 1)
    assert paces.of("busy", 0.0).turn(0.0) == 0.0
    for client in range(MAX_KNOWN + 10):
        assert paces.of(str(client), 0.5).turn(0.5) == 0.0
    assert paces.of("busy", 0.5).turn(0.5) == 0.5
    paces.of("another", 100.0)
    assert len(paces._known) <= 2
