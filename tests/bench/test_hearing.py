"""What the fault bench says of a listener is what was done to it."""

import pytest

from bench.embedded.hearing import Connection, Ear, Told, mp3_seconds

HEADER = bytes((0xFF, 0xFB, 0xB0, 0x40))  # MPEG-1, layer III, 192 kbit/s, 44.1 kHz
SECOND = 24_000  # bytes


def heard(*came: tuple[float, float]) -> Ear:
    """An ear to which (moment, seconds of sound until then) came."""
    ear = Ear(port=0)
    ear.connections.append(
        Connection(bytearray(HEADER), [(at, round(seconds * SECOND)) for at, seconds in came]),
    )
    return ear


def test_sound_that_comes_in_time_is_no_gap():
    assert heard((0, 3), (0.5, 3.5), (3.4, 4), (4.0, 5)).waited(0) == (0, 0)


def test_what_a_player_waits_is_counted_once_and_by_the_longest():
    ear = heard((0, 3), (4, 4), (5.5, 20), (15, 21))  # dry from 3 to 4 and from 5 to 5.5
    assert ear.waited(0) == (pytest.approx(1.0), pytest.approx(1.5))
    assert ear.waited(4.5) == (pytest.approx(0.5), pytest.approx(0.5))


def test_a_second_connection_goes_on_where_the_first_one_ended():
    ear = heard((0, 3), (1, 4))
    ear.connections.append(Connection(bytearray(HEADER), [(6, 3 * SECOND)]))
    assert ear.waited(0) == (pytest.approx(2.0), pytest.approx(2.0))


def test_the_rungs_begin_with_the_one_that_the_fault_met():
    ear = Ear(port=0)
    for at, rung in ((1, "reserve"), (2, "engine"), (5, "reserve"), (6, "reserve"), (9, "recycled"), (12, "engine")):
        ear.events.append(Told(at, "rung", {"rung": rung}))
    assert ear.rungs(4) == ["engine", "reserve", "recycled", "engine"]


def test_a_join_is_where_somebody_elses_music_begins():
    ear = Ear(port=0)
    for at, frame, source in ((1, 0, None), (2, 100, None), (5, 200, "recycled"), (7, 300, "recycled"), (9, 400, None)):
        ear.events.append(Told(at, "piece", {"frame": frame, **({"source": source} if source else {})}))
    assert ear.joins(0) == [200, 400]
    assert ear.joins(6) == [400]


def test_a_piece_that_is_broken_off_ends_at_a_join_too():
    ear = Ear(port=0)
    for at, frame, frames in ((1, 0, 441000), (11, 441000, 441000), (15, 600000, 441000), (25, 1041000, None)):
        ear.events.append(Told(at, "piece", {"frame": frame, "frames": frames}))
    assert ear.joins(0) == [600000]


def test_seconds_of_a_stream():
    assert mp3_seconds(bytearray(HEADER), 0, SECOND) == 1.0
