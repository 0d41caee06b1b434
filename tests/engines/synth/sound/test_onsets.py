"""Onsets: what may begin at once does, what is bright after darkness rises slowly, whatever the blocks are."""

import itertools

import numpy as np
import pytest

from lullwave.engines.synth.sound.effects import onsets
from lullwave.engines.synth.sound.synthesis import MUSIC_RATE, noise

AT = 8000  # samples of darkness before a hat


def whole(mix, drums=None, start=0, curve=None):
    """The mix in one block, with the delay taken away; its curve. Without ``drums``, all of it is drums."""
    one, two = (np.pad(x, ((0, 0), (0, onsets.DELAY))) for x in (mix, mix if drums is None else drums))
    out, gains, _ = onsets.hold_back(one, two, start, onsets.OnsetState(), curve)
    return out[:, onsets.DELAY :], gains


def tone(hz, frames, level=0.2):
    wave = level * np.sin(2 * np.pi * hz * np.arange(frames) / MUSIC_RATE)
    return np.stack([wave, wave]).astype(np.float32)


def hat(level=0.1, frames=6000):
    """Noise above 5 kHz that begins at once."""
    spectrum = np.fft.rfft(noise(frames, "hat"))
    spectrum[np.fft.rfftfreq(frames, 1 / MUSIC_RATE) < 5000] = 0
    wave = np.fft.irfft(spectrum, frames)
    wave *= level / np.std(wave)
    return np.pad(np.stack([wave, wave]), ((0, 0), (AT, 0))).astype(np.float32)


def level_db(samples, begin_ms, end_ms):
    low, high = (AT + round(ms * MUSIC_RATE / 1000) for ms in (begin_ms, end_ms))
    return 10 * np.log10(np.mean(np.square(samples[:, low:high], dtype=np.float64)))


@pytest.mark.parametrize("hz", [60, 300, 1000])
def test_low_sound_may_begin_at_once(hz):
    bus = tone(hz, 9000)
    bus[:, :3000] = 0
    rise = 0.5 - 0.5 * np.cos(np.pi * np.clip((np.arange(9000) - 3000) / 220, 0, 1))
    bus *= rise.astype(np.float32)
    out, curve = whole(bus)
    assert np.all(curve[:8900] == 1.0)
    assert np.array_equal(out[:, :8800], bus[:, :8800])


def test_a_hat_out_of_darkness_rises_slowly_and_is_whole_again():
    dark, struck = tone(220, 14000), hat()
    out, curve = whole(dark + struck, struck)
    heard = out - dark
    assert curve.min() < 0.3
    assert level_db(heard, 0, 2) < level_db(struck, 0, 2) - 15
    levels = [level_db(heard, ms, ms + 3) for ms in range(0, 45, 3)]
    assert all(after - before < 7 for before, after in itertools.pairwise(levels))
    assert level_db(heard, 100, 250) == pytest.approx(level_db(struck, 100, 250), abs=1.0)


def test_a_hat_amid_other_highs_is_left_alone():
    bed = np.stack([noise(14000, "bed")] * 2) * np.float32(0.1)
    out, curve = whole(bed + hat(0.05), hat(0.05))
    assert curve[AT : AT + 2000].mean() > 0.9
    assert level_db(out, 0, 20) == pytest.approx(level_db(bed + hat(0.05), 0, 20), abs=1.0)


def test_what_is_no_drum_is_left_alone():
    string = hat()
    out, curve = whole(string, np.zeros_like(string))
    assert np.all(curve == 1.0)
    assert np.array_equal(out, string)


@pytest.mark.parametrize("cuts", [(1,), (7, 100), (31, 32, 33, 8000), (5000, 8010, 8020)])
@pytest.mark.parametrize("start", [0, -662, 12345])
def test_blocks_of_any_length_give_the_same(cuts, start):
    bus = tone(220, 14000) + hat()
    drums = hat()
    expected, _, _ = onsets.hold_back(bus, drums, start, onsets.OnsetState())
    state, made = onsets.OnsetState(), []
    for low, high in zip((0, *cuts), (*cuts, 14000), strict=True):
        out, _, state = onsets.hold_back(bus[:, low:high], drums[:, low:high], start + low, state)
        made.append(out)
    assert np.array_equal(np.concatenate(made, axis=1), expected)


def test_parts_given_the_curve_add_up():
    dark, struck = tone(220, 14000), hat()
    mix, curve = whole(dark + struck, struck)
    silent = np.zeros_like(dark)
    parts = whole(dark, silent, curve=curve)[0] + whole(struck, struck, curve=curve)[0]
    assert np.allclose(parts, mix, atol=1e-6)
