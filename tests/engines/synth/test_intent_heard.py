"""Requests that notes do not show, read from the sound: places, noise, kits, brightness and time of day."""

import numpy as np
import pytest

from bench.embedded.estimators import clicks
from lullwave.engines.synth.engine import SynthEngine
from lullwave.engines.synth.score import RATE
from lullwave.engines.synth.sound import ambience
from lullwave.request import Request

LAYERS = ("rain", "fire", "cafe", "night", "waves", "train")


@pytest.fixture(scope="module")
def engine():
    return SynthEngine(cache_mb=80)


def sound(engine, prompt, seed=2, seconds=10.0):
    with engine.stream(Request(prompt, seed, seconds)) as stream:
        return stream.read(round(seconds * RATE)).samples.astype(np.float64)


def layer_lufs(samples, name, seed):
    """How loud a place is under the music, by what the sound has in common with it (a matched filter)."""
    layer = ambience.layer(name, 0, len(samples), seed).T.astype(np.float64)
    share = (samples * layer).sum() / (layer * layer).sum()
    return 20 * np.log10(max(abs(share), 1e-6)) + ambience.LUFS


def power(samples):
    return np.fft.rfftfreq(len(samples), 1 / RATE), np.abs(np.fft.rfft(samples.mean(axis=1))) ** 2


def centroid_hz(samples):
    hz, energy = power(samples)
    heard = (hz > 30) & (hz < 12000)
    return float((hz * energy)[heard].sum() / energy[heard].sum())


def floor_dbfs(samples):
    """The level of the quietest tenth, of what lies so high that no note reaches it."""
    high = np.diff(samples, 4, axis=0)
    frames = high[: len(high) // 882 * 882].reshape(-1, 882 * 2)
    return 20 * np.log10(np.percentile(np.sqrt((frames**2).mean(axis=1)), 10) + 1e-9)


@pytest.mark.parametrize(
    ("prompt", "places"),
    [
        ("rainy night rhodes", {"rain"}), ("rainy café jazz", {"rain", "cafe"}), ("rhodes by the fireplace", {"fire"}),
        ("ocean waves and piano", {"waves"}), ("night train, wurlitzer", {"train"}),
        ("crickets and guitar", {"night"}), ("piano, no rain", set()),
    ],
)  # fmt: skip
def test_places_are_heard_and_no_others(engine, prompt, places):
    samples = sound(engine, prompt, 3)
    levels = {name: layer_lufs(samples, name, 3) for name in LAYERS}
    assert {name for name, level in levels.items() if level > -42.0} == places, levels
    assert all(levels[name] == pytest.approx(-33.0, abs=3.0) for name in places), levels


def test_crackle_and_hiss_are_heard_unless_they_are_not_wanted(engine):
    prompts = [f"rhodes, no drums, clean{noise}" for noise in (", vinyl crackle", ", crackle", ", no crackle")]
    much, some, none = (sound(engine, prompt) for prompt in prompts)
    assert clicks(much, RATE) == clicks(none, RATE) == []  # soft grains, and none that sounds like a broken sample
    assert floor_dbfs(none) < floor_dbfs(some) - 6.0
    stems = [engine.stems(Request(prompt, 2, 10.0)) for prompt in prompts]
    assert "noise" not in stems[2]
    grains = [np.abs(stem["noise"].samples).max() for stem in stems[:2]]
    assert 20 * np.log10(grains) == pytest.approx(-38, abs=8)


NIGHT = ("midnight", "3am", "evening", "after dark")
DAY = ("morning", "noon", "sunny", "9am")


@pytest.mark.parametrize("seed", [1, 2])
def test_the_time_of_day_is_heard_in_the_same_bars(engine, seed):
    """One stream, turned to each hour at the same bar: the notes of the next bars are the same, the light is not."""
    start = engine.stream(Request("rhodes and upright bass, no drums, no crackle, no melody, 80 bpm in C major", seed))
    start.read(13 * RATE)

    def after(wish):
        with start.fork() as branch:
            branch.steer(wish, 12.0)
            heard = branch.read(9 * RATE).samples[3 * RATE :].astype(np.float64)
            return centroid_hz(heard)

    night = {hour: after(f"make it {hour}") for hour in NIGHT}
    day = {hour: after(f"make it {hour}") for hour in DAY}
    assert max(night.values()) < min(day.values()), (night, day)
    assert after("darker") < after("brighter")


def test_kits_are_heard(engine):
    def brushed(prompt, seed):
        """Level of what brushes sweep against that of what sticks strike, in dB."""
        hz, energy = power(engine.stems(Request(prompt, seed, 10.0))["drums"].samples.astype(np.float64))
        swept, struck = (energy[(hz > low) & (hz < high)].sum() for low, high in ((500, 2000), (120, 500)))
        return 10 * np.log10(swept / struck)

    assert brushed("lofi with brushes, 80 bpm", 1) > -3.5
    for kit in ("dusty drums", "acoustic drums", "electronic drums"):
        assert brushed(f"lofi with {kit}, 80 bpm", 1) < -5.0
    assert brushed("jazz, no brushes", 2) < -5.0
    assert "drums" not in engine.stems(Request("jazz, no drums", 1, 10.0))
