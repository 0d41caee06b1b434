"""Encodes and writes whole audio files."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from ..audio import Audio
from ..errors import CodecError
from ..storage.atomic_files import write_bytes
from .formats import DEFAULT_KBPS, format_named, format_of
from .streaming import StreamEncoder, rate_for
from .tags import Tags

MAX_NAME_BYTES = 255  # of one file name, on every common file system


def encode(audio: Audio, format: str, kbps: int = DEFAULT_KBPS, tags: Tags | None = None) -> bytes:
    """The bytes of a whole file. ``kbps`` applies to the lossy formats.

    Opus and MP3 have few sample rates: audio at another rate is resampled to the next higher one.

    Raises:
        InvalidInput: the format, rate or bit rate is not allowed.
        CodecError: there is nothing to encode.
    """
    format_named(format)
    if not audio.frames:
        raise CodecError("empty audio cannot be encoded")
    audio = audio.resample(rate_for(format, audio.rate))
    encoder = StreamEncoder(format, audio.rate, audio.channels, audio.frames, kbps, tags)
    return encoder.header + encoder.encode(audio) + encoder.flush()


def write(
    path: str | Path, audio: Audio, format: str | None = None, kbps: int = DEFAULT_KBPS, tags: Tags | None = None
) -> Path:
    """Write ``audio`` to ``path``; without ``format``, the suffix decides.

    The bytes go to a temporary file in the same directory, which is renamed when it is complete.
    """
    path = Path(path)
    data = encode(audio, format or format_of(path).name, kbps, tags)
    write_bytes(path, data)
    return path


def fitting_name(name: str) -> str:
    """``name`` as it is, or with its stem cut so that file systems accept it; a digest keeps cut names apart."""
    if len(os.fsencode(name)) <= MAX_NAME_BYTES:
        return name
    stem, dot, suffix = name.rpartition(".")
    tail = f"-{zlib.crc32(os.fsencode(name)):08x}{dot}{suffix}"
    room = MAX_NAME_BYTES - len(os.fsencode(tail))
    return os.fsencode(stem)[:room].decode(errors="ignore") + tail
