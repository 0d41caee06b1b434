"""MP3 as a sequence of frames: an encoder for endless streams, a frame splitter, and the tag of exact length.

An MP3 frame may borrow space from the frames before it (the bit reservoir: ``main_data_begin``, ISO/IEC 11172-3,
2.4.2.7), so a listener that joins in the middle of a stream lacks data for the first frame or two. ``muted`` returns
silent copies of earlier frames that still carry this data; sent first, they make any frame a clean start.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from mmap import mmap

import lameenc

from ..audio import Audio
from ..errors import CodecError, InvalidInput

ENCODER_DELAY = 576  # frames of silence that LAME adds at the beginning
DECODER_DELAY = 529  # latency of every MP3 decoder in frames: 528 + 1
MUTED_LEAD = 2  # MP3 frames that hold the whole bit reservoir (511 bytes) at 96 kbit/s or more
MUTED_LEAD_LOW = 4  # the same at lower bit rates
KBPS = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
RATES = (16000, 22050, 24000, 32000, 44100, 48000)
_QUALITY = 5  # LAME's 0 (slowest) to 9; 5 is 60 to 100 times real time on one core

# bit rates in kbit/s by the index in the header: layer III of MPEG-1 and MPEG-2
_KBPS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBPS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES_1 = (44100, 48000, 32000)


@dataclass(frozen=True)
class Mp3Header:
    """The header of a frame: its first four bytes."""

    rate: int  # Hz
    channels: int
    kbps: int
    size: int  # bytes of the frame, including the header
    pcm_frames: int  # samples per channel: 1152, or 576 at the low rates
    side_bytes: int  # side information after the header

    @classmethod
    def parse(cls, data: bytes | memoryview | mmap, at: int = 0) -> Mp3Header | None:
        """The header at ``at``, None if there is none. Only layer III without CRC, at a stated bit rate, is known."""
        if len(data) - at < 4 or data[at] != 0xFF or data[at + 1] not in (0xFB, 0xF3):
            return None
        first = data[at + 1] == 0xFB  # MPEG-1, else MPEG-2
        index, rate_index = data[at + 2] >> 4, data[at + 2] >> 2 & 3
        if index in (0, 15) or rate_index == 3:
            return None
        kbps = (_KBPS_1 if first else _KBPS_2)[index]
        rate = _RATES_1[rate_index] // (1 if first else 2)
        channels = 1 if data[at + 3] >> 6 == 3 else 2
        size = (144 if first else 72) * kbps * 1000 // rate + (data[at + 2] >> 1 & 1)
        side = (17 if channels == 1 else 32) if first else (9 if channels == 1 else 17)
        return cls(rate, channels, kbps, size, 1152 if first else 576, side)


class FrameSplitter:
    """Splits bytes that arrive in pieces of any size into whole MP3 frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are complete now.

        Raises:
            CodecError: the bytes are not MP3 frames.
        """
        data = self._rest + data
        at, found = 0, []
        while len(data) - at >= 4:
            header = Mp3Header.parse(data, at)
            if header is None:
                raise CodecError(f"no MP3 frame at byte {at}: {data[at : at + 4].hex()}")
            if at + header.size > len(data):
                break
            found.append(data[at : at + header.size])
            at += header.size
        self._rest = data[at:]
        return found

    @property
    def pending(self) -> int:
        """How many bytes of an incomplete frame wait."""
        return len(self._rest)


def mp3_frames(data: bytes) -> list[bytes]:
    """Split ``data``, which must consist of whole frames.

    Raises:
        CodecError: it does not.
    """
    splitter = FrameSplitter()
    found = splitter.feed(data)
    if splitter.pending:
        raise CodecError(f"the last MP3 frame is cut off: {splitter.pending} bytes are left over")
    return found


def muted(frames: Iterable[bytes]) -> bytes:
    """The frames with cleared side information: they decode to silence but still carry the bit reservoir.

    Send a listener that starts at frame n ``muted(frames[n - MUTED_LEAD : n])`` first. In frame n the sound fades in
    over the codec's overlap; from frame n + 1 on it equals the whole stream's, sample for sample.

    Raises:
        CodecError: ``frames`` holds something else than whole frames.
    """
    silent = []
    reservoir = 0  # bytes of the earlier frames that this one may use
    for frame in frames:
        header = Mp3Header.parse(frame)
        if header is None:
            raise CodecError("only whole MP3 frames can be muted")
        # Each frame claims the whole reservoir, though it uses none of it: some decoders keep only what is claimed.
        bits, most = (9, 511) if header.pcm_frames == 1152 else (8, 255)
        reservoir = min(reservoir, most)
        side = (reservoir << (16 - bits)).to_bytes(2, "big").ljust(header.side_bytes, b"\0")
        silent.append(frame[:4] + side + frame[4 + header.side_bytes :])
        reservoir += header.size - 4 - header.side_bytes
    return b"".join(silent)


class Mp3Encoder:
    """Encodes an endless MP3 of constant bit rate from blocks of any size. One thread.

    Returns whole frames only, without tags. Sample k of the decoded stream is sample ``k - delay_frames`` of the input.
    LAME lowers the level a little against clipping in decoders: by 0.45 dB up to 160 kbit/s, not at all from 256 on.
    """

    delay_frames = ENCODER_DELAY + DECODER_DELAY

    def __init__(self, rate: int, channels: int, kbps: int = 128) -> None:
        if rate not in RATES:
            raise InvalidInput("rate", rate, "an MP3 rate: " + ", ".join(map(str, RATES)))
        if channels not in (1, 2):
            raise InvalidInput("channels", channels, "1 or 2 for MP3")
        highest = highest_kbps(rate)
        if kbps not in KBPS or kbps > highest:
            raise InvalidInput("kbps", kbps, "one of " + ", ".join(str(k) for k in KBPS if k <= highest))
        self.rate, self.channels, self.kbps = rate, channels, kbps
        self.pcm_frames = 1152 if rate >= 32000 else 576  # in each MP3 frame
        self.frames_out = 0  # MP3 frames given so far
        self._split = FrameSplitter()
        self._lame = lameenc.Encoder()
        self._lame.set_in_sample_rate(rate)
        self._lame.set_out_sample_rate(rate)
        self._lame.set_channels(channels)
        self._lame.set_bit_rate(kbps)
        self._lame.set_quality(_QUALITY)
        self._lame.silence()

    def encode(self, audio: Audio) -> bytes:
        """The MP3 frames that ``audio`` completes, often none.

        Raises:
            InvalidInput: the audio has another rate or number of channels.
        """
        audio.check_shape(self.rate, self.channels)
        if not audio.frames:
            return b""
        # The encoder takes int16 only: it would read the bytes of a float array as integers.
        return self._whole(self._lame.encode(audio.to_int16().astype("<i2", copy=False).tobytes()))

    def flush(self) -> bytes:
        """The last frames; the encoder cannot be used afterwards."""
        return self._whole(self._lame.flush())

    def _whole(self, data: bytes | bytearray) -> bytes:
        found = self._split.feed(bytes(data))
        self.frames_out += len(found)
        return b"".join(found)


def highest_kbps(rate: int) -> int:
    """The highest bit rate in kbit/s at a sample rate: MPEG-1 from 32 kHz on, MPEG-2 below."""
    return 320 if rate >= 32000 else 160


def length_tag(rate: int, channels: int, kbps: int, total_frames: int) -> bytes:
    """The first frame of a finite MP3, which states its exact length (Xing/LAME "Info" tag, constant bit rate).

    With it, decoders drop the encoder's delay and the padding. Layout: https://gabriel.mp3-tech.org/mp3infotag.html.
    """
    first = rate >= 32000
    pcm_frames = 1152 if first else 576
    mp3_count = tagged_frames(rate, total_frames)
    tag_kbps = 128 if first else 64
    index = (_KBPS_1 if first else _KBPS_2).index(tag_kbps)
    rate_index = _RATES_1.index(rate if first else rate * 2)
    mode = 3 if channels == 1 else 1
    header = bytes((0xFF, 0xFB if first else 0xF3, index << 4 | rate_index << 2, mode << 6))
    parsed = Mp3Header.parse(header)
    assert parsed is not None
    padding = mp3_count * pcm_frames - total_frames - ENCODER_DELAY
    size = parsed.size + mp3_count * pcm_frames * kbps * 125 // rate
    tag = b"Info" + struct.pack(">III", 15, mp3_count, size) + bytes(i * 256 // 100 for i in range(100))
    tag += struct.pack(">I", 50) + b"LAME3.100" + bytes((0x01, 0)) + bytes(8) + bytes((0, min(kbps, 255)))
    tag += (ENCODER_DELAY << 12 | padding).to_bytes(3, "big") + bytes(4) + struct.pack(">IH", size, 0)
    body = header + bytes(parsed.side_bytes) + tag
    body += struct.pack(">H", _crc16(body))
    return body.ljust(parsed.size, b"\0")


def tagged_frames(rate: int, total_frames: int) -> int:
    """How many MP3 frames hold ``total_frames`` samples per channel and the codec's delay."""
    pcm_frames = 1152 if rate >= 32000 else 576
    return -(-(total_frames + ENCODER_DELAY + DECODER_DELAY) // pcm_frames)


def _crc16(data: bytes) -> int:
    """CRC-16/ARC: polynomial 0x8005, reflected, initial value 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc
