"""The stream of tiles with a tile source of sines: joins, steering, snapshots, whatever the sizes of the blocks."""

import numpy as np
import pytest

pytest.importorskip("torch")

from lullwave.audio import concat
from lullwave.engines.base import Understanding
from lullwave.engines.riffusion.stream import RiffusionStream
from lullwave.engines.riffusion.stream_state import unpack
from lullwave.errors import InvalidInput, SnapshotError, StreamClosed
from lullwave.request import Request

RATE = 44100
PARTIALS = (110.0, 220.0, 330.0, 550.0)


class Sines:
    """Tiles of one grey value each; their sound is a chord in new phases every time, as loud as the tile is dark."""

    rate, hop, tile, beats = RATE, 441, 512, 8

    def __init__(self):
        self.drawn = []

    def draw(self, steers, tile, at_frame, cancelled):
        if cancelled():
            raise StreamClosed("cancelled")
        self.drawn.append((tile, at_frame, steers[-1].prompt))
        value = 60 + 10 * (tile % 3) + 30 * (steers[-1].prompt == "loud")
        return np.full((32, self.tile), value, np.uint8)

    def samples(self, columns):
        frames = (columns.shape[1] - 1) * self.hop
        level = np.interp(np.arange(frames) / self.hop, np.arange(columns.shape[1]), columns.mean(0) / 1000)
        rng = np.random.default_rng(int(columns.astype(int).sum()))
        t = np.arange(frames) / self.rate
        sines = [np.sin(2 * np.pi * f * t + rng.uniform(0, 2 * np.pi)) for f in PARTIALS]
        return (level * sum(sines)).astype(np.float32)


def stream_of(tiles=None, duration_s=None, prompt="calm"):
    tiles = tiles or Sines()
    request = Request(prompt, 5, duration_s)

    def restore(snapshot):
        asked, position, steers, segments = unpack(snapshot)
        return RiffusionStream(asked, Sines(), Understanding, restore, segments, steers, position)

    return RiffusionStream(request, tiles, Understanding, restore)


def read_all(stream, seconds, block):
    left, parts = round(seconds * RATE), []
    while left:
        parts.append(stream.read(min(block, left)))
        left -= parts[-1].frames
    return concat(parts).samples[:, 0]


def test_a_finite_stream_has_its_length_and_ends_in_silence():
    stream = stream_of(duration_s=7.5)
    whole = read_all(stream, 7.5, 11025)
    assert stream.read(100).frames == stream_of().read(0).frames == 0
    with pytest.raises(InvalidInput, match="frames: got -1"):
        stream.read(-1)
    assert len(whole) == round(7.5 * RATE)
    assert abs(whole[-1]) < 1e-3


def partial_levels(sound, frequency):
    t = np.arange(len(sound)) / RATE
    window = np.hanning(8192) / np.hanning(8192).sum()
    return 2 * np.abs(np.convolve(sound * np.exp(-2j * np.pi * frequency * t), window, "valid"))


def test_joins_have_no_dip_and_no_click():
    sound = read_all(stream_of(), 18, 44100)
    tile = 512 * 441
    for join in (tile, 2 * tile, 3 * tile):
        around = sound[join - 22050 : join + 44100].astype(np.float64)
        for frequency in PARTIALS:
            level = partial_levels(around, frequency)
            assert 20 * np.log10(level.min() / 0.06) > -3
            assert 20 * np.log10(level.max() / 0.08) < 3
        steepest = np.abs(np.diff(around)).max()
        before = np.abs(np.diff(sound[join - 90000 : join - 45000])).max()
        after = np.abs(np.diff(sound[join + 45000 : join + 90000])).max()
        assert steepest < 1.5 * max(before, after)


def test_beats_go_on_through_joins():
    stream = stream_of()
    stream.read(15 * RATE)
    beats = np.array(stream.beats(0, 15 * RATE))
    assert np.abs(np.diff(beats) - 0.64 * RATE).max() <= 1
    assert stream.marks(0, 10)[0].data["tempo_bpm"] == pytest.approx(93.75)


def test_a_change_of_prompt_is_heard_at_once_and_said():
    tiles = Sines()
    stream = stream_of(tiles)
    untouched = read_all(stream_of(), 10, 44100)
    first = read_all(stream, 2, 44100)
    stream.steer("loud", over_s=1)
    rest = read_all(stream, 8, 44100)
    sound = np.concatenate([first, rest])
    at = 2 * RATE
    assert np.array_equal(sound[:at], untouched[:at])
    assert not np.array_equal(sound[at + 441 : at + 22050], untouched[at + 441 : at + 22050])
    louder = np.sqrt(np.mean(sound[3 * RATE : 5 * RATE] ** 2) / np.mean(untouched[3 * RATE : 5 * RATE] ** 2))
    assert louder == pytest.approx(1.5, abs=0.1)
    assert [mark.frame for mark in stream.marks(0, 10 * RATE)] == [0, at]
    assert tiles.drawn[1][0] == 0  # the rest of the same tile, so that the beat stays
    with pytest.raises(InvalidInput):
        stream.steer("x", over_s=-1)


@pytest.mark.parametrize("at_s", [None, 0.0, 3.0, 512 * 0.01, 6.0])
def test_a_fork_plays_what_the_stream_played(at_s):
    stream = stream_of()
    whole = read_all(stream_of(), 20, 44100)
    read_all(stream, 9, 44100)
    at = stream.position if at_s is None else round(at_s * RATE)
    fork = stream.fork(None if at_s is None else at)
    assert fork.position == at
    assert np.array_equal(read_all(fork, 8, 30000), whole[at : at + 8 * RATE])
    fork.steer("loud")
    read_all(fork, 2, 44100)
    assert np.array_equal(read_all(stream, 8, 44100), whole[9 * RATE : 17 * RATE])


def test_snapshots_out_of_reach_or_damaged_are_refused():
    stream = stream_of()
    read_all(stream, 2, 44100)
    good = stream.snapshot()
    for at in (-1, 3 * RATE):
        with pytest.raises(SnapshotError):
            stream.snapshot(at)
    for bad in (b"", b"x" * 100, good[:-20], good[:40] + b"?" + good[41:], good[:8] + b"\xff\xff\xff\xff" + good[12:]):
        with pytest.raises(SnapshotError):
            unpack(bad)


def test_memory_stays_bounded_and_a_minute_can_be_taken_back():
    stream = stream_of()
    read_all(stream, 150, 10 * RATE)
    assert len(stream._segments) < 16
    assert stream.fork(stream.position - 60 * RATE).position == stream.position - 60 * RATE
