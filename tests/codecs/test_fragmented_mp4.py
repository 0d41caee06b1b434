"""AAC fragments, decoded by FFmpeg's libraries, are the whole sound: no sample more or less, no worse at the joins."""

import numpy as np
import pytest
from pyav_decoder import decoded

from lullwave.audio import Audio
from lullwave.codecs.fragmented_mp4 import PACKET_FRAMES, FragmentedAac
from lullwave.errors import MissingExtra

pytest.importorskip("av")
RATE = 44100
PACKETS = 86
FRAGMENT = PACKETS * PACKET_FRAMES


def hum(seconds: float) -> np.ndarray:
    """Noise below 2 kHz, (T, 2), other on the right than on the left."""
    frames = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(7).standard_normal((2, frames)))
    spectrum[:, np.fft.rfftfreq(frames, 1 / RATE) > 2000] = 0
    wave = np.fft.irfft(spectrum, frames)
    return (0.1 * wave / wave.std()).T.astype(np.float32)


def encoded(sound: np.ndarray, kbps: int = 160, block: int = 21888) -> tuple[bytes, list[bytes]]:
    encoder = FragmentedAac(RATE, 2, kbps, PACKETS)
    parts = [sound[start : start + block] for start in range(0, len(sound), block)]
    return encoder.init, [fragment for part in parts for fragment in encoder.encode(Audio(part, RATE))]


def test_two_minutes_are_exactly_the_samples_that_were_made():
    sound = np.tile(hum(10), (12, 1))
    init, fragments = encoded(sound)
    assert len(fragments) == (len(sound) - PACKET_FRAMES) // FRAGMENT
    heard = decoded(init + b"".join(fragments))
    assert len(heard) == len(fragments) * FRAGMENT
    delay = FragmentedAac.delay_frames
    error = heard[delay:] - sound[: len(heard) - delay]
    power = np.square(error).mean(axis=1)
    assert power.mean() < 0.02**2 * 0.1  # noise below the sound at every frame: nothing is shifted, lost or doubled
    joins = np.arange(1, len(fragments)) * FRAGMENT - delay
    around = np.array([power[at - 512 : at + 512].mean() for at in joins])
    elsewhere = power[: len(power) // 1024 * 1024].reshape(-1, 1024).mean(axis=1)
    assert around.mean() < 1.2 * elsewhere.mean()
    assert around.max() <= elsewhere.max()


def test_blocks_of_any_size_give_the_same_bytes():
    sound = hum(5)
    assert encoded(sound, block=21888) == encoded(sound, block=1000) == encoded(sound, block=len(sound))


def test_a_player_may_begin_with_any_fragment():
    sound = hum(9)
    init, fragments = encoded(sound)
    whole = decoded(init + b"".join(fragments))
    for first in range(1, len(fragments)):
        late = decoded(init + b"".join(fragments[first:]))
        settled = 2 * PACKET_FRAMES  # the first packet overlaps with the one before
        assert late[settled:] == pytest.approx(whole[first * FRAGMENT + settled :], abs=1e-4)


@pytest.mark.parametrize("kbps", [160, 64])
def test_the_bit_rate_is_kept(kbps):
    _, fragments = encoded(hum(20), kbps)
    rates = [8 * len(fragment) / (FRAGMENT / RATE) / 1000 for fragment in fragments]
    assert 0.9 * kbps < np.mean(rates) < kbps + 3
    assert max(rates) < kbps + 12


def test_without_pyav_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtra, match=r"lullwave\[media\]"):
        FragmentedAac(RATE, 2, 160, PACKETS)
