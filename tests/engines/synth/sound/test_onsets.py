"""Onsets: what may begin at once does, what is bright after darkness rises slowly, whatever the blocks are."""

import itertools

import numpy as np
import pytest

from bench.embedded.estimators import clicks
from lullwave.engines.synth.score import RATE
from lullwave.engines.synth.sound.effects import onsets
from lullwave.engines.synth.sound.synthesis import noise

AT = 16000  # frames of darkness before a hat
END = 28000


def whole(sound, start=0, curve=None):
    """The sound in one block, with the delay taken away; the gains of its bands, as late as they were made."""
    padded = np.pad(sound, ((0, 0), (0, onsets.DELAY)))
    out, gains, _ = onsets.hold_back(padded, start, onsets.SILENT, curve)
    return out[:, onsets.DELAY :], gains


def tone(hz, frames=END, level=0.2):
    wave = level * np.sin(2 * np.pi * hz * np.arange(frames) / RATE)
    return np.stack([wave, wave]).astype(np.float32)


def band(level, above_hz, frames=END):
    """Noise from ``above_hz`` to 11 kHz, where the tape ends."""
    spectrum, freqs = np.fft.rfft(noise(frames, "band", above_hz)), np.fft.rfftfreq(frames, 1 / RATE)
    spectrum[(freqs < above_hz) | (freqs > 11000)] = 0
    wave = np.fft.irfft(spectrum, frames)
    wave *= level / np.std(wave)
    return np.stack([wave, wave]).astype(np.float32)


def hat(level=0.1, above_hz=6000):
    """Such noise that begins at once."""
    return np.pad(band(level, above_hz, END - AT), ((0, 0), (AT, 0)))


def level_db(samples, begin_ms, end_ms):
    low, high = (AT + round(ms * RATE / 1000) for ms in (begin_ms, end_ms))
    return 10 * np.log10(np.mean(np.square(samples[:, low:high], dtype=np.float64)))


@pytest.mark.parametrize("hz", [60, 300, 1000])
def test_low_sound_may_begin_at_once(hz):
    sound = tone(hz)
    rise = 0.5 - 0.5 * np.cos(np.pi * np.clip((np.arange(END) - 6000) / 440, 0, 1))
    sound *= rise.astype(np.float32)
    out, gains = whole(sound)
    assert all(np.all(gain[: END - 400] == 1.0) for gain in gains)
    assert np.array_equal(out[:, : END - 400], sound[:, : END - 400])


def test_a_hat_out_of_darkness_rises_slowly_and_is_whole_again():
    dark, struck = tone(220), hat()
    out, gains = whole(dark + struck)
    heard = out - dark
    assert gains[0].min() < 0.1
    assert level_db(heard, 0, 2) < level_db(struck, 0, 2) - 15
    levels = [level_db(heard, ms, ms + 3) for ms in range(0, 45, 3)]
    assert all(after - before < 7 for before, after in itertools.pairwise(levels))
    assert level_db(heard, 180, 250) == pytest.approx(level_db(struck, 180, 250), abs=1.0)


@pytest.mark.parametrize("at", range(0, 882, 126))
def test_it_takes_the_click_away(at):
    """Wherever in its frame of 20 ms the hat begins."""
    struck = (tone(220) + band(0.001, 200) + hat())[:, at:]
    assert clicks(struck.T, RATE) or at > 400  # more than half of its frame is hat
    assert not clicks(whole(struck)[0].T, RATE)


@pytest.mark.parametrize("at", range(0, 882, 126))
def test_it_takes_the_click_of_a_stroke_away(at):
    """One that is bright, but not as bright as a hat: the rim of a drum."""
    rim = np.pad(tone(2500, END - AT, 0.1) + tone(3900, END - AT, 0.1), ((0, 0), (AT, 0)))
    struck = (tone(220) + band(0.001, 200) + rim)[:, at:]
    out, gains = whole(struck)
    assert gains[1].min() < 0.9
    assert len(clicks(out.T, RATE)) == 0


def test_what_is_below_a_band_is_as_it_was():
    sound = hat(above_hz=200)
    out, gains = whole(sound)
    assert gains[0].min() < 0.1
    freqs = np.fft.rfftfreq(2000, 1 / RATE)
    low = (freqs > 200) & (freqs < 800)
    before, after = (np.abs(np.fft.rfft(x[0, AT : AT + 2000] * np.hanning(2000)))[low] for x in (sound, out))
    assert np.sum(after**2) / np.sum(before**2) == pytest.approx(1.0, abs=0.05)


def test_a_hat_amid_other_highs_is_left_alone():
    bed = np.stack([noise(END, "bed")] * 2) * np.float32(0.1)
    out, gains = whole(bed + hat(0.05))
    assert gains[0][AT : AT + 4000].mean() > 0.9
    assert level_db(out, 0, 20) == pytest.approx(level_db(bed + hat(0.05), 0, 20), abs=1.0)


@pytest.mark.parametrize("cuts", [(1,), (7, 100), (63, 64, 65, 16000), (10000, 16010, 16020)])
@pytest.mark.parametrize("start", [0, -662, 12345])
def test_blocks_of_any_length_give_the_same(cuts, start):
    sound = tone(220) + hat()
    expected, _, _ = onsets.hold_back(sound, start, onsets.SILENT)
    state, made = onsets.SILENT, []
    for low, high in itertools.pairwise((0, *cuts, END)):
        out, _, state = onsets.hold_back(sound[:, low:high], start + low, state)
        made.append(out)
    assert np.array_equal(np.concatenate(made, axis=1), expected)


def test_parts_given_the_curve_add_up():
    dark, struck = tone(220), hat()
    mix, gains = whole(dark + struck)
    parts = whole(dark, curve=gains)[0] + whole(struck, curve=gains)[0]
    assert np.allclose(parts, mix, atol=1e-6)
