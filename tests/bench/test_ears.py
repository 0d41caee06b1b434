"""The figures of the sound report, on sounds whose answer is known."""

import numpy as np
import pytest

from bench.embedded import ears, variety

RATE = 44100


def stereo(mono: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(mono, np.float32)[:, None], 2, axis=1)


def tone(hz: float, seconds: float = 8.0, level: float = 0.3) -> np.ndarray:
    return level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)


def bursts(every_s: float, seconds: float = 12.0) -> np.ndarray:
    """Short strokes of noise, one every ``every_s``."""
    out, draw = np.zeros(round(seconds * RATE)), np.random.default_rng(1)
    for at in range(0, len(out) - 4000, round(every_s * RATE)):
        out[at : at + 4000] += draw.normal(0, 0.3, 4000) * np.exp(-np.arange(4000) / 600)
    return out


def test_energy_lies_in_the_band_of_the_tone():
    pytest.importorskip("librosa")
    found = ears.figures(stereo(tone(100.0) + tone(8000.0, level=0.03)), RATE)
    assert found["hz_60_250_db"] == pytest.approx(0.0, abs=0.1)
    assert found["hz_6k_10k_db"] == pytest.approx(-20.0, abs=0.5)
    assert found["hz_250_1k_db"] < -50
    assert set(found) == set(ears.RECORDED)


def test_strokes_are_drums_and_a_chord_is_harmony():
    pytest.importorskip("librosa")
    strokes, chord = bursts(0.5), tone(220.0, 12.0) + tone(277.2, 12.0)
    alone = ears.figures(stereo(strokes), RATE)
    assert alone["drums_db"] > 3
    assert alone["high_drums_db"] > -1
    assert alone["onsets_a_second"] == pytest.approx(2.0, abs=0.1)
    harmony = ears.figures(stereo(chord), RATE)
    assert harmony["drums_db"] < -15
    assert harmony["onset_strength"] < alone["onset_strength"]
    louder = ears.figures(stereo(2 * strokes + chord), RATE)["drums_db"]
    assert louder - ears.figures(stereo(strokes + chord), RATE)["drums_db"] == pytest.approx(6.0, abs=2.0)


@pytest.mark.parametrize("side", [0.1, 0.5])
def test_side_against_mid(side):
    draw = np.random.default_rng(2)
    mid, apart = draw.normal(0, 0.1, (2, RATE))
    both = np.stack([mid + side * apart, mid - side * apart], axis=1)
    assert ears.side_db(both) == pytest.approx(20 * np.log10(side), abs=0.1)


def test_a_loop_repeats_and_chance_does_not():
    pytest.importorskip("librosa")
    draw = np.random.default_rng(3)
    bar = draw.uniform(0.001, 1.0, (64, 8))  # spectra of eight beats
    beats = np.arange(1, 64 * 4, 4)
    loop, chance = np.repeat(np.tile(bar, 8), 4, axis=1), np.repeat(draw.uniform(0.001, 1.0, (64, 64)), 4, axis=1)
    assert ears.repetition(loop, beats) > 0.95
    assert abs(ears.repetition(chance, beats)) < 0.2


def test_vendi_score_counts_different_things():
    axes = np.eye(5)
    assert ears.vendi_score(axes) == pytest.approx(5.0)
    assert ears.vendi_score(np.tile(axes[:1], (5, 1)) * np.arange(1, 6)[:, None]) == pytest.approx(1.0)
    assert ears.vendi_score(np.repeat(axes[:2], 3, axis=0)) == pytest.approx(2.0)


def test_level_of_a_sine():
    assert ears.rms_db(stereo(tone(441.0, 1.0, 1.0))) == pytest.approx(-3.01, abs=0.01)


def test_the_most_varied_of_copies_are_one_of_each():
    draw = np.random.default_rng(5)
    kinds = np.eye(6)[[0, 0, 1, 1, 1, 2, 2, 3, 4, 4, 4, 5]] + 0.01 * draw.normal(size=(12, 6))
    chosen = variety.most_varied(kinds, 6)
    assert sorted(np.argmax(kinds[chosen], axis=1)) == [0, 1, 2, 3, 4, 5]
    assert ears.vendi_score(kinds[chosen]) == pytest.approx(6.0, abs=0.05)
