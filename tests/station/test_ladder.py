"""The ladder and the waits by themselves: what is to be heard, decided from what is seen."""

from dataclasses import replace

import pytest

from lullwave.station.backoff import LONGEST_BROKEN_S, LONGEST_S, TRUST_S, Backoff
from lullwave.station.failover import Cause, Ladder, Rung, Sight

WELL = Sight(Cause.NONE, reserve_s=24.0, low_s=8.0, ahead_s=1.0, margin_s=0.5)
BOTH = frozenset({Rung.RECYCLED, Rung.EMBEDDED})
CLIPS = frozenset({Rung.RECYCLED})
BAND = frozenset({Rung.EMBEDDED})


def on(rung: Rung) -> Ladder:
    ladder = Ladder()
    ladder.rung = rung
    return ladder


@pytest.mark.parametrize(
    ("begin", "changes", "end"),
    [
        (Rung.RESERVE, {}, Rung.ENGINE),
        (Rung.RESERVE, {"ahead_s": 0.2}, Rung.RESERVE),
        (Rung.RESERVE, {"settled": False}, Rung.RESERVE),
        (Rung.ENGINE, {}, Rung.ENGINE),
        (Rung.ENGINE, {"cause": Cause.LOST}, Rung.RESERVE),
        (Rung.ENGINE, {"cause": Cause.LOST, "reserve_s": 7.0}, Rung.RESERVE),  # nobody is ready
        (Rung.ENGINE, {"cause": Cause.LOST, "reserve_s": 7.0, "ready": BOTH}, Rung.RECYCLED),
        (Rung.ENGINE, {"cause": Cause.STALLED, "wish": True, "ready": BOTH}, Rung.EMBEDDED),
        (Rung.ENGINE, {"cause": Cause.SLOW, "reserve_s": 7.0, "ready": BOTH}, Rung.ENGINE),  # it has music ready
        (Rung.ENGINE, {"cause": Cause.SLOW, "reserve_s": 7.0, "ready": BOTH, "ahead_s": 0.0}, Rung.RECYCLED),
        (Rung.ENGINE, {"reserve_s": 2.0, "ready": BAND, "starving": True}, Rung.EMBEDDED),
        (Rung.RESERVE, {"cause": Cause.LOADING, "reserve_s": 0.0, "ready": BAND}, Rung.EMBEDDED),
        (Rung.RECYCLED, {"cause": Cause.LOST, "ready": CLIPS}, Rung.RECYCLED),
        (Rung.RECYCLED, {"cause": Cause.LOST, "ready": BOTH, "wish": True}, Rung.EMBEDDED),
        (Rung.RECYCLED, {"cause": Cause.LOST, "ready": CLIPS, "wish": True}, Rung.RECYCLED),
        (Rung.RECYCLED, {"cause": Cause.LOST, "ready": BAND, "clips_over": True}, Rung.EMBEDDED),
        (Rung.RECYCLED, {"ready": CLIPS, "ahead_s": 3.0, "margin_s": 4.0}, Rung.RECYCLED),
        (Rung.RECYCLED, {"ready": CLIPS, "ahead_s": 4.0, "margin_s": 4.0}, Rung.ENGINE),
        (Rung.EMBEDDED, {"cause": Cause.FAILED, "ready": BAND, "reserve_s": 1.0}, Rung.EMBEDDED),
        (Rung.EMBEDDED, {"cause": Cause.LOST, "ready": CLIPS}, Rung.RECYCLED),  # it broke as well
        (Rung.EMBEDDED, {"cause": Cause.SLOW, "ready": BAND, "ahead_s": 30.0, "margin_s": 30.0}, Rung.ENGINE),
    ],
)
def test_each_step(begin, changes, end):
    assert on(begin).look(replace(WELL, **changes)) is end


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
