"""How many actors a pool should have: known answers, and bounds that hold for any load."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lullwave.cluster.scaling import ActorLoad, PoolLimits, actors_wanted

LIMITS = PoolLimits(smallest=1, largest=4, streams=10)


@pytest.mark.parametrize(
    ("loads", "wanted"),
    [
        ([], 1),  # none answers yet: the smallest pool
        ([ActorLoad(8)], 1),
        ([ActorLoad(9)], 2),  # nearly all places are taken
        ([ActorLoad(3, waiting=2, speed=0.9)], 2),  # few streams, but it does not keep up
        ([ActorLoad(3, waiting=2, speed=4.0)], 1),  # blocks wait for a moment only
        ([ActorLoad(3, waiting=0, speed=0.9)], 1),  # slow by itself, as one long block is
        ([ActorLoad(5), ActorLoad(0, idle_s=61)], 1),
        ([ActorLoad(6), ActorLoad(0, idle_s=61)], 2),  # the other one would be too full
        ([ActorLoad(0), ActorLoad(0, idle_s=59)], 2),  # not yet
        ([ActorLoad(9)] * 4, 4),  # no more than the largest pool
        ([ActorLoad(0, idle_s=999)], 1),  # no fewer than the smallest
    ],
)
def test_known_loads(loads, wanted):
    assert actors_wanted(loads, LIMITS) == wanted


loads = st.lists(
    st.builds(
        ActorLoad,
        st.integers(0, 50),
        st.integers(0, 9),
        st.none() | st.floats(0.01, 99),
        st.floats(0, 1e4),
    ),
    max_size=12,
)


@given(loads, st.integers(1, 4), st.integers(0, 8), st.integers(1, 20))
def test_one_step_at_a_time_within_the_bounds(loads, smallest, more, streams):
    limits = PoolLimits(smallest, smallest + more, streams)
    wanted = actors_wanted(loads, limits)
    assert limits.smallest <= wanted <= limits.largest
    if limits.smallest <= len(loads) <= limits.largest:
        assert abs(wanted - len(loads)) <= 1


@given(loads)
def test_it_does_not_swing(loads):
    """A pool that has just been made smaller by an idle actor is not made larger again for the same streams."""
    wanted = actors_wanted(loads, LIMITS)
    if wanted == len(loads) - 1:
        streams = sum(load.streams for load in loads)
        rest = [ActorLoad(streams // wanted + (n < streams % wanted)) for n in range(wanted)]
        assert actors_wanted(rest, LIMITS) == wanted
