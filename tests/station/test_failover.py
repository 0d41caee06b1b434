"""The failover decision: from one tier and one observation to the next tier."""

from dataclasses import replace

import pytest

from lullwave.station.failover import Cause, Failover, Observation, Tier

WELL = Observation(Cause.NONE, reserve_s=24.0, low_s=8.0, ahead_s=1.0, margin_s=0.5)
BOTH = frozenset({Tier.ARCHIVE, Tier.EMBEDDED})
CLIPS = frozenset({Tier.ARCHIVE})
BAND = frozenset({Tier.EMBEDDED})


def on(tier: Tier) -> Failover:
    return Failover(tier)


@pytest.mark.parametrize(
    ("begin", "changes", "end"),
    [
        (Tier.RESERVE, {}, Tier.PRIMARY),
        (Tier.RESERVE, {"ahead_s": 0.2}, Tier.RESERVE),
        (Tier.RESERVE, {"settled": False}, Tier.RESERVE),
        (Tier.PRIMARY, {}, Tier.PRIMARY),
        (Tier.PRIMARY, {"cause": Cause.LOST}, Tier.RESERVE),
        (Tier.PRIMARY, {"cause": Cause.LOST, "reserve_s": 7.0}, Tier.RESERVE),  # no fallback is ready
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
        (Tier.EMBEDDED, {"cause": Cause.LOST, "ready": CLIPS}, Tier.ARCHIVE),  # the embedded engine failed too
        (Tier.EMBEDDED, {"cause": Cause.SLOW, "ready": BAND, "ahead_s": 30.0, "margin_s": 30.0}, Tier.PRIMARY),
    ],
)
def test_the_next_tier(begin, changes, end):
    assert on(begin).next_tier(replace(WELL, **changes)) is end
