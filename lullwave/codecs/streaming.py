"""Encodes finite audio while it is made: one incremental encoder for every format.

If the length is known beforehand, the file states it and decodes to exactly the frames that went in. If not, the file
still plays to its end, an MP3 begins with the codec's delay of silence, and FLAC is refused.
"""

from __future__ import annotations

import os
import struct

import numpy as np
import soundfile

from ..audio import Audio, Samples
from ..errors import InvalidInput
from .formats import DEFAULT_KBPS, Format, format_named
from .mp3 import KBPS, RATES, Mp3Encoder, highest_kbps, length_tag, mp3_frames, tagged_frames
from .ogg import Reserialized
from .tags import Tags, id3, info_chunk

OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
_BLOCK = 4096  # frames per write to libsndfile; constant, since the lossy encoders' output depends on it
_FLAC_HEAD = 4 + 4 + 34  # bytes of a FLAC file up to the end of STREAMINFO
_UNKNOWN = 0xFFFFFFFF  # RIFF size of a WAV of unknown length


class StreamEncoder:
    """Encodes blocks of any size: send ``header``, then ``encode`` of each block, then ``flush``. One thread.

    ``total_frames`` is the length of the whole, if known. Opus and MP3 have few sample rates: resample the audio to
    ``rate_for`` first. At low sample rates MP3 has at most 160 kbit/s; a higher ``kbps`` is lowered to that.

    Raises:
        InvalidInput: the format, rate, number of channels or bit rate is not allowed, or FLAC without a length.
    """

    def __init__(
        self,
        format: str,
        rate: int,
        channels: int,
        total_frames: int | None = None,
        kbps: int = DEFAULT_KBPS,
        tags: Tags | None = None,
    ) -> None:
        self.format: Format = format_named(format)
        self.rate, self.channels, self.total_frames = rate, channels, total_frames
        self.frames_in = 0
        if kbps not in KBPS:
            raise InvalidInput("kbps", kbps, "one of " + ", ".join(map(str, KBPS)))
        if rate != rate_for(format, rate):
            raise InvalidInput("rate", rate, f"{rate_for(format, rate)} for {format}")
        if channels not in (1, 2):
            raise InvalidInput("channels", channels, "1 or 2")
        if format == "flac" and total_frames is None:
            raise InvalidInput("total_frames", None, "the length of the clip, which FLAC states at its beginning")
        if format == "mp3":
            kbps = min(kbps, highest_kbps(rate))
        self._mp3 = Mp3Encoder(rate, channels, kbps) if format == "mp3" else None
        self._mp3_left = tagged_frames(rate, total_frames) if total_frames is not None else None
        self._file: soundfile.SoundFile | None = None
        self._waiting: Samples = np.zeros((0, channels), np.float32)
        self._sink = _Sink()
        self._flac_begun = False
        self._held = b""  # the beginning of a FLAC file until its header is complete and can be corrected
        self._pages = Reserialized() if self.format.major == "OGG" else None
        if format in ("flac", "ogg", "opus"):
            self._file = soundfile.SoundFile(
                self._sink,
                "w",
                rate,
                channels,
                self.format.subtype,
                format=self.format.major,
                compression_level=None if format == "flac" else _level(format, kbps),
            )
            for name in ("title", "artist", "comment"):
                if tags is not None and (said := getattr(tags, name)):
                    setattr(self._file, name, said)
        self.header: bytes = self._header(kbps, tags or Tags())

    def encode(self, audio: Audio) -> bytes:
        """The bytes that are ready, often none."""
        audio.check_shape(self.rate, self.channels)
        self.frames_in += audio.frames
        if self._mp3 is not None:
            return self._cut(self._mp3.encode(audio))
        if self._file is None:
            return audio.to_int16().astype("<i2", copy=False).tobytes()
        self._waiting = np.concatenate([self._waiting, audio.samples])
        while len(self._waiting) >= _BLOCK:
            self._put(_BLOCK)
        return self._taken()

    def flush(self) -> bytes:
        """The last bytes.

        Raises:
            InvalidInput: the number of frames differs from ``total_frames``.
        """
        if self.total_frames is not None and self.frames_in != self.total_frames:
            raise InvalidInput("audio", f"{self.frames_in} frames", f"the announced {self.total_frames} frames")
        if self._mp3 is not None:
            # Silence after the end fills the last frame that the tag announces; further frames are cut.
            tail = self._mp3.encode(Audio.silence(2 * 1152, self.rate, self.channels)) + self._mp3.flush()
            return self._cut(tail)
        if self._file is not None:
            self._put(len(self._waiting))
            self._file.close()
        return self._taken()

    def _put(self, frames: int) -> None:
        assert self._file is not None
        ready = Audio(self._waiting[:frames], self.rate)
        self._waiting = self._waiting[frames:]
        self._file.write(ready.samples if self.format.lossy else ready.to_int16())

    def _header(self, kbps: int, tags: Tags) -> bytes:
        if self.format.name == "wav":
            return wav_header(self.rate, self.channels, self.total_frames, tags)
        if self.format.name == "mp3":
            if self.total_frames is None:
                return id3(tags)
            return id3(tags) + length_tag(self.rate, self.channels, kbps, self.total_frames)
        assert self._file is not None
        self._file.flush()
        return self._taken()

    def _taken(self) -> bytes:
        """The bytes that libsndfile wrote since the last call, with FLAC's length and Ogg's serial number set."""
        data = self._sink.take()
        if self._pages is not None:
            return self._pages.feed(data)
        if self.format.name != "flac" or self._flac_begun or self.total_frames is None:
            return data
        self._held += data
        if len(self._held) < _FLAC_HEAD:
            return b""
        self._flac_begun = True
        return _flac_length(self._held, self.total_frames)

    def _cut(self, data: bytes) -> bytes:
        """Cut an MP3 after the number of frames that the tag announces."""
        if self._mp3_left is None or not data:
            return data
        count = len(mp3_frames(data))
        if count > self._mp3_left:
            data = b"".join(mp3_frames(data)[: self._mp3_left])
        self._mp3_left = max(0, self._mp3_left - count)
        return data


def rate_for(format: str, rate: int) -> int:
    """The sample rate at which a format stores audio of ``rate``: the same, or the next higher one it has."""
    rates = {"opus": OPUS_RATES, "mp3": RATES}.get(format, (rate,))
    return min((r for r in rates if r >= rate), default=rates[-1])


def wav_header(rate: int, channels: int, total_frames: int | None, tags: Tags) -> bytes:
    """RIFF header for 16-bit samples; a WAV of unknown length states the largest size, as streams do."""
    info = info_chunk(tags)
    before = 36 + len(info)
    data = _UNKNOWN - before if total_frames is None else total_frames * channels * 2
    return (
        b"RIFF" + struct.pack("<I", min(_UNKNOWN, data + before)) + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * channels * 2, channels * 2, 16)
        + info + b"data" + struct.pack("<I", min(_UNKNOWN, data))
    )  # fmt: skip


def _flac_length(head: bytes, total_frames: int) -> bytes:
    """Set the number of frames in STREAMINFO (RFC 9639, 8.2): 36 bits that end 18 bytes into the block."""
    at = 4 + 4 + 13  # "fLaC", block header, up to the byte with the upper four bits
    patched = bytearray(head)
    patched[at] = patched[at] & 0xF0 | total_frames >> 32
    patched[at + 1 : at + 5] = struct.pack(">I", total_frames & 0xFFFFFFFF)
    return bytes(patched)


def _level(format: str, kbps: int) -> float:
    """libsndfile's compression level (0 best, 1 smallest) for about ``kbps`` in stereo."""
    if format == "opus":
        return min(1.0, max(0.0, (256 - kbps) / 250))
    return min(1.0, max(0.0, 1.0 - (kbps - 64) / 256))


class _Sink:
    """The file that libsndfile writes to: keeps new bytes, drops corrections of bytes that were taken already."""

    def __init__(self) -> None:
        self._new = bytearray()
        self._sent = 0  # bytes taken so far
        self._at = 0

    def take(self) -> bytes:
        data = bytes(self._new)
        self._sent += len(data)
        self._new.clear()
        return data

    def write(self, data: bytes) -> int:
        skip = max(0, self._sent - self._at)
        offset = max(0, self._at - self._sent)
        new = bytes(data)[skip:]
        self._new[offset : offset + len(new)] = new
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._sent + len(self._new)}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, count: int = -1) -> bytes:
        return b""
