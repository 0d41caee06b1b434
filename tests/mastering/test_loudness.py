"""Loudness against the standard's own figures and against another implementation."""

import numpy as np
import pyloudnorm
import pytest

from lullwave.audio import Audio, concat
from lullwave.errors import InvalidInput
from lullwave.mastering import LoudnessMeter, loudness_lufs, short_term_lufs
from lullwave.mastering.loudness import k_weighting


def tone(level_dbfs: float, seconds: float, rate: int = 48000, hz: float = 1000.0, channels: int = 2) -> Audio:
    wave = 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    return Audio.of(np.repeat(wave[:, None], channels, 1), rate)


def music(seconds: float, rate: int, seed: int = 1) -> Audio:
    """Coloured noise with beats, a quiet passage and a silence."""
    chance = np.random.default_rng(seed)
    count = round(seconds * rate)
    noise = chance.standard_normal((count, 2))
    coloured = noise + 0.9 * np.roll(noise, 1, 0) + 3 * np.repeat(noise[: count // 16 + 1], 16, 0)[:count]
    beats = 0.2 + np.exp(-(np.arange(count) % (rate // 2)) / rate * 9)[:, None]
    shape = np.ones((count, 1))
    shape[count // 4 : count // 3] = 0.02
    shape[count // 2 : count // 2 + count // 8] = 0.0
    return Audio.of(0.05 * coloured * beats * shape, rate)


def test_the_weighting_at_48_khz_is_the_table_of_the_standard():
    """ITU-R BS.1770-4, Annex 1, tables 1 and 2."""
    shelf, high_pass = k_weighting(48000)
    assert shelf == pytest.approx(
        (1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585), abs=1e-10
    )
    assert high_pass == pytest.approx((1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621), abs=1e-10)


@pytest.mark.parametrize("rate", [44100, 48000])
def test_a_full_scale_tone_in_one_channel_reads_minus_3_01(rate):
    """BS.1770-4: a 0 dBFS sine of 997 Hz in one front channel reads -3.01 LKFS."""
    wave = tone(0.0, 10.0, rate, 997.0).samples.copy()
    wave[:, 1] = 0.0
    assert loudness_lufs(Audio(wave, rate)) == pytest.approx(-3.01, abs=0.02)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(-23, 20)], -23.0),
        ([(-33, 20)], -33.0),
        ([(-36, 10), (-23, 60), (-36, 10)], -23.0),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),
    ],
)
def test_the_tones_of_the_ebu(parts, expected):
    """EBU Tech 3341, minimum requirements, cases 1 to 5: 1 kHz in both channels, within 0.1 LU."""
    clip = concat([tone(level, seconds) for level, seconds in parts])
    assert loudness_lufs(clip) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("rate", [22050, 32000, 44100, 48000, 96000])
@pytest.mark.parametrize("seed", [1, 2])
def test_another_implementation_agrees_within_a_tenth(rate, seed):
    clip = music(20.0, rate, seed)
    assert loudness_lufs(clip) == pytest.approx(pyloudnorm.Meter(rate).integrated_loudness(clip.samples), abs=0.1)


def test_short_term_loudness_follows_within_its_window():
    clip = concat([tone(-20, 6), tone(-30, 6)])
    windows = short_term_lufs(clip)
    assert len(windows) == 91
    assert windows[:30] == pytest.approx(-20.0, abs=0.1)
    assert windows[61:] == pytest.approx(-30.0, abs=0.1)
    assert np.all(np.diff(windows[31:60]) < 0)


@pytest.mark.parametrize("block", [1, 100, 4410, 50_000])
def test_the_meter_reads_the_same_whatever_the_blocks(block):
    clip = music(1.0 if block == 1 else 6.0, 44100)
    meter = LoudnessMeter(44100, 2)
    for start in range(0, clip.frames, block):
        meter.feed(clip[start : start + block])
        if block > 1000:
            meter.integrated_lufs()  # a look does not disturb
    assert meter.integrated_lufs() == loudness_lufs(clip)


def test_silence_and_what_is_too_short_have_no_loudness():
    assert loudness_lufs(Audio.silence(48000, 48000)) == -120.0
    assert loudness_lufs(tone(-10, 0.3)) == -120.0
    assert loudness_lufs(Audio.silence(0, 48000)) == -120.0
    assert len(short_term_lufs(tone(-10, 2.9))) == 0


def test_wrong_shapes_are_refused():
    with pytest.raises(InvalidInput):
        LoudnessMeter(48000, 6)
    with pytest.raises(InvalidInput, match="48000 Hz, 2 channels"):
        LoudnessMeter(48000, 2).feed(Audio.silence(100, 44100))


def test_a_rate_too_low_for_the_weighting_is_refused():
    with pytest.raises(InvalidInput, match="rate: got 4000; allowed: at least 8000 Hz"):
        loudness_lufs(Audio.silence(4000, 4000))
