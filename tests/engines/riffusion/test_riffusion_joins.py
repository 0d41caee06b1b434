"""Joins between tiles that were drawn from real music: level, clicks and beats, as the metrics define them."""

import itertools

import numpy as np
import pytest

pytest.importorskip("torch")
pyloudnorm = pytest.importorskip("pyloudnorm")

from bench.embedded.estimators import clicks  # noqa: E402
from lullwave.engines.base import Understanding  # noqa: E402
from lullwave.engines.riffusion.seed_images import SeedImages  # noqa: E402
from lullwave.engines.riffusion.spectrogram_converter import HOP, RATE, SpectrogramConverter  # noqa: E402
from lullwave.engines.riffusion.stream import RiffusionStream, _crossfade  # noqa: E402
from lullwave.request import Request  # noqa: E402

TILE_FRAMES = 512 * HOP


class Repainted:
    """Tiles of a seed image, each with changes of its own in all its bands, as from one tile of a walk to the next."""

    rate, hop, tile, beats = RATE, HOP, 512, 8

    def __init__(self, name):
        self._grey = np.asarray(SeedImages()(name).convert("L")).astype(float)
        self._converter = SpectrogramConverter()

    def draw(self, steers, tile, at_frame, cancelled):
        rng = np.random.default_rng(tile)
        bands = np.repeat(rng.uniform(-12, 12, 32), 16)[:, None]
        return np.clip(self._grey + bands + rng.normal(0, 4, self._grey.shape), 0, 255).astype(np.uint8)

    def samples(self, columns):
        return self._converter.samples(columns)


@pytest.fixture(scope="module", params=["og_beat", "vibes", "motorway"])
def played(request):
    """Four tiles as the stream joins them, and the same columns converted in one go."""
    source = Repainted(request.param)
    stream = RiffusionStream(Request(), source, Understanding, None)
    sound = stream.read(4 * TILE_FRAMES).samples[:, 0]
    tiles = [source.draw(None, n, 0, None) for n in range(5)]
    columns = [tiles[0], *(_crossfade(a, b, 0) for a, b in itertools.pairwise(tiles))]
    return sound, source.samples(np.concatenate(columns, axis=1))[: len(sound)], stream


JOINS = (TILE_FRAMES, 2 * TILE_FRAMES, 3 * TILE_FRAMES)


def test_loudness_agrees_on_both_sides_of_a_join(played):
    sound, at_once, _ = played
    meter = pyloudnorm.Meter(RATE, block_size=0.4)

    def change(samples, at):
        after, before = samples[at : at + RATE], samples[at - RATE : at]
        return meter.integrated_loudness(after) - meter.integrated_loudness(before)

    for join in JOINS:
        assert abs(change(sound, join)) <= 3.0
        assert change(sound, join) == pytest.approx(change(at_once, join), abs=0.3)


def test_no_join_clicks(played):
    """Onsets of drums count as clicks too: a join adds none to those that the music has."""
    sound, at_once, _ = played

    def near(samples):
        found = np.array(clicks(samples[:, None], RATE))
        return sum(bool(np.abs(np.array(JOINS) / RATE - at).min() < 0.5) for at in found)

    assert near(sound) <= near(at_once) + 2


def test_beats_go_on_within_ten_milliseconds(played):
    """The onsets of each tile, found by the rise of its highest octave, fall where those of the tile before fell."""
    sound, _, stream = played
    frames = len(sound) // HOP
    high = np.diff(sound, prepend=0.0)[: frames * HOP].reshape(frames, HOP)
    level = np.log10(np.sqrt((high**2).mean(1)) + 1e-5)
    rise = np.maximum(0, np.diff(level, prepend=level[0]))
    first = rise[:512]
    for tile in range(1, 4):
        lags = range(-5, 6)
        agreement = [np.dot(first, np.roll(rise[tile * 512 : (tile + 1) * 512], -lag)) for lag in lags]
        assert abs(lags[int(np.argmax(agreement))]) <= 1
    assert np.abs(np.diff(stream.beats(0, len(sound))) - 0.64 * RATE).max() <= 1
