"""Files joined, cut, padded and tagged, in every container: read whole, or refused with the true reason."""

import io
import itertools
import struct
from functools import cache

import numpy as np
import pytest
import soundfile

from lullwave.audio import Audio
from lullwave.codecs import Mp3Encoder, blocks_of, decode, encode
from lullwave.codecs.file_parts import file_parts
from lullwave.errors import CodecError

RATE = 44100
FRAMES = 11025
WAVE = 0.4 * np.sin(2 * np.pi * 440 * np.arange(FRAMES) / RATE)
TONE = Audio.of(np.stack([WAVE, WAVE], 1), RATE)
TAG = b"TAG" + b"title".ljust(125, b"\0")
APE_HEAD = b"APETAGEX" + struct.pack("<III", 2000, 64, 1)
APE = APE_HEAD + struct.pack("<I", 0xA0000000) + bytes(8) + b"x" * 32 + APE_HEAD + bytes(12)
ID3 = b"ID3\4\0\0\0\0\0\x20" + bytes(32)


def by_soundfile(form, subtype="PCM_16", endian=None) -> bytes:
    made = io.BytesIO()
    soundfile.write(made, TONE.samples, RATE, subtype, endian, form)
    return made.getvalue()


def by_av(form, codec) -> bytes:
    av = pytest.importorskip("av")
    made = io.BytesIO()
    with av.open(made, "w", format=form) as file:
        stream, left = file.add_stream(codec, rate=RATE, layout="stereo"), av.AudioFifo()
        stream.bit_rate = 128_000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(TONE.samples.T), "fltp", "stereo")
        frame.rate = RATE
        left.write(av.AudioResampler(stream.format, "stereo", RATE).resample(frame)[0])
        while (part := left.read(stream.frame_size or 1024, partial=True)) is not None:
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return made.getvalue()


def bare_mp3() -> bytes:
    encoder = Mp3Encoder(RATE, 2, 128)
    return encoder.encode(TONE) + encoder.flush()


MAKERS = {
    **{name: lambda name=name: encode(TONE, name) for name in ("wav", "flac", "mp3", "ogg")},
    "bare mp3": bare_mp3,
    "float wav": lambda: by_soundfile("WAV", "FLOAT"),
    "big-endian wav": lambda: by_soundfile("WAV", endian="BIG"),
    "rf64": lambda: by_soundfile("RF64"),
    "w64": lambda: by_soundfile("W64"),
    "aiff": lambda: by_soundfile("AIFF"),
    "aiff-c": lambda: by_soundfile("AIFF", "FLOAT"),
    "au": lambda: by_soundfile("AU"),
    "little-endian au": lambda: by_soundfile("AU", endian="LITTLE"),
    "caf": lambda: by_soundfile("CAF"),
    "nist": lambda: by_soundfile("NIST"),
    "voc": lambda: by_soundfile("VOC"),
    "m4a": lambda: by_av("mp4", "aac"),
    "aac": lambda: by_av("adts", "aac"),
    "wma": lambda: by_av("asf", "wmav2"),
    "mka": lambda: by_av("matroska", "flac"),
    "wavpack": lambda: by_av("wv", "wavpack"),
}
STATED = ["wav", "float wav", "big-endian wav", "rf64", "w64", "aiff", "aiff-c", "au", "little-endian au", "caf"]


@cache
def made(name) -> bytes:
    return MAKERS[name]()


def length(data) -> int:
    return decode(data).frames


@pytest.mark.parametrize(("one", "other"), [*itertools.product(MAKERS, repeat=2)], ids=str)
def test_files_of_any_two_formats_that_were_joined_are_read_one_after_the_other(one, other):
    first, second = decode(made(one)), decode(made(other))
    both = decode(made(one) + made(other))
    if one == other and one in ("bare mp3", "aac"):  # nothing tells where the second begins: one stream of frames
        assert both.frames == first.frames + second.frames
        return
    assert np.array_equal(both.samples, np.concatenate([first.samples, second.samples]))


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("end", [TAG, APE, ID3, bytes(3000), APE + TAG, bytes(777) + TAG], ids=range(6))
def test_tags_and_padding_at_the_end_are_no_sound_and_no_reason_to_warn(name, end, caplog):
    assert np.array_equal(decode(made(name) + end).samples, decode(made(name)).samples)
    assert not caplog.text


@pytest.mark.parametrize("name", ["wav", "aiff", "au", "caf", "mp3", "ogg", "m4a", "w64"])
def test_junk_after_the_sound_and_between_sounds_is_told(name, caplog):
    junk = b"no sound " * 99
    assert length(made(name) + junk) == length(made(name))
    assert "891 bytes that are no sound in a known format were passed over" in caplog.text
    assert length(made(name) + junk + made("wav")) == length(made(name)) + FRAMES


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "ogg", "m4a", "w64"])
def test_junk_before_the_sound_is_told_and_zeros_are_not(name, caplog):
    assert length(bytes(3000) + made(name)) == length(made(name))
    assert not caplog.text
    assert length(b"no sound " * 99 + made(name)) == length(made(name))
    assert "891 bytes that are no sound in a known format were passed over" in caplog.text


@pytest.mark.parametrize("name", [*STATED, "nist", "voc", "aiff", "ogg", "mka"])
def test_a_file_cut_within_its_header_is_refused_with_a_reason(name):
    for size in (*range(1, 64, 3), 100):
        with pytest.raises(CodecError):
            decode(made(name)[:size])


@pytest.mark.parametrize("name", [*STATED, "nist", "voc", "flac", "mp3", "ogg", "m4a", "wma", "mka"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.97])
def test_a_file_that_states_its_length_is_never_read_short(name, share):
    whole = made(name)
    with pytest.raises(CodecError, match=r"cut off|no sound in a known format"):
        decode(whole[: round(share * len(whole))])


@pytest.mark.parametrize("name", STATED)
def test_the_time_of_a_cut_is_told_and_what_comes_before_it_is_given(name):
    whole = made(name)
    blocks = blocks_of(whole[: len(whole) * 3 // 4])
    assert 0.6 * FRAMES < next(blocks).frames < 0.8 * FRAMES
    with pytest.raises(CodecError, match=r"cut off after 0\.\d seconds"):
        next(blocks)
    with pytest.raises(CodecError, match="cut off"):  # of two, the first cut
        decode(whole[: len(whole) * 3 // 4] + made("wav"))


def with_sizes(name, total, sound) -> bytes:
    """A file whose sizes are set, None: left as they are."""
    data, order = bytearray(made(name)), ">" if name in ("aiff", "au") else "<"
    width = "Q" if name in ("rf64", "w64") else "I"
    total_at = {"wav": 4, "aiff": 4, "rf64": data.find(b"ds64") + 8, "w64": 16}.get(name)
    sound_at = {
        "wav": data.find(b"data") + 4,
        "aiff": data.find(b"SSND") + 4,
        "au": 8,
        "rf64": data.find(b"ds64") + 16,
        "w64": data.find(b"data") + 16,
    }[name]
    for at, size in ((total_at, total), (sound_at, sound)):
        if at is not None and size is not None:
            data[at : at + struct.calcsize(width)] = struct.pack(
                order + width, size % (1 << 8 * struct.calcsize(width))
            )
    return bytes(data)


@pytest.mark.parametrize("total", [None, 0, -1, 36], ids=["true", "0", "unknown", "of the header"])
@pytest.mark.parametrize("name", ["wav", "aiff", "au", "rf64", "w64"])
def test_sizes_that_were_never_filled_in_are_read_to_the_end(name, total):
    assert length(with_sizes(name, total, None)) == FRAMES
    for sound in (0, -1):
        streamed = with_sizes(name, total, sound)
        assert length(streamed) == FRAMES
        assert length(streamed + TAG) == FRAMES
        for more in (made("wav"), made("flac"), made("mp3"), streamed):
            assert length(streamed + more) == 2 * FRAMES
    with pytest.raises(CodecError, match="cut off after 0"):  # the size of the sound is true, that of the file is not
        decode(with_sizes(name, total, None)[:-20_000])


def test_a_recording_of_a_stream_is_read_to_its_last_whole_frame_with_a_word(caplog):
    cut = bare_mp3()[:-100]
    assert FRAMES - 1152 < length(cut) < length(bare_mp3())
    assert "ends in the middle of a frame" in caplog.text


def test_an_empty_file_among_others_takes_nothing_away():
    empty = encode(TONE, "wav")[:40] + bytes(4)
    listed = empty[:4] + struct.pack("<I", 48) + empty[8:] + b"LIST" + struct.pack("<I", 4) + b"INFO"
    assert length(made("wav") + listed + made("aiff")) == 2 * FRAMES
    with pytest.raises(CodecError, match=r"there is no sound in it"):
        decode(listed)


@pytest.mark.parametrize("name", ["mp3", "bare mp3", "ogg", "flac"])
def test_a_hole_in_the_midst_is_damage(name):
    whole = made(name)
    at = len(whole) // 3
    with pytest.raises(CodecError, match=r"damaged"):
        decode(whole[:at] + bytes(900) + whole[at + 900 :])


def test_what_looks_like_a_file_inside_the_sound_or_its_tags_is_none():
    noise = np.frombuffer(made("mp3")[:4000] + made("wav")[:4000], "<i2").reshape(-1, 1)
    wav = io.BytesIO()
    soundfile.write(wav, noise, RATE, "PCM_16", format="WAV")
    assert len(list(file_parts(wav.getvalue()))) == 1
    # FLAC with the header of the WAV that it was made of, as `flac --keep-foreign-metadata` stores it
    flac = made("flac")
    block = b"\x02" + (4 + 44).to_bytes(3, "big") + b"riff" + made("wav")[:44]
    assert length(flac[:42] + block + flac[42:]) == FRAMES


def test_blocks_stay_small_whatever_rate_and_channels_a_header_states():
    wide = io.BytesIO()
    soundfile.write(wide, np.zeros((400_000, 32), np.float32), 400_000, "PCM_16", format="WAV")
    assert max(block.samples.size for block in blocks_of(wide.getvalue())) <= 1 << 22
