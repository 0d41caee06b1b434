"""The failover and the waits by themselves: what is to be heard, decided from what is seen."""

from dataclasses import replace

import pytest

from lullwave.station.backoff import LONGEST_BROKEN_S, LONGEST_S, TRUST_S, Backoff
from lullwave.station.failover import Cause, Failover, Observation, Tier

WELL = Observation(Cause.NONE, reserve_s=24.0, low_s=8.0, ahead_s=1.0, margin_s=0.5)
BOTH = frozenset({Tier.ARCHIVE, Tier.EMBEDDED})
CLIPS = frozenset({Tier.ARCHIVE})
BAND = frozenset({Tier.EMBEDDED})


def on(tier: Tier) -> Failover:
    failover = Failover()
    failover.tier = tier
    return failover


@pytest.mark.parametrize(
    ("begin", "changes", "end"),
    [
        (Tier.RESERVE, {}, Tier.PRIMARY),
        (Tier.RESERVE, {"ahead_s": 0.2}, Tier.RESERVE),
        (Tier.RESERVE, {"settled": False}, Tier.RESERVE),
        (Tier.PRIMARY, {}, Tier.PRIMARY),
        (Tier.PRIMARY, {"cause": Cause.LOST}, Tier.RESERVE),
        (Tier.PRIMARY, {"cause": Cause.LOST, "reserve_s": 7.0}, Tier.RESERVE),  # nobody is ready
        (Tier.PRIMARY, {"cause": Cause.LOST, "reserve_s": 7.0, "ready": BOTH}, Tier.ARCHIVE),
        (Tier.PRIMARY, {"cause": Cause.STALLED, "steer_waiting": True, "ready": BOTH}, Tier.EMBEDDED),
        (Tier.PRIMARY, {"cause": Cause.SLOW, "reserve_s": 7.0, "ready": BOTH}, Tier.PRIMARY),  # it has music ready
        (Tier.PRIMARY, {"cause": Cause.SLOW, "reserve_s": 7.0, "ready": BOTH, "ahead_s": 0.0}, Tier.ARCHIVE),
        (Tier.PRIMARY, {"reserve_s": 2.0, "ready": BAND, "starving": True}, Tier.EMBEDDED),
        (Tier.RESERVE, {"cause": Cause.LOADING, "reserve_s": 0.0, "ready": BAND}, Tier.EMBEDDED),
        (Tier.ARCHIVE, {"cause": Cause.LOST, "ready": CLIPS}, Tier.ARCHIVE),
        (Tier.ARCHIVE, {"cause": Cause.LOST, "ready": BOTH, "steer_waiting": True}, Tier.EMBEDDED),
        (Tier.ARCHIVE, {"cause": Cause.LOST, "ready": CLIPS, "steer_waiting": True}, Tier.ARCHIVE),
        (Tier.ARCHIVE, {"cause": Cause.LOST, "ready": BAND, "clips_over": True}, Tier.EMBEDDED),
        (Tier.ARCHIVE, {"ready": CLIPS, "ahead_s": 3.0, "margin_s": 4.0}, Tier.ARCHIVE),
        (Tier.ARCHIVE, {"ready": CLIPS, "ahead_s": 4.0, "margin_s": 4.0}, Tier.PRIMARY),
        (Tier.EMBEDDED, {"cause": Cause.FAILED, "ready": BAND, "reserve_s": 1.0}, Tier.EMBEDDED),
        (Tier.EMBEDDED, {"cause": Cause.LOST, "ready": CLIPS}, Tier.ARCHIVE),  # it broke as well
        (Tier.EMBEDDED, {"cause": Cause.SLOW, "ready": BAND, "ahead_s": 30.0, "margin_s": 30.0}, Tier.PRIMARY),
    ],
)
def test_each_step(begin, changes, end):
    assert on(begin).next_tier(replace(WELL, **changes)) is end


def test_waits_grow_are_bounded_and_begin_anew_after_long_good_play():
    for chance, share in ((0.0, 0.5), (1.0, 1.0)):
        backoff = Backoff(lambda chance=chance: chance)
        waits = [backoff.failed(0.0) for _ in range(8)]
        assert waits == [share * wait for wait in (1, 2, 4, 8, LONGEST_S, LONGEST_S, LONGEST_S, LONGEST_S)]
        assert backoff.failed(0.0, LONGEST_BROKEN_S) == share * 256
        backoff.plays(10.0)
        backoff.plays(11.0)
        assert backoff.failed(10.0 + TRUST_S / 2) > 10.0 + TRUST_S / 2 + share * 2
        backoff.plays(100.0)
        assert backoff.failed(101.0 + TRUST_S) == 101.0 + TRUST_S + share
