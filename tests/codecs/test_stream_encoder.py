"""Finite audio encoded while it is made: the same file as the whole, whatever the blocks."""

import numpy as np
import pytest

from lullwave.audio import Audio
from lullwave.codecs import DEFAULT_KBPS, FORMATS, StreamEncoder, decode, encode
from lullwave.errors import InvalidInput

FRAMES = 100_001


def tone(frames: int = FRAMES, rate: int = 48000) -> Audio:
    wave = 0.4 * np.sin(2 * np.pi * 440 * np.arange(frames) / rate)
    return Audio.of(np.stack([wave, 0.5 * wave], 1), rate)


def streamed(audio: Audio, name: str, block: int, total: int | None, kbps: int = DEFAULT_KBPS) -> bytes:
    encoder = StreamEncoder(name, audio.rate, audio.channels, total, kbps)
    parts = [encoder.header]
    parts += [encoder.encode(audio[start : start + block]) for start in range(0, audio.frames, block)]
    return b"".join([*parts, encoder.flush()])


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("block", [777, 24000, FRAMES])
def test_of_known_length_it_decodes_to_exactly_what_went_in(name, block):
    again = decode(streamed(tone(), name, block, FRAMES))
    assert again.frames == FRAMES
    whole = decode(encode(tone(), name))
    assert np.array_equal(again.samples, whole.samples)


@pytest.mark.parametrize("name", FORMATS)
def test_the_bytes_are_those_of_the_whole_file(name):
    assert streamed(tone(), name, 1000, FRAMES) == encode(tone(), name)


def test_mp3_of_a_low_rate_has_the_most_that_it_can():
    low = tone(24000, 24000)
    assert encode(low, "mp3", 192) == encode(low, "mp3", 160)
    assert decode(encode(low, "mp3", 320)).frames == 24000


@pytest.mark.parametrize("name", ["wav", "ogg", "opus"])
def test_of_unknown_length_it_decodes_to_what_went_in_too(name):
    assert decode(streamed(tone(), name, 5000, None)).frames == FRAMES


def test_mp3_of_unknown_length_keeps_the_delay():
    again = decode(streamed(tone(), "mp3", 5000, None, 128))
    assert FRAMES + 1105 <= again.frames < FRAMES + 1105 + 3 * 1152
    assert np.max(np.abs(again.samples[1105 + 2000 :][:90_000] - 0.95 * tone().samples[2000:][:90_000])) < 0.005


def test_flac_needs_its_length():
    with pytest.raises(InvalidInput, match="total_frames"):
        StreamEncoder("flac", 48000, 2)


@pytest.mark.parametrize("name", FORMATS)
def test_bytes_come_while_audio_goes_in(name):
    encoder = StreamEncoder(name, 48000, 2, 48000 * 8)
    first = len(encoder.header) + sum(len(encoder.encode(tone(48000))) for _ in range(4))
    assert first > 1000


def test_another_length_than_announced_is_an_error():
    encoder = StreamEncoder("mp3", 48000, 2, FRAMES)
    encoder.encode(tone(500))
    with pytest.raises(InvalidInput, match="announced 100001"):
        encoder.flush()


@pytest.mark.parametrize(
    ("name", "rate", "channels", "kbps"),
    [
        ("opus", 44100, 2, 128),
        ("mp3", 96000, 2, 128),
        ("wav", 44100, 0, 128),
        ("mp3", 44100, 2, 77),
        ("aac", 44100, 2, 128),
    ],
)
def test_what_a_format_lacks_is_refused(name, rate, channels, kbps):
    with pytest.raises(InvalidInput):
        StreamEncoder(name, rate, channels, 1000, kbps)
