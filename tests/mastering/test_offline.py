"""Offline loudness and limiting: the target is met, and no block exceeds full scale."""

import numpy as np
import pytest

from lullwave import Audio, Spectrogram
from lullwave.errors import InvalidInput
from lullwave.mastering.loudness import loudness_lufs
from lullwave.mastering.offline import at_loudness, limited
from lullwave.mastering.peaks import true_peak_dbtp

RATE = 44100


def beats(level, seconds=3.0):
    t = np.arange(round(seconds * RATE)) / RATE
    sound = np.sin(2 * np.pi * 330 * t) * np.exp(-6 * (t % 0.5))
    return Audio.of(np.stack([sound, 0.5 * sound], axis=1) * level, RATE)


def cut(audio, frames):
    return [audio[i : i + frames] for i in range(0, audio.frames, frames)]


def joined(blocks):
    return np.concatenate([block.samples for block in blocks])


@pytest.mark.parametrize("level", [0.001, 0.3, 5.0])
def test_a_sound_comes_out_as_loud_as_was_asked(level):
    made = Spectrogram.from_audio(beats(level)).to_audio(loudness_lufs=-18.0)
    assert abs(loudness_lufs(made) + 18.0) < 0.1
    assert true_peak_dbtp(made) <= -1.0


def test_silence_stays_silence():
    made = Spectrogram.from_audio(Audio.silence(RATE, RATE)).to_audio(loudness_lufs=-18.0)
    assert not made.samples.any()


def test_a_loudness_of_no_music_is_refused():
    with pytest.raises(InvalidInput, match="target_lufs"):
        list(at_loudness(lambda: [beats(0.1)], 3.0))


@pytest.mark.parametrize("frames", [100, 4096, 50_000, 10**6])
def test_limiting_keeps_length_and_place_whatever_the_blocks(frames):
    loud = beats(1.8)
    made = joined(limited(cut(loud, frames)))
    assert made.shape == loud.samples.shape
    assert np.abs(made).max() <= 1.0
    assert np.array_equal(made, joined(limited([loud])))


def test_limiting_leaves_what_is_below_full_scale_as_it_is():
    quiet = beats(0.9)
    assert np.array_equal(joined(limited(cut(quiet, 7000))), quiet.samples)
