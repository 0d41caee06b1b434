"""The endless MP3: bare frames, always whole, of known delay, that can be joined anywhere."""

import io

import numpy as np
import pyav_decoder
import pytest
import soundfile

from lullwave.audio import Audio
from lullwave.codecs import FrameSplitter, Mp3Encoder, Mp3Header, mp3_frames, muted
from lullwave.codecs.mp3 import MUTED_LEAD
from lullwave.errors import CodecError, InvalidInput

RATE = 44100


def music(seconds: float = 4.0, rate: int = RATE, channels: int = 2) -> Audio:
    """Two tones that swell, and a little noise: something that fills the bit reservoir."""
    t = np.arange(round(seconds * rate)) / rate
    chance = np.random.default_rng(3)
    left = 0.3 * np.sin(2 * np.pi * 440 * t) * (0.6 + 0.4 * np.sin(3 * t)) + 0.01 * chance.standard_normal(len(t))
    right = 0.3 * np.sin(2 * np.pi * 660 * t) * (0.6 + 0.4 * np.cos(5 * t)) + 0.01 * chance.standard_normal(len(t))
    return Audio.of(np.stack([left, right][:channels], 1), rate)


def encoded(audio: Audio, block: int = 4410, **options: int) -> tuple[Mp3Encoder, list[bytes]]:
    encoder = Mp3Encoder(audio.rate, audio.channels, **options)
    chunks = [encoder.encode(audio[start : start + block]) for start in range(0, audio.frames, block)]
    return encoder, [*chunks, encoder.flush()]


def by_ffmpeg(data: bytes) -> np.ndarray:
    return pyav_decoder.decoded(data, "mp3")


def level(heard: np.ndarray, audio: Audio) -> float:
    """The gain from what went in to what is heard (LAME lowers the level a little)."""
    return float(np.sum(heard * audio.samples) / np.sum(audio.samples**2))


def by_libsndfile(data: bytes) -> np.ndarray:
    return soundfile.read(io.BytesIO(data), dtype="float32")[0]


@pytest.mark.parametrize(
    ("rate", "channels", "kbps"), [(44100, 2, 128), (48000, 1, 96), (32000, 2, 320), (22050, 2, 64)]
)
def test_what_goes_in_comes_out_after_the_stated_delay(rate, channels, kbps):
    audio = music(2.0, rate, channels)
    encoder, chunks = encoded(audio, kbps=kbps)
    heard = by_ffmpeg(b"".join(chunks))
    again = heard[encoder.delay_frames :][: audio.frames]
    signal = audio.samples[2000:-2000]
    gain = level(again, audio)
    error = again[2000:-2000] / gain - signal
    assert 0.94 < gain < 1.01
    assert 10 * np.log10(np.mean(signal**2) / np.mean(error**2)) > 18  # noise as loud as the signal would be below 0
    assert encoder.frames_out * encoder.pcm_frames == len(heard)


def test_a_sine_stays_a_sine():
    """A float array handed to the encoder as it is would come out as loud noise, without an error."""
    t = np.arange(2 * RATE) / RATE
    audio = Audio.of(np.stack([0.5 * np.sin(2 * np.pi * 1000 * t)] * 2, 1), RATE)
    encoder, chunks = encoded(audio)
    heard = by_ffmpeg(b"".join(chunks))[encoder.delay_frames :][: audio.frames]
    assert np.max(np.abs(heard[4000:-4000] / level(heard, audio) - audio.samples[4000:-4000])) < 0.002


def test_the_encoder_is_given_integers_alone(monkeypatch):
    handed = []

    class Recorder:
        def __getattr__(self, name):
            return lambda *args: None

        def encode(self, data):
            handed.append(data)
            return bytearray()

    monkeypatch.setattr("lullwave.codecs.mp3.lameenc.Encoder", Recorder)
    Mp3Encoder(RATE, 1).encode(Audio.of([0.0, 0.5, -1.0, 3.0], RATE))
    assert handed == [np.array([0, 16384, -32768, 32767], "<i2").tobytes()]


def test_chunks_are_whole_bare_frames_of_constant_rate():
    _, chunks = encoded(music())
    for chunk in chunks:
        for frame in mp3_frames(chunk):
            header = Mp3Header.parse(frame)
            assert (header.rate, header.channels, header.kbps, header.pcm_frames) == (RATE, 2, 128, 1152)
            assert len(frame) == header.size in (417, 418)
    whole = b"".join(chunks)
    assert not any(tag in whole[:500] for tag in (b"Info", b"Xing", b"ID3", b"TAG"))


def test_the_bytes_do_not_depend_on_the_blocks():
    audio = music(1.0)
    assert b"".join(encoded(audio, 4410)[1]) == b"".join(encoded(audio, 333)[1]) == b"".join(encoded(audio, 10**6)[1])


@pytest.mark.parametrize("decoder", [by_ffmpeg, by_libsndfile])
def test_a_listener_who_joins_late_hears_the_same_after_one_frame(decoder):
    frames = mp3_frames(b"".join(encoded(music())[1]))
    whole = decoder(b"".join(frames))
    for at in (40, 77, 100):
        assert (frames[at][4] << 1 | frames[at][5] >> 7) > 400, "a frame that borrows from the two before it"
        joined = decoder(muted(frames[at - MUTED_LEAD : at]) + b"".join(frames[at:]))
        lead = MUTED_LEAD * 1152
        assert np.max(np.abs(joined[:lead])) == 0.0
        heard, same = joined[lead + 1152 :], whole[(at + 1) * 1152 :]
        shorter = min(len(heard), len(same))
        assert shorter > 20 * 1152
        assert np.max(np.abs(heard[:shorter] - same[:shorter])) < 1e-6
        first = joined[lead : lead + 1152]
        assert np.max(np.abs(first)) <= 1.2 * np.max(np.abs(whole[at * 1152 : (at + 1) * 1152]))


def test_the_splitter_takes_pieces_of_any_size():
    whole = b"".join(encoded(music(1.0))[1])
    splitter = FrameSplitter()
    found = []
    for start in range(0, len(whole), 100):
        found += splitter.feed(whole[start : start + 100])
    assert found == mp3_frames(whole)
    assert splitter.pending == 0


def test_the_splitter_refuses_what_is_no_mp3():
    whole = b"".join(encoded(music(1.0))[1])
    for wrong in (b"RIFF" + whole, whole[1:], whole[:-1], whole + b"\0" * 8):
        with pytest.raises(CodecError):
            mp3_frames(wrong)
    with pytest.raises(CodecError):
        muted([b"junk"])


def test_the_library_decodes_the_endless_form_too(tmp_path):
    (tmp_path / "a.mp3").write_bytes(b"".join(encoded(music(1.0))[1]))
    samples, rate = soundfile.read(tmp_path / "a.mp3")
    assert rate == RATE
    assert len(samples) % 1152 == 0


@pytest.mark.parametrize(
    ("rate", "channels", "kbps"), [(96000, 2, 128), (44100, 3, 128), (44100, 2, 100), (22050, 2, 320)]
)
def test_what_mp3_does_not_have_is_refused(rate, channels, kbps):
    with pytest.raises(InvalidInput):
        Mp3Encoder(rate, channels, kbps)


def test_audio_of_another_shape_is_refused():
    with pytest.raises(InvalidInput, match="44100 Hz, 2 channels"):
        Mp3Encoder(44100, 2).encode(Audio.silence(100, 48000))
