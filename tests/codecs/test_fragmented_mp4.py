"""AAC fragments, decoded by FFmpeg's libraries, are the whole sound: no sample more or less, no worse at the joins."""

import numpy as np
import pytest
from pyav_decoder import decoded

from lullwave.audio import Audio
from lullwave.codecs import fragmented_mp4
from lullwave.codecs.fragmented_mp4 import LOOKAHEAD_FRAMES, PACKET_FRAMES, WARM_PACKETS, AacFragments, header
from lullwave.errors import MissingExtra

pytest.importorskip("av")
RATE = 44100
PACKETS = 86
FRAGMENT = PACKETS * PACKET_FRAMES
WARM = WARM_PACKETS * PACKET_FRAMES


def hum(seconds: float) -> np.ndarray:
    """Noise below 2 kHz, (T, 2), other on the right than on the left."""
    frames = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(7).standard_normal((2, frames)))
    spectrum[:, np.fft.rfftfreq(frames, 1 / RATE) > 2000] = 0
    wave = np.fft.irfft(spectrum, frames)
    return (0.1 * wave / wave.std()).T.astype(np.float32)


def knocks(seconds: float) -> np.ndarray:
    """Hum with an attack every 0.15 s or so, in places by chance: the encoder switches windows, also at joins."""
    sound = np.tile(hum(min(seconds, 10)), (-(-round(seconds) // 10), 1))[: round(seconds * RATE)]
    fall = (0.7 * np.exp(-np.arange(400) / 60) * np.cos(np.arange(400)))[:, None].astype(np.float32)
    for at in np.random.default_rng(3).integers(0, len(sound) - 400, round(seconds / 0.15)):
        sound[at : at + 400] += fall
    return sound


def encoded(sound: np.ndarray, kbps: int = 160, block: int = 21888, begin: int = 0) -> dict[int, bytes]:
    encoder = AacFragments(RATE, 2, kbps, PACKETS, begin)
    parts = [sound[start : start + block] for start in range(0, len(sound), block)]
    return dict(found for part in parts for found in encoder.encode(Audio(part, RATE)))


def heard(fragments: list[bytes], kbps: int = 160) -> np.ndarray:
    return decoded(header(RATE, 2, kbps) + b"".join(fragments))


@pytest.mark.parametrize("kind", [hum, knocks])
@pytest.mark.parametrize("kbps", [160, 64])
def test_two_minutes_are_exactly_the_samples_that_were_made(kind, kbps):
    sound = knocks(120) if kind is knocks else np.tile(hum(10), (12, 1))
    fragments = encoded(sound, kbps)
    assert list(fragments) == list(range((len(sound) - LOOKAHEAD_FRAMES) // FRAGMENT))
    got = heard(list(fragments.values()), kbps)
    assert len(got) == len(fragments) * FRAGMENT
    power = np.square(got - sound[: len(got)]).mean(axis=1)
    power[:1024] = 0  # the first packet lacks the one that it overlaps with
    loud = np.square(sound).mean()
    assert power.mean() < 0.1 * loud  # noise below the sound at every frame: nothing is shifted, lost or doubled
    joins = np.arange(1, len(fragments)) * FRAGMENT
    around = np.array([power[at - 1024 : at + 1024].mean() for at in joins])
    pairs = np.convolve(power[: len(power) // 1024 * 1024].reshape(-1, 1024).mean(axis=1), [0.5, 0.5], "valid")
    assert around.mean() < 1.2 * pairs.mean()
    assert around.max() <= pairs.max()  # over all pairs of packets, not only those at joins


def test_blocks_of_any_size_give_the_same_bytes():
    sound = hum(7)
    assert encoded(sound, block=21888) == encoded(sound, block=1000) == encoded(sound, block=len(sound))


@pytest.mark.parametrize("kbps", [160, 64])
def test_the_bytes_are_the_same_wherever_the_encoder_begins(kbps):
    sound = knocks(14)
    whole = encoded(sound, kbps)
    assert list(whole) == list(range(6))
    for begin in (1, 30_000, FRAGMENT - WARM, FRAGMENT - WARM + 1, 3 * FRAGMENT - 5):
        later = encoded(sound[begin:], kbps, begin=begin)
        assert list(later) == list(range(-(-(begin + WARM) // FRAGMENT), 6))
        assert later == {number: whole[number] for number in later}
    alone = sound[3 * FRAGMENT - WARM : 4 * FRAGMENT + LOOKAHEAD_FRAMES]
    assert encoded(alone, kbps, begin=3 * FRAGMENT - WARM) == {3: whole[3]}
    assert encoded(alone[:-1], kbps, begin=3 * FRAGMENT - WARM) == {}


def test_an_encoder_for_one_fragment_begins_no_other(monkeypatch):
    sound, begun = knocks(9), []
    alone, begin = sound[2 * FRAGMENT - WARM : 3 * FRAGMENT + LOOKAHEAD_FRAMES], 2 * FRAGMENT - WARM
    begin_one = fragmented_mp4._FragmentEncoder
    monkeypatch.setattr(fragmented_mp4, "_FragmentEncoder", lambda of, n: begun.append(n) or begin_one(of, n))
    encoder = AacFragments(RATE, 2, 160, PACKETS, begin, until=3)
    made = dict(encoder.encode(Audio(alone, RATE)))
    assert begun == [2]
    assert made == {2: encoded(sound)[2]}


def test_before_the_timeline_there_is_silence():
    sound = hum(5)
    late = np.concatenate([np.zeros((500, 2), np.float32), sound])
    assert encoded(late, begin=-500) == encoded(sound)
    early = np.concatenate([np.zeros((2 * WARM, 2), np.float32), sound])
    assert encoded(early, begin=-2 * WARM) == encoded(sound)


def test_a_player_may_begin_with_any_fragment():
    fragments = list(encoded(hum(9)).values())
    whole = heard(fragments)
    for first in range(1, len(fragments)):
        late = heard(fragments[first:])
        settled = 2 * PACKET_FRAMES  # the first packet overlaps with the one before
        assert late[settled:] == pytest.approx(whole[first * FRAGMENT + settled :], abs=1e-4)


@pytest.mark.parametrize("kbps", [160, 64])
def test_the_bit_rate_is_kept(kbps):
    fragments = encoded(hum(20), kbps).values()
    rates = [8 * len(fragment) / (FRAGMENT / RATE) / 1000 for fragment in fragments]
    assert 0.9 * kbps < np.mean(rates) < kbps + 3
    assert max(rates) < kbps + 12


def test_without_pyav_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtra, match=r"lullwave\[media\]"):
        AacFragments(RATE, 2, 160, PACKETS, 0)
