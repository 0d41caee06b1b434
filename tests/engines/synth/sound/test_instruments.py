"""Instruments and drums: in tune, free of clicks, pure functions of their keys."""

import numpy as np
import pytest

from lullwave.engines.synth.catalogue.drums import DRUMS, KITS
from lullwave.engines.synth.catalogue.instruments import INSTRUMENTS
from lullwave.engines.synth.sound.instruments import drums
from lullwave.engines.synth.sound.instruments.cache import SoundCache
from lullwave.engines.synth.sound.instruments.notes import amplitude, render_function, slid, sound_of, stroke_of
from lullwave.engines.synth.sound.synthesis import (
    MUSIC_RATE,
    cycle,
    good_size,
    hertz,
    levelled,
    modes,
    phase_of,
    play_cycle,
    play_voices,
)

BASS = {name for name, one in INSTRUMENTS.items() if one.role == "bass"}
PITCHED = tuple(INSTRUMENTS)
ENSEMBLES = {"choir", "humming_choir", "string_section", "synth_pluck", "pulse_pad", "pad"}  # voices apart in pitch


def fundamental_hz(samples, near_hz):
    """Centre of the strongest peak within a semitone, interpolated on a padded Hann spectrum."""
    size = 1 << 19
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size))
    freqs = np.fft.rfftfreq(size, 1 / MUSIC_RATE)
    window = (freqs > near_hz / 1.06) & (freqs < near_hz * 1.06)
    return freqs[window][np.argmax(power[window])]


def middle_hz(samples, near_hz):
    """The mean frequency within a third of a semitone, weighted by power."""
    size = 1 << 19
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size)) ** 2
    freqs = np.fft.rfftfreq(size, 1 / MUSIC_RATE)
    window = (freqs > near_hz / 1.02) & (freqs < near_hz * 1.02)
    return np.sum(freqs[window] * power[window]) / np.sum(power[window])


@pytest.mark.parametrize("instrument", PITCHED)
@pytest.mark.parametrize("octave", [0, 1])
def test_every_instrument_is_in_tune(instrument, octave):
    pitch = (33 if instrument in BASS else 57) + 12 * octave
    samples = render_function(instrument)(hertz(pitch), 0.6, 0, 2.0)
    heard_hz = (middle_hz if instrument in ENSEMBLES else fundamental_hz)(samples, hertz(pitch))
    assert abs(1200 * np.log2(heard_hz / hertz(pitch))) < 4


@pytest.mark.parametrize("instrument", PITCHED)
def test_notes_begin_softly_and_carry_no_offset(instrument):
    pitch = 36 if instrument in BASS else 64
    samples = render_function(instrument)(hertz(pitch), 0.9, 1, 1.4)
    assert samples.dtype == np.float32
    assert np.isfinite(samples).all()
    assert abs(samples[0]) < 0.02 * np.abs(samples).max()
    assert abs(samples.mean()) < 0.01 * np.abs(samples).max()


@pytest.mark.parametrize("instrument", ["rhodes", "wurli", "felt_piano", "nylon_guitar"])
def test_harder_notes_are_brighter(instrument):
    def centroid(velocity):
        samples = render_function(instrument)(hertz(57), velocity, 0, 1.4)
        power = np.abs(np.fft.rfft(samples)) ** 2
        return np.sum(power * np.fft.rfftfreq(len(samples), 1 / MUSIC_RATE)) / np.sum(power)

    assert centroid(0.9) > 1.04 * centroid(0.2)


@pytest.mark.parametrize("instrument", ["rhodes", "felt_piano", "nylon_guitar", "vibraphone"])
def test_struck_notes_decay_and_low_ones_last_longer(instrument):
    def late_share(pitch):
        samples = render_function(instrument)(hertz(pitch), 0.6, 0, 2.5)
        early = np.mean(samples[4410:8820] ** 2)
        return np.mean(samples[-8820:] ** 2) / early

    assert late_share(76) < late_share(52) < 0.7


def test_modes_match_their_formula():
    frames = 3000
    t = np.arange(frames) / MUSIC_RATE
    expected = 0.7 * np.sin(2 * np.pi * 440 * t + 0.3) * 10 ** (-3 * t / 0.5)
    assert np.abs(modes(frames, [440.0], [0.7], [0.5], [0.3]) - expected).max() < 1e-5


def test_voices_are_the_sum_of_their_cycles():
    tables = np.stack([cycle([1.0, 0.5, 0.2], 1024), cycle([0.3, 0.0, 0.9], 1024)])
    voices = [(220.0, 0.0), (221.3, 0.25), (7000.5, 0.99)]
    for frames in (1, 8192, 20001):
        expected = [sum(play_cycle(table, phase_of(hz, frames, start)) for hz, start in voices) for table in tables]
        assert np.abs(play_voices(tables, voices, frames) - expected).max() < 2e-3


def test_good_sizes_are_smooth_and_least():
    for least in (1, 7, 1000, 66150, 131071):
        size = good_size(least)
        assert size >= least
        rest = size
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        assert rest == 1


def test_levelled_reaches_its_level():
    tone = np.sin(np.arange(MUSIC_RATE, dtype=np.float32) * 0.1).astype(np.float32)
    loudest = levelled(tone)[:8820].reshape(-1, 2205)
    assert np.sqrt(np.mean(loudest**2, axis=1)).max() == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize("kit", KITS)
@pytest.mark.parametrize("drum", ["kick", "snare"])
def test_kick_and_snare_begin_in_all_bands(kit, drum):
    """A stroke is heard above 2 kHz, too: at most 45 dB below the whole of its first 60 ms."""
    power = np.abs(np.fft.rfft(drums.stroke(kit, drum, 0.8, 0)[: round(0.06 * MUSIC_RATE)])) ** 2
    high = np.linspace(0, MUSIC_RATE / 2, len(power)) > 2000.0
    assert 10 * np.log10(power[high].sum() / power.sum()) > -45.0


@pytest.mark.parametrize("kit", KITS)
@pytest.mark.parametrize("drum", DRUMS)
def test_strokes_end_in_silence_and_differ_between_variants(kit, drum):
    one, two = (drums.stroke(kit, drum, 0.6, variant) for variant in (0, 1))
    assert np.abs(one).max() == pytest.approx(1.0, abs=1e-5)
    assert abs(one[0]) < 0.05
    assert abs(one[-1]) < 1e-3
    assert not np.array_equal(one[:1000], two[:1000])


def test_the_cache_is_bounded_and_gives_the_same_again():
    small, large = SoundCache(200_000), SoundCache(50_000_000)
    for pitch in range(48, 72):
        a = sound_of(small, "rhodes", pitch, 0.5, 1.0, 0)
        b = sound_of(large, "rhodes", pitch, 0.5, 1.0, 0)
        assert np.array_equal(a.values, b.values)
        assert a.scale == b.scale
    again = sound_of(small, "rhodes", 48, 0.5, 1.0, 0)
    assert np.array_equal(again.values, sound_of(large, "rhodes", 48, 0.5, 1.0, 0).values)
    assert small.bytes <= 200_000
    assert large.hits == 1


def test_sixteen_bits_are_enough():
    cache = SoundCache(1_000_000)
    kept = stroke_of(cache, "dusty", "kick", 0.9, 0)
    made = drums.stroke("dusty", "kick", 2.5 / 3, 0)
    assert np.abs(kept.part(0, len(kept)) - made).max() < 2e-5


def test_slides_begin_at_the_other_pitch():
    cache = SoundCache(10_000_000)
    plain = sound_of(cache, "sub_bass", 40, 0.6, 2.0, 0)
    gliding = slid(plain, -7)
    early = gliding.part(300, 1500)
    crossings = np.sum(np.diff(np.signbit(early).astype(int)) != 0)
    straight = np.sum(np.diff(np.signbit(plain.part(300, 1500)).astype(int)) != 0)
    assert crossings <= straight
    assert abs(len(gliding) - len(plain)) < 2000
    late = fundamental_hz(gliding.part(5000, 35000), hertz(40))
    assert abs(1200 * np.log2(late / hertz(40))) < 4


def test_amplitude_grows_with_velocity():
    for instrument in PITCHED:
        assert amplitude(instrument, 0.3) < amplitude(instrument, 0.6) < amplitude(instrument, 1.0)
