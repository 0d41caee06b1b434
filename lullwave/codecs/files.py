"""Encodes, decodes and writes whole audio files; a file is complete or absent, never half written."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from ..audio import Audio
from ..errors import CodecError
from .completeness import is_cut_off
from .formats import DEFAULT_KBPS, format_named, format_of
from .streaming import StreamEncoder, rate_for
from .tags import Tags

_BLOCK = 65536  # frames that are read at a time


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


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` atomically."""
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A temporary file that replaces ``path`` when the block ends, and is deleted if the block raises."""
    path = Path(os.path.realpath(path))  # replace the target of a link, not the link
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def decode(source: bytes | str | Path, max_s: float | None = None) -> Audio:
    """Decode a file, or its bytes.

    Raises:
        CodecError: it is empty, not audio, cut off, or longer than ``max_s`` seconds.
    """
    if not isinstance(source, bytes):
        try:
            source = Path(source).read_bytes()
        except OSError as error:
            raise CodecError(f"cannot read {str(source)!r}: {error.strerror}") from error
    if not source:
        raise CodecError("cannot decode audio: there are no bytes")
    try:
        with soundfile.SoundFile(io.BytesIO(source)) as file:
            audio = _read(file, max_s)
            stated = file.frames
    except soundfile.LibsndfileError as error:
        raise CodecError(f"cannot decode audio: {error.error_string}") from error
    if not audio.frames:
        raise CodecError("cannot decode audio: there is no sound in it")
    if is_cut_off(source, stated, audio.frames):
        raise CodecError(f"cannot decode audio: it is cut off after {audio.duration_s:.1f} seconds")
    return audio


def _read(file: soundfile.SoundFile, max_s: float | None) -> Audio:
    """Read to the end block by block: the header of a streamed file does not state its true length."""
    blocks = []
    frames = 0
    while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
        blocks.append(block)
        frames += len(block)
        if max_s is not None and frames > max_s * file.samplerate:
            raise CodecError(f"cannot decode audio: it is longer than {max_s:g} seconds")
    if not blocks:
        return Audio.silence(0, file.samplerate, file.channels)
    return Audio(np.concatenate(blocks), file.samplerate)
