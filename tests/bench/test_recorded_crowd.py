"""What a recording says about a player: known answers for waits, silence and holes."""

import random

import pytest

from bench.radio.recorded_crowd import LEAD_BYTES, Recording, missing_bytes


def arriving(*pairs: tuple[float, int]) -> Recording:
    """(time, bytes) of each arrival."""
    recording, total = Recording(), 0
    for at, size in pairs:
        total += size
        recording.arrivals.append((at, total))
    recording.data = bytearray(total)
    return recording


def test_a_player_is_silent_from_the_end_of_what_it_has_until_more_comes():
    smooth = arriving((0, 3000), *((n, 1000) for n in range(1, 20)))
    assert smooth.silent_s(0, 19, 1000) == 0
    assert smooth.longest_wait_s(0, 19) == 1
    late = arriving((0, 3000), (1, 1000), (6.5, 1000), (7, 9000))  # 4 s of sound by 1 s, nothing from 4 to 6.5
    assert late.silent_s(0, 10, 1000) == pytest.approx(2.5)
    assert late.silent_s(5, 10, 1000) == pytest.approx(1.5)
    assert late.longest_wait_s(0, 10) == 5.5
    assert arriving((0, 2000)).silent_s(0, 10, 1000) == pytest.approx(8)


def test_holes_are_counted():
    stream = random.Random(1).randbytes(100_000)
    own = bytes(LEAD_BYTES)

    def heard(data: bytes) -> Recording:
        return Recording(data=bytearray(own + data))

    whole = Recording(data=bytearray(stream))
    assert missing_bytes([whole, heard(stream[20_000:90_000]), heard(stream[50_000:] + b"later than the first")]) == 0
    assert missing_bytes([whole, heard(stream[20_000:40_000] + stream[41_000:90_000])]) == 49_000
    assert missing_bytes([whole, heard(b"other" * 2000)]) == 10_000
