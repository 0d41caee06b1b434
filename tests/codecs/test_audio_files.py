"""Whole files: exact lengths by several decoders, sizes, errors, and nothing half written."""

import os

import numpy as np
import pyav_decoder
import pytest
import soundfile

from lullwave.audio import Audio
from lullwave.codecs import FORMATS, decode, encode, format_of, write
from lullwave.errors import CodecError, InvalidInput
from lullwave.storage.atomic_files import replacing


def tone(frames: int, rate: int = 44100, channels: int = 2) -> Audio:
    wave = 0.4 * np.sin(2 * np.pi * 440 * np.arange(frames) / rate)
    return Audio.of(np.stack([wave, 0.5 * wave][:channels], 1), rate)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("frames", [1, 576, 1151, 1152, 1153, 48000, 100_001])
@pytest.mark.parametrize("channels", [1, 2])
def test_what_was_encoded_decodes_to_exactly_as_many_frames(name, frames, channels):
    audio = tone(frames, 48000, channels)
    again = decode(encode(audio, name))
    assert (again.frames, again.rate, again.channels) == (frames, 48000, channels)


@pytest.mark.parametrize(
    ("name", "bound"), [("wav", 2e-5), ("flac", 2e-5), ("mp3", 0.02), ("ogg", 0.02), ("opus", 0.02)]
)
def test_the_sound_is_the_same(name, bound):
    audio = tone(48000 * 3, 48000)
    again = decode(encode(audio, name)).samples
    gain = float(np.sum(again * audio.samples) / np.sum(audio.samples**2))
    assert gain == pytest.approx(1.0, abs=0.06 if name == "mp3" else 0.01)  # LAME lowers the level by 0.45 dB
    inside = slice(2000, -2000)
    assert np.max(np.abs(again[inside] / gain - audio.samples[inside])) < bound


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "ogg", "opus"])
def test_ffmpeg_gives_the_same_length(name, tmp_path):
    path = write(tmp_path / f"a{FORMATS[name].suffix}", tone(100_001, 48000))
    assert pyav_decoder.decoded(path).shape == (100_001, 2)


@pytest.mark.parametrize("rate", [16000, 22050, 24000, 32000, 44100, 48000])
def test_mp3_is_exact_at_every_rate(rate):
    assert decode(encode(tone(50_000, rate), "mp3")).frames == 50_000


def test_lossless_is_lossless_to_16_bits():
    audio = tone(5000)
    for name in ("wav", "flac"):
        assert np.array_equal(decode(encode(audio, name)).to_int16(), audio.to_int16())


def test_a_minute_of_mp3_stays_under_a_mebibyte():
    chance = np.random.default_rng(0)
    minute = Audio.of(0.3 * chance.standard_normal((60 * 48000, 2)), 48000)
    assert len(encode(minute, "mp3", kbps=128)) < 2**20


def test_the_bit_rate_is_the_one_that_was_asked_for():
    for kbps in (64, 128, 320):
        size = len(encode(tone(441000), "mp3", kbps))
        assert size * 8 / 10 == pytest.approx(kbps * 1000, rel=0.01)


def test_rates_that_a_format_lacks_are_resampled():
    opus = decode(encode(tone(44100), "opus"))
    assert (opus.rate, opus.frames) == (48000, 48000)
    mp3 = decode(encode(tone(96000, 96000), "mp3"))
    assert (mp3.rate, mp3.frames) == (48000, 48000)


def test_vorbis_of_many_seconds_at_once():
    assert decode(encode(tone(44100 * 90, channels=1), "ogg")).frames == 44100 * 90


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_was_cut_off_is_refused(name):
    data = encode(tone(88200), name)
    for keep in (0.1, 0.5, 0.98):
        with pytest.raises(CodecError, match="cannot decode"):
            decode(data[: int(len(data) * keep)])


@pytest.mark.parametrize("data", [b"", b"x", b"RIFF", b"hello " * 500, bytes(5000), b"\xff\xfb\x90\x44" * 300])
def test_junk_is_refused(data):
    with pytest.raises(CodecError, match="cannot decode"):
        decode(data)


def test_an_absent_file_is_refused(tmp_path):
    with pytest.raises(CodecError, match="absent"):
        decode(tmp_path / "absent.mp3")
    with pytest.raises(CodecError):
        decode(tmp_path)


def test_more_than_is_wanted_is_refused():
    data = encode(Audio.silence(44100 * 30, 44100), "flac")
    assert decode(data, max_s=30.0).frames == 44100 * 30
    with pytest.raises(CodecError, match="longer than 5 seconds"):
        decode(data, max_s=5.0)


def test_a_wav_of_another_depth_and_a_streamed_one_are_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(100).samples, 44100, "FLOAT")
    assert np.array_equal(decode(tmp_path / "a.wav").samples, tone(100).samples)


def test_nothing_to_encode_is_refused():
    with pytest.raises(CodecError, match="empty"):
        encode(Audio.silence(0, 44100), "wav")
    with pytest.raises(InvalidInput, match="wav, flac, mp3, ogg, opus"):
        encode(tone(10), "aiff")


def test_the_format_is_that_of_the_suffix(tmp_path):
    assert write(tmp_path / "A.FLAC", tone(10)).read_bytes()[:4] == b"fLaC"
    assert write(tmp_path / "a.bin", tone(10), "wav").read_bytes()[:4] == b"RIFF"
    with pytest.raises(InvalidInput, match=r"\.mp3"):
        write(tmp_path / "a.xyz", tone(10))
    assert format_of("x.opus").media_type == "audio/ogg; codecs=opus"


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")

    def fail_half_way() -> None:
        with replacing(path) as file:
            file.write(b"new, but only ha")
            file.flush()
            assert path.read_bytes() == b"old"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.wav"]
    write(path, tone(10))
    assert decode(path).frames == 10
    assert os.listdir(tmp_path) == ["a.wav"]


def test_a_link_goes_on_leading_to_the_file(tmp_path):
    (tmp_path / "link.wav").symlink_to(tmp_path / "file.wav")
    write(tmp_path / "link.wav", tone(10))
    assert (tmp_path / "link.wav").is_symlink()
    assert decode(tmp_path / "file.wav").frames == 10
