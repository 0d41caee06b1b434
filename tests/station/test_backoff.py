"""The waits of an engine that fails: doubled, bounded, and short again after long good play."""

from lullwave.station.backoff import LONGEST_BROKEN_S, LONGEST_S, TRUST_S, Backoff


def test_waits_double_up_to_a_limit_and_start_anew_after_long_play():
    for chance, share in ((0.0, 0.5), (1.0, 1.0)):
        backoff = Backoff(lambda chance=chance: chance)
        waits = [backoff.failed(0.0) for _ in range(8)]
        assert waits == [share * wait for wait in (1, 2, 4, 8, LONGEST_S, LONGEST_S, LONGEST_S, LONGEST_S)]
        assert backoff.failed(0.0, LONGEST_BROKEN_S) == share * 256
        backoff.playing(10.0)
        backoff.playing(11.0)
        assert backoff.failed(10.0 + TRUST_S / 2) > 10.0 + TRUST_S / 2 + share * 2
        backoff.playing(100.0)
        assert backoff.failed(101.0 + TRUST_S) == 101.0 + TRUST_S + share
