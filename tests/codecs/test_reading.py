"""Odd sound files: each is read whole or refused with the true reason, and every way to read gives the same."""

import io
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from PIL.Image import registered_extensions

from lullwave.audio import Audio
from lullwave.cli.parallel import SOUNDS
from lullwave.codecs import blocks_of, decode, encode, fitting_name, read
from lullwave.errors import CodecError
from lullwave.spectrogram.image import FORMATS, open_image

RATE = 44100


def tone(seconds: float = 1.0, hz: float = 440.0, channels: int = 2) -> Audio:
    wave = 0.4 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
    return Audio.of(np.stack([wave] * channels, 1), RATE)


def float_wav(samples: np.ndarray) -> bytes:
    made = io.BytesIO()
    soundfile.write(made, samples, RATE, "FLOAT", format="WAV")
    return made.getvalue()


def untagged_mp3() -> bytes:
    from lullwave.codecs import Mp3Encoder

    encoder = Mp3Encoder(RATE, 2, 128)
    return encoder.encode(tone()) + encoder.flush()


def wav_with_sizes(size: int) -> bytes:
    """A WAV as programs write it that cannot seek back: both sizes are left at ``size``."""
    data = bytearray(encode(tone(), "wav"))
    at = data.index(b"data")
    data[4:8] = data[at + 4 : at + 8] = struct.pack("<I", size)
    return bytes(data)


def with_number(value: float) -> bytes:
    samples = tone().samples.copy()
    samples[22050, 1] = value
    return float_wav(samples)


WAV, FLAC, MP3, OGG = (encode(tone(), name) for name in ("wav", "flac", "mp3", "ogg"))
WHOLE = {  # and the seconds that are in it
    "joined wav": (WAV + WAV, 2),
    "joined flac": (FLAC + FLAC + FLAC, 3),
    "joined mp3": (MP3 + MP3, 2),
    "joined mp3 with ID3v1": (MP3 + b"TAG" + bytes(125) + MP3, 2),
    "joined ogg": (OGG + encode(tone(hz=330), "ogg"), 2),
    "sizes of 0": (wav_with_sizes(0), 1),
    "sizes unknown": (wav_with_sizes(0xFFFFFFFF), 1),
    "six channels": (float_wav(tone(channels=6).samples), 1),
}
REFUSED = {
    "empty": (b"", "no bytes"),
    "text": (b"this is not sound at all, though it is long enough", "cannot decode"),
    "header alone": (WAV[:44], "cut off|no sound"),
    "cut wav": (WAV[: len(WAV) // 2], r"cut off after 0\.\d seconds"),
    "cut mp3": (MP3[: len(MP3) // 2], r"cut off after 0\.\d seconds"),
    "cut ogg": (OGG[: len(OGG) // 2], "cut off"),
    "cut flac": (FLAC[: len(FLAC) // 2], r"cut off or damaged after 0\.\d seconds"),
    "damaged mp3": (MP3[: len(MP3) // 2] + bytes(2000) + MP3[len(MP3) // 2 + 2000 :], r"damaged"),
    "joined, the second cut": (WAV + WAV[: len(WAV) // 2], "cut off"),
    "joined, of other channels": (WAV + encode(tone(channels=1), "wav"), "two files were joined"),
    "NaN": (with_number(np.nan), r"not numbers.*after 0\.50 seconds"),
    "infinity": (with_number(np.inf), r"not numbers.*after 0\.50 seconds"),
    "rate of 1": (WAV[:24] + struct.pack("<I", 1) + WAV[28:], "1 Hz"),
    "rate of 4 billion": (WAV[:24] + struct.pack("<I", 2**31 - 1) + WAV[28:], "Hz"),
}


def every_way(data: bytes, folder: Path):
    """The outcome of each way to read ``data``: samples or the reason why not."""
    path = folder / "odd"
    path.write_bytes(data)

    def joined(source):
        return np.concatenate([block.samples for block in blocks_of(source)])

    for way in (
        lambda: decode(data).samples,
        lambda: decode(path).samples,
        lambda: joined(path),
        lambda: Audio.load(path).samples,
        lambda: read(path).samples,
    ):
        try:
            yield way()
        except CodecError as error:
            yield str(error).partition(": ")[2]


@pytest.mark.parametrize("name", WHOLE)
def test_nothing_is_silently_shortened_in_any_way_to_read(name, tmp_path):
    data, seconds = WHOLE[name]
    found = list(every_way(data, tmp_path))
    assert {len(samples) for samples in found} == {seconds * RATE}
    for samples in found[1:]:
        assert np.array_equal(samples, found[0])
    if name.startswith("joined"):  # the second file is heard, not silence
        assert np.sqrt(np.mean(found[0][-RATE // 2 :] ** 2)) > 0.2


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_for_the_same_true_reason_everywhere(name, tmp_path):
    data, reason = REFUSED[name]
    found = list(every_way(data, tmp_path))
    assert len(set(map(str, found))) == 1
    assert isinstance(found[0], str)
    with pytest.raises(CodecError, match=reason):
        decode(data)


@pytest.mark.parametrize(
    "junk", [b"\0" * 500, b"HTTP/1.0 200 OK\r\nicy-name: x\r\n\r\n", b"\xff\xfb" * 50, bytes(range(256)) * 40]
)
def test_junk_before_the_first_mp3_frame_is_passed_over(junk):
    plain = untagged_mp3()
    assert np.array_equal(decode(junk + plain).samples, decode(plain).samples)
    assert decode(junk + MP3).frames == RATE


def test_sound_over_full_scale_is_turned_down_as_a_whole_with_a_word(tmp_path, caplog):
    hot = tone().samples * np.float32(7.5)
    (tmp_path / "hot.wav").write_bytes(float_wav(hot))
    found = read(tmp_path / "hot.wav").samples
    assert np.abs(found).max() == pytest.approx(1.0)
    assert np.allclose(found, hot / np.abs(hot).max(), atol=1e-6)
    assert "9.5 dB above full scale" in caplog.text
    caplog.clear()
    (tmp_path / "usual.wav").write_bytes(float_wav(tone().samples))
    assert np.array_equal(read(tmp_path / "usual.wav").samples, tone().samples)
    assert not caplog.text


def test_m4a_is_read_with_the_extra_and_named_without(tmp_path, monkeypatch):
    av = pytest.importorskip("av")
    path = tmp_path / "x.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=RATE)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(tone(2.0).samples.T), "fltp", "stereo")
        frame.rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    data = path.read_bytes()
    found = list(every_way(data, tmp_path))
    assert all(2 * RATE <= len(samples) < 2.1 * RATE for samples in found)
    with pytest.raises(CodecError, match="cannot decode"):
        decode(data[: len(data) // 2])
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    for reason in every_way(data, tmp_path):
        assert "lullwave[media]" in reason


def test_long_names_are_cut_to_what_file_systems_accept(tmp_path):
    assert fitting_name("short.wav") == "short.wav"
    one, other = (fitting_name("雨" * 200 + end + ".wav") for end in "ab")
    assert one != other
    for name in (one, other):
        assert name.startswith("雨雨")
        assert name.endswith(".wav")
        (tmp_path / name).write_bytes(b"")


def test_a_file_of_the_longest_name_is_written(tmp_path):
    path = tone().save(tmp_path / ("n" * 251 + ".wav"))
    assert decode(path).frames == RATE
    assert list(tmp_path.iterdir()) == [path]


def documented(row: str) -> list[str]:
    """The suffixes in one row of the table of files that can be read."""
    page = (Path(__file__).parents[2] / "docs" / "use" / "spectrogram-images.md").read_text()
    line = next(line for line in page.splitlines() if line.startswith("| `.") and line.endswith(f"{row} |"))
    return re.findall(r"`(\.\w+)`", line.partition(" | ")[0])


def test_the_documented_files_are_read_and_are_those_that_batches_choose(tmp_path):
    always, media = documented("always"), documented("with `pip install '.[media]'`")
    assert {*always, *media} == SOUNDS
    for suffix in always:
        path = tmp_path / f"a{suffix}"
        if suffix == ".opus":
            path.write_bytes(encode(tone(), "opus"))
        else:
            soundfile.write(path, tone().samples, RATE, format="AIFF" if suffix == ".aif" else None)
        assert decode(path).duration_s == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("suffix", documented("with `pip install '.[media]'`"))
def test_the_documented_files_of_the_extra_are_read(tmp_path, suffix):
    av = pytest.importorskip("av")
    form, codec = {".wma": ("asf", "wmav2"), ".webm": ("webm", "libopus"), ".aac": ("adts", "aac")}.get(
        suffix, ("mp4", "aac")
    )
    path = tmp_path / f"a{suffix}"
    with av.open(str(path), "w", format=form) as file:
        stream = file.add_stream(codec, rate=48000, layout="mono")
        stream.bit_rate, left = 96_000, av.AudioFifo()
        frame = av.AudioFrame.from_ndarray(tone(1.0, channels=1).resample(48000).samples.T.copy(), "fltp", "mono")
        frame.rate = 48000
        left.write(av.AudioResampler(stream.format, "mono", 48000).resample(frame)[0])
        while (part := left.read(stream.frame_size or 1024, partial=True)) is not None:
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    assert decode(path).duration_s == pytest.approx(1.0, abs=0.1)


def test_the_documented_images_can_be_opened(tmp_path):
    suffixes = documented("as images: up to 400 million pixels and 8192 rows")
    for suffix in suffixes:
        Image.new("RGB", (9, 8), "grey").save(tmp_path / f"a{suffix}")
        assert open_image(tmp_path / f"a{suffix}").size == (9, 8)
    assert {registered_extensions()[suffix] for suffix in suffixes} == set(FORMATS)
