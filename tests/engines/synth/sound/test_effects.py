"""Effects and places: known answers, and the same samples whatever stretch is asked for."""

import typing

import numpy as np
import pytest

from lullwave.engines.synth.score import RATE, Ambience
from lullwave.engines.synth.sound import ambience, synthesis
from lullwave.engines.synth.sound.effects import (
    dynamics,
    filtering,
    modulation,
    reverb,
    surface_noise,
    tape,
    upsampling,
)
from lullwave.engines.synth.sound.synthesis import MUSIC_RATE


def tone(hz, frames, rate=MUSIC_RATE):
    return np.sin(2 * np.pi * hz * np.arange(frames) / rate).astype(np.float32)


def rms_db(samples):
    return 10 * np.log10(np.mean(np.square(samples, dtype=np.float64)))


@pytest.mark.parametrize(("hz", "expected_db"), [(100, 0.0), (1000, -3.01), (4000, -26.0)])
def test_lowpass_follows_butterworth(hz, expected_db):
    block = tone(hz, 22050)
    history = np.zeros(filtering.HISTORY, np.float32)
    low = filtering.Tone(1000.0)
    out, _ = filtering.colour(block, history, low, low, np.ones(len(block), np.float32))
    assert rms_db(out[4000:]) - rms_db(block[4000:]) == pytest.approx(expected_db, abs=0.3)


@pytest.mark.parametrize(("skip", "frames"), [(0, 320), (31, 200), (33, 1)])
def test_lines_between_values(skip, frames):
    values = np.random.default_rng(7).normal(size=11)
    expected = np.interp(np.arange(skip, skip + frames), np.arange(11) * 32, values)
    assert np.allclose(synthesis.between(values, 32, skip, frames), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("tone_of", "hz", "expected_db"),
    [
        (filtering.Tone(thin_hz=200), 200, -3.01),
        (filtering.Tone(thin_hz=200), 2000, 0.0),
        (filtering.Tone(scoop_db=-6.0), 500, -6.0),
        (filtering.Tone(scoop_db=-6.0), 5000, 0.0),
        (filtering.Tone(air_db=9.0), 300, 0.0),
        (filtering.Tone(air_db=9.0), 4000, 6.5),  # 10 log10((1 + 10^0.9) / 2)
        (filtering.Tone(highs_db=-6.0), 200, 0.0),
        (filtering.Tone(highs_db=-6.0), 2000, -2.04),  # 10 log10((1 + 10^-0.6) / 2)
        (filtering.Tone(highs_db=-6.0), 9000, -5.16),
    ],
)
def test_the_tone_of_a_part(tone_of, hz, expected_db):
    block = tone(hz, 22050)
    history = np.zeros(filtering.HISTORY, np.float32)
    out, _ = filtering.colour(block, history, tone_of, tone_of, np.ones(len(block), np.float32))
    assert rms_db(out[4000:]) - rms_db(block[4000:]) == pytest.approx(expected_db, abs=0.3)


@pytest.mark.parametrize(
    ("name", "hz", "gain_db"),
    [*(("air_db", 4000.0, db) for db in (-4.0, 2.5, 6.0, 11.0)), *(("highs_db", 2000.0, db) for db in (-6.0, -3.0))],
)
def test_a_shelf_follows_the_analogue_one_up_to_the_top(name, hz, gain_db):
    impulse = np.zeros(4096, np.float32)
    impulse[0] = 1.0
    made = np.abs(np.fft.rfft(filtering.tone_filter(filtering.Tone(**{name: gain_db})).whole(impulse)))
    s = 1j * np.fft.rfftfreq(4096, 1 / MUSIC_RATE) / hz
    wanted = np.abs((1 + s * 10 ** (gain_db / 20)) / (1 + s))
    assert np.max(np.abs(20 * np.log10(made / wanted)[:1950])) < 0.15  # up to 10.5 kHz


def test_a_tone_in_blocks_equals_whole():
    sound = np.random.default_rng(1).standard_normal(20000).astype(np.float32)
    flat = np.ones(20000, np.float32)
    tone_in = filtering.Tone(700.0, 150.0, -4.0, 6.0)
    whole, _ = filtering.colour(sound, np.zeros(filtering.HISTORY, np.float32), tone_in, tone_in, flat)
    kept, parts = np.zeros(filtering.HISTORY, np.float32), []
    for start, stop in ((0, 5000), (5000, 13001), (13001, 20000)):
        out, kept = filtering.colour(sound[start:stop], kept, tone_in, tone_in, flat[start:stop])
        parts.append(out)
    assert np.abs(np.concatenate(parts) - whole).max() < 1e-4


def test_reverb_in_blocks_equals_convolution():
    draw = np.random.default_rng(2)
    room, plate = draw.standard_normal((2, 9000)).astype(np.float32)
    histories = np.zeros(reverb.ROOM_HISTORY, np.float32), np.zeros(reverb.PLATE_HISTORY, np.float32)
    parts = []
    for start, stop in ((0, 4000), (4000, 9000)):
        out, *histories = reverb.reverberate(room[start:stop], plate[start:stop], *histories)
        parts.append(out)
    room_ir, plate_ir = reverb.impulse_responses()
    for ear in range(2):
        expected = np.convolve(room, room_ir[ear])[:9000] + np.convolve(plate, plate_ir[ear])[:9000]
        assert np.abs(np.concatenate(parts, axis=1)[ear] - expected).max() < 1e-3


@pytest.mark.parametrize(("index", "low_s", "high_s"), [(0, 0.35, 0.8), (1, 1.2, 2.2)])
def test_reverb_times(index, low_s, high_s):
    response = reverb.impulse_responses()[index][0].astype(np.float64)
    left = 10 * np.log10(np.cumsum(response[::-1] ** 2)[::-1] / np.sum(response**2))
    t20 = (np.flatnonzero(left < -25)[0] - np.flatnonzero(left < -5)[0]) / MUSIC_RATE * 3  # ISO 3382-1
    assert low_s < t20 < high_s


def doubled(bus):
    history = np.zeros((2, upsampling.BUS_HISTORY), np.float32)
    return upsampling.double(bus, history, 20000.0, 20000.0, np.ones(bus.shape[1], np.float32))[0]


def test_upsampling_keeps_tones_and_has_no_images():
    middle = tone(1000, 30000)
    mono = doubled(np.stack([middle, middle])).mean(axis=0)[10000:50000]
    power = np.abs(np.fft.rfft(mono * np.hanning(40000))) ** 2
    freqs = np.fft.rfftfreq(40000, 1 / RATE)
    assert 10 * np.log10(power[freqs > 11000].sum() / power.sum()) < -80
    shelf_db = 10 * np.log10((1 + (3.5 / 4) ** 2) / (1 + (1 / 4) ** 2))
    assert rms_db(mono) == pytest.approx(rms_db(middle) + shelf_db, abs=0.1)


def test_bass_is_mono():
    low_side = tone(40, 30000)
    out = doubled(np.stack([low_side, -low_side]))
    assert rms_db(out[0] - out[1]) < -20
    low_middle = tone(60, 30000)
    out = doubled(np.stack([low_middle, low_middle]))[:, 10000:50000]
    assert rms_db(out[0] - out[1]) < rms_db(out[0] + out[1]) - 15


def test_the_middle_becomes_wide_and_a_fold_down_takes_it_back():
    middle = np.random.default_rng(4).standard_normal(30000).astype(np.float32)
    out = doubled(np.stack([middle, middle]))[:, 10000:50000]
    wide_db = rms_db(out[0] - out[1]) - rms_db(out[0] + out[1])
    assert -12.5 < wide_db < -8.5
    assert 0.75 < np.corrcoef(out)[0, 1] < 0.92


def test_saturation_is_gentle_and_bounded():
    quiet = np.float32(0.001) * tone(200, 4410, RATE)
    assert rms_db(tape.saturate(quiet, 1.0)) == pytest.approx(rms_db(quiet), abs=0.1)
    loud = tape.saturate(np.float32(3.0) * tone(200, 4410, RATE), 1.0)
    assert np.abs(loud).max() < 1.0


def test_the_transport_is_slow_small_and_addressed_by_position():
    whole = tape.transport(0, 20 * RATE, 5)
    assert np.array_equal(tape.transport(123457, 5000, 5), whole[123457:128457])
    assert np.abs(whole).max() < tape.MAX_SHIFT
    cents = 1200 * np.log2(1 + np.diff(whole.astype(np.float64)[::64]) / 64)
    assert 2 < np.abs(cents).max() < 14


def test_reading_tape_between_samples():
    stereo = np.stack([tone(500, 2000, RATE)] * 2)
    places = np.arange(100, 1800) + 0.37
    expected = np.sin(2 * np.pi * 500 * places / RATE)
    assert np.abs(tape.read_at(stereo, places)[0] - expected).max() < 1e-4


def test_the_drum_bus_brings_attacks_and_quiet_strokes_forward():
    """A stroke of a steady level is lifted at its beginning only; a soft one more than a hard one."""

    def gain_db(level, attack_db, parallel):
        stroke = np.zeros((2, MUSIC_RATE), np.float32)
        stroke[:, 8000:] = level
        gain, _ = dynamics.punch(stroke, dynamics.PunchState(), attack_db, parallel)
        return 20 * np.log10(gain)

    only_attack = gain_db(0.3, 6.0, 0.0)
    assert only_attack[:7900] == pytest.approx(0.0, abs=0.01)
    assert only_attack.max() == pytest.approx(6.0, abs=0.3)
    assert 8000 <= only_attack.argmax() < 8000 + 0.012 * MUSIC_RATE
    assert only_attack[8000 + MUSIC_RATE // 3 :] == pytest.approx(0.0, abs=0.2)
    soft, hard = (gain_db(level, 0.0, 0.5)[-1] for level in (0.01, 0.4))
    assert soft == pytest.approx(20 * np.log10(1 + 0.5 * 1.6), abs=0.1)
    assert 0.0 < hard < 1.5


def test_the_drum_bus_in_bars_goes_on_where_it_was():
    strokes = np.zeros((2, 30000), np.float32)
    strokes[:, 3200:9000] = 0.3
    strokes[:, 20000:24000] = 0.1
    whole, _ = dynamics.punch(strokes, dynamics.PunchState(), 5.0, 0.4)
    first, state = dynamics.punch(strokes[:, :12800], dynamics.PunchState(), 5.0, 0.4)
    second, _ = dynamics.punch(strokes[:, 12800:], state, 5.0, 0.4)
    assert np.abs(np.concatenate([first, second]) - whole).max() < 1e-5


def test_duck_dips_as_asked_and_recovers():
    gain = dynamics.duck(0, MUSIC_RATE, [(2000, 1.0)], np.full(MUSIC_RATE, 4.0, np.float32))
    assert 20 * np.log10(gain.min()) == pytest.approx(-4.0, abs=0.1)
    assert gain[1999] == 1.0
    assert gain[-1] > 0.99
    assert np.abs(np.diff(gain)).max() < 0.01


def test_compressor_holds_back_at_most_three_decibels():
    loud = np.stack([tone(300, MUSIC_RATE)] * 2)
    curve, _, _ = dynamics.compress(loud, 0.0, 1.0)
    assert 20 * np.log10(curve[-1]) == pytest.approx(-3.0, abs=0.05)
    quiet, _, _ = dynamics.compress(loud * np.float32(0.01), 0.0, 1.0)
    assert quiet.min() > 0.999


def test_chorus_and_tremolo_in_blocks_equal_whole():
    sound = tone(300, 8000)
    depth = np.full(8000, 0.5, np.float32)
    empty = np.zeros(modulation.CHORUS_HISTORY, np.float32)
    whole = modulation.tremolo(modulation.chorus(sound, empty, 1000, depth), 1000, depth, 5.0)
    first = modulation.tremolo(modulation.chorus(sound[:3000], empty, 1000, depth[:3000]), 1000, depth[:3000], 5.0)
    kept = sound[3000 - modulation.CHORUS_HISTORY : 3000]
    second = modulation.tremolo(modulation.chorus(sound[3000:], kept, 4000, depth[3000:]), 4000, depth[3000:], 5.0)
    assert np.abs(np.concatenate([first, second], axis=1) - whole).max() < 1e-3


def test_crushing_makes_stairs_with_round_edges():
    slope = np.linspace(-1, 1, 64 * 500 + 1, dtype=np.float32)
    made = tape.crush(slope, bits=6.0)  # stairs of 1/32
    flat = np.abs(made * 32 - np.rint(made * 32)) < 0.05
    assert 0.5 < flat.mean() < 0.9
    assert np.abs(made - slope).max() < 0.3 / 32
    assert np.diff(made).max() < 6 * np.diff(slope).max()  # plain rounding jumps by 500 times that
    assert np.abs(tape.crush(tone(100, 2000), bits=16.0) - tone(100, 2000)).max() < 1e-5


def test_crackle_lies_in_its_band_and_does_not_click():
    from bench.embedded.estimators import clicks

    pops = surface_noise.crackle(0, 30 * RATE, 3) * np.float32(10 ** (-40 / 20))
    power = np.abs(np.fft.rfft(pops.mean(axis=0).astype(np.float64))) ** 2
    hz = np.fft.rfftfreq(pops.shape[1], 1 / RATE)
    assert power[(hz > 400) & (hz < 4000)].sum() > 0.97 * power.sum()
    assert clicks(pops.T, RATE) == []
    assert np.count_nonzero(np.diff(np.abs(pops[0]) > 0.002) > 0) > 60  # and is there: some dozens of waves a minute


@pytest.mark.parametrize("make", [surface_noise.hiss, lambda start, frames: surface_noise.crackle(start, frames, 9)])
def test_dust_is_addressed_by_position(make):
    whole = make(1000, 150000)
    assert np.allclose(make(91234, 30000), whole[:, 90234:120234], atol=1e-6)


@pytest.mark.parametrize("name", typing.get_args(Ambience))
def test_places_are_addressed_by_position_and_as_loud_as_they_say(name):
    import pyloudnorm

    whole = ambience.layer(name, 5000, 20 * RATE, 3)
    assert np.abs(ambience.layer(name, 405000, 60000, 3) - whole[:, 400000:460000]).max() < 1e-5
    loudness = pyloudnorm.Meter(RATE).integrated_loudness(whole.T.astype(np.float64))
    assert loudness == pytest.approx(ambience.LUFS, abs=1.5)
    assert np.corrcoef(whole)[0, 1] > 0.45
    assert not np.array_equal(ambience.layer(name, 5000, 1000, 4), whole[:, :1000])
