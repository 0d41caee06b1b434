"""Mastering as a whole: any blocks, known latency, target and ceiling kept, state that continues."""

import functools

import numpy as np
import pytest

from lullwave.audio import Audio, concat
from lullwave.errors import InvalidInput, SnapshotError
from lullwave.mastering import Master, loudness_lufs, master, true_peak_dbtp

RATE = 44100


@functools.cache
def music(seconds: float, lufs: float, seed: int = 1, rate: int = RATE) -> Audio:
    """Bass, beats and a little hiss, at a loudness."""
    chance = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    beat = 0.25 + np.exp(-(t % 0.7) * 7)
    bass = np.sin(2 * np.pi * 82 * t) + 0.5 * np.sin(2 * np.pi * 330 * t + 1)
    noise = chance.standard_normal((len(t), 2))
    audio = Audio.of(0.1 * (bass[:, None] + 0.3 * (noise + np.roll(noise, 1, 0))) * beat[:, None], rate)
    return audio.gain(lufs - loudness_lufs(audio))


def mastered(audio: Audio, blocks: list[int], chain: Master | None = None) -> Audio:
    """The whole of ``audio`` through ``Master``, its latency taken out."""
    chain = chain or Master(audio.rate, audio.channels)
    out, at, turn = [], 0, 0
    while at < audio.frames:
        size = blocks[turn % len(blocks)]
        block = audio[at : at + size]
        out.append(chain.process(block))
        assert out[-1].frames == block.frames
        at, turn = at + size, turn + 1
    out.append(chain.flush())
    assert out[-1].frames == chain.latency_frames
    whole = concat(out)
    assert not np.any(whole.samples[: chain.latency_frames])
    return whole[chain.latency_frames :]


@pytest.mark.parametrize("blocks", [[1, 2, 3], [37, 5000, 2048, 1, 333], [2048], [100_000]])
def test_the_samples_are_the_same_to_the_bit_whatever_the_blocks(blocks):
    audio = music(0.3 if blocks[0] == 1 and len(blocks) == 3 else 4.0, -8.0)
    assert np.array_equal(mastered(audio, blocks).samples, mastered(audio, [11025]).samples)


@pytest.mark.parametrize("lufs", [-24.0, -18.0, -15.0, -10.0])
def test_a_minute_lands_within_a_unit_of_the_target(lufs):
    out = mastered(music(60.0, lufs, rate=16000), [22050])
    assert -16.0 < loudness_lufs(out) < -14.0
    assert loudness_lufs(out[30 * 16000 :]) == pytest.approx(-15.0, abs=0.2)
    assert true_peak_dbtp(out) <= -1.0


def test_each_minute_of_changing_pieces_is_within_a_unit():
    pieces = [music(60.0, lufs, seed, 16000) for seed, lufs in enumerate((-15.0, -17.5, -13.0))]
    out = mastered(concat(pieces), [30_000])
    for minute in range(len(pieces)):
        assert loudness_lufs(out[minute * 60 * 16000 : (minute + 1) * 60 * 16000]) == pytest.approx(-15.0, abs=1.0)


def test_what_the_limiter_takes_from_peaks_is_made_up_for():
    """Plucked strings over a bass, of which the limiter takes 0.45 LU."""
    t = np.arange(40 * 16000) / 16000
    strokes = np.exp(-(t % 0.35) * 48) * np.sin(2 * np.pi * 600 * t) + 0.15 * np.sin(2 * np.pi * 82 * t)
    audio = Audio.of(np.repeat(0.1 * strokes[:, None], 2, 1), 16000)
    out = mastered(audio.gain(-15.0 - loudness_lufs(audio)), [22050])
    assert loudness_lufs(out[25 * 16000 :]) == pytest.approx(-15.0, abs=0.2)
    assert true_peak_dbtp(out) <= -1.0


def test_music_at_the_target_passes_as_it_was():
    audio = music(10.0, -15.0)
    out = mastered(audio, [4410])
    assert loudness_lufs(out) == pytest.approx(-15.0, abs=0.5)
    # Above the subsonic the spectrum is that of the music, to within the small moves of the fader.
    levels = [np.abs(np.fft.rfft(a.samples[3 * RATE :, 0] * np.hanning(7 * RATE))) for a in (audio, out)]
    bands = [np.add.reduceat(level**2, [400, 2000, 10000, 40000]) for level in levels]
    assert 10 * np.log10(bands[1] / bands[0]) == pytest.approx(0.0, abs=0.5)


def test_what_nobody_hears_is_taken_out():
    t = np.arange(5 * RATE) / RATE
    rumble = Audio.of(np.repeat((0.2 + 0.3 * np.sin(2 * np.pi * 7 * t))[:, None], 2, 1), RATE)
    audio = Audio(music(5.0, -15.0).samples + rumble.samples, RATE)
    out = mastered(audio, [4410]).samples[RATE:]
    assert abs(float(np.mean(out))) < 1e-3
    spectrum = np.abs(np.fft.rfft(out[:, 0] * np.hanning(len(out)))) / len(out) * 4
    assert spectrum[round(7 * len(out) / RATE)] < 0.03


@pytest.mark.parametrize("at", [0, 1000, 2048, 50_000])
def test_a_restored_state_goes_on_to_the_bit(at):
    audio = music(3.0, -8.0)
    first = Master(RATE, 2)
    first.process(audio[:at])
    state = first.state()
    assert len(state) < 64_000
    second = Master(RATE, 2)
    second.restore(state)
    assert np.array_equal(first.process(audio[at:]).samples, second.process(audio[at:]).samples)
    assert np.array_equal(first.flush().samples, second.flush().samples)


def test_a_state_of_something_else_is_refused():
    for wrong in (b"", b"junk", Master(48000, 2).state(), Master(RATE, 1).state(), Master(RATE, 2).state()[:-40]):
        with pytest.raises(SnapshotError):
            Master(RATE, 2).restore(wrong)


@pytest.mark.parametrize("lufs", [-30.0, -15.0, -6.0])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_whole_clip_is_exact_as_long_as_before_and_in_time(lufs, channels):
    audio = music(8.0, lufs).to_channels(channels)
    out = master(audio)
    assert (out.frames, out.channels) == (audio.frames, channels)
    assert loudness_lufs(out) == pytest.approx(-15.0, abs=0.1)
    assert true_peak_dbtp(out) <= -1.0
    lags = [float(np.sum(out.samples[100:80_000] * audio.samples[100 + lag : 80_000 + lag])) for lag in range(-60, 61)]
    assert abs(int(np.argmax(lags)) - 60) <= 25  # the high-pass turns the phase of the bass, no more


def test_a_whole_clip_with_huge_peaks_still_gets_there():
    audio = music(8.0, -30.0)
    spiky = audio.samples.copy()
    spiky[:: RATE // 4] += 0.9
    out = master(Audio(spiky, RATE), -18.0)
    assert loudness_lufs(out) == pytest.approx(-18.0, abs=0.3)
    assert true_peak_dbtp(out) <= -1.0


def test_silence_and_very_short_clips_are_left_as_long_and_as_quiet():
    for frames in (0, 1, 5000, 44100):
        out = master(Audio.silence(frames, RATE))
        assert out.frames == frames
        assert not np.any(out.samples)
    assert master(music(1.0, -15.0)[:100]).frames == 100


def test_other_rates():
    for rate in (22050, 32000, 48000, 96000):
        out = master(music(4.0, -20.0, rate=rate))
        assert loudness_lufs(out) == pytest.approx(-15.0, abs=0.1)


def test_levels_out_of_range_and_wrong_shapes_are_refused():
    for levels in ({"target_lufs": -5.0}, {"target_lufs": float("nan")}, {"ceiling_dbtp": 1.0}):
        with pytest.raises(InvalidInput):
            Master(RATE, 2, **levels)
        with pytest.raises(InvalidInput):
            master(music(1.0, -15.0), **levels)
    with pytest.raises(InvalidInput, match="44100 Hz, 2 channels"):
        Master(RATE, 2).process(Audio.silence(10, 48000))
