"""Decodes sound files of any format, for every command and for bytes: soundfile first, PyAV for what it cannot read.

Damage is reported, never ignored: a file that is empty, cut off, damaged in the middle or that holds NaN raises
``CodecError``. Files that were joined are played one after the other.
"""

from __future__ import annotations

import io
import logging
import math
import mmap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile

from ..audio import Audio
from ..errors import CodecError, FileMissing
from .completeness import Content, is_cut_off, joined_parts, repaired
from .tags import Tags, id3_size, tags_of_id3

BLOCK_S = 10.0  # length of a block, in seconds
MIN_RATE, MAX_RATE = 1000, 768_000  # Hz; a header can state anything, and buffers are sized by it
MAX_CHANNELS = 64
MAX_ID3_BYTES = 1 << 20  # of an ID3v2 tag; titles come before pictures
MAX_WHOLE_BYTES = 4 * 1024**3  # float32 samples of a file that is read whole: 3 hours of stereo at 44.1 kHz

log = logging.getLogger(__name__)


def blocks_of(source: bytes | str | Path) -> Iterator[Audio]:
    """The sound of a file or its bytes, of any length, in blocks of ten seconds.

    Raises:
        CodecError: the file cannot be read or decoded, is cut off or damaged, or holds NaN or infinity; the message
            names the extra ``media`` if that could help.
    """
    name = "audio" if isinstance(source, bytes) else repr(str(source))
    try:
        data = source if isinstance(source, bytes) else _content(Path(source))
        if not data:
            raise CodecError("there are no bytes")
        form: tuple[int, int] | None = None
        begin_s = 0.0
        for part in joined_parts(data):
            for block in _part(part, source):
                if form is None:
                    form = (block.rate, block.channels)
                    _check_form(*form)
                if (block.rate, block.channels) != form:
                    raise CodecError(
                        f"two files were joined, of {form[0]} Hz and {form[1]} channels "
                        f"and of {block.rate} Hz and {block.channels} channels"
                    )
                _check_numbers(block, begin_s)
                begin_s += block.duration_s
                yield block
        if form is None:
            raise CodecError("there is no sound in it")
    except CodecError as error:
        raise type(error)(f"cannot decode {name}: {error}") from error.__cause__


def decode(source: bytes | str | Path, max_s: float | None = None) -> Audio:
    """The whole sound of a file or its bytes.

    Raises:
        CodecError: as ``blocks_of``, or it is longer than ``max_s`` seconds, or than fits into memory.
    """
    parts, frames = [], 0
    for block in blocks_of(source):
        parts.append(block.samples)
        frames += block.frames
        if max_s is not None and frames > max_s * block.rate:
            raise CodecError(f"cannot decode audio: it is longer than {max_s:g} seconds")
        if 4 * frames * block.channels > MAX_WHOLE_BYTES:
            raise CodecError(f"cannot decode audio: it is longer than {frames / block.rate:.0f} seconds")
        rate = block.rate
    return Audio(np.concatenate(parts), rate)


def read(path: str | Path) -> Audio:
    """The whole sound of a file, turned down (with a warning) if it exceeds full scale.

    Raises:
        CodecError: as ``decode``.
    """
    audio = decode(path)
    peak = float(np.max(np.abs(audio.samples)))
    if peak <= 1.0:
        return audio
    log.warning("%s: peaks %.1f dB above full scale: turned down as a whole", path, 20.0 * math.log10(peak))
    return Audio(audio.samples / np.float32(peak), audio.rate)


def read_tags(path: str | Path) -> Tags:
    """The title, artist and comment of a sound file; its name is the title if it has none. Damaged tags are ignored."""
    path, found = Path(path), Tags()
    if path.is_file():  # a pipe can be read only once
        with suppress(OSError), open(path, "rb") as opened:
            found = _tags_in(opened)
    return found.titled(path.stem)


def _tags_in(opened: BinaryIO) -> Tags:
    head = opened.read(10)
    if size := id3_size(head):
        return tags_of_id3(head + opened.read(min(size, MAX_ID3_BYTES)))
    opened.seek(0)
    if head[:1] == b"\xff":  # an MP3 without a tag; libsndfile would print what it thinks of its frames
        return Tags()
    try:
        with soundfile.SoundFile(opened) as file:
            return Tags(file.title, file.artist, file.comment)
    except soundfile.LibsndfileError:
        opened.seek(0)
        return _tags_by_av(opened)


def _tags_by_av(opened: BinaryIO) -> Tags:
    try:
        import av
    except ImportError:
        return Tags()
    try:
        with av.open(opened, "r", metadata_errors="replace") as container:
            return Tags(*(container.metadata.get(name, "") for name in ("title", "artist", "comment")))
    except av.FFmpegError:
        return Tags()


def _content(path: Path) -> Content:
    """The bytes of a file, mapped: an hour of WAV takes no memory."""
    try:
        with open(path, "rb") as file:
            if not path.is_file():  # a pipe
                return file.read()
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
    except FileNotFoundError:
        raise FileMissing("there is no such file") from None
    except OSError as error:
        raise CodecError(str(error.strerror)) from error


def _part(data: Content, source: bytes | str | Path) -> Iterator[Audio]:
    """The blocks of one file."""
    data = repaired(data)
    with _opened(data, source) as opened:
        try:
            file = soundfile.SoundFile(opened)
        except soundfile.LibsndfileError as error:
            opened.seek(0)
            yield from _by_av(opened, error.error_string)
        else:
            with file:
                yield from _by_soundfile(file, data)


def _by_soundfile(file: soundfile.SoundFile, data: Content) -> Iterator[Audio]:
    frames = 0
    _check_form(file.samplerate, file.channels)
    try:
        while len(block := file.read(round(BLOCK_S * file.samplerate), dtype="float32", always_2d=True)):
            frames += len(block)
            yield Audio(block, file.samplerate)
    except soundfile.LibsndfileError as error:
        raise CodecError(f"it is damaged after {frames / file.samplerate:.1f} seconds") from error
    if not frames:
        raise CodecError("there is no sound in it")
    if reason := is_cut_off(data, file.frames, frames):
        raise CodecError(f"it is {reason} after {frames / file.samplerate:.1f} seconds")


def _opened(data: Content, source: bytes | str | Path) -> BinaryIO:
    """A file object at the beginning of ``data``, which are the bytes of ``source`` or of a part of it."""
    return io.BytesIO(data) if isinstance(data, bytes) or isinstance(source, bytes) else open(source, "rb")


def _by_av(opened: BinaryIO, refusal: str) -> Iterator[Audio]:
    try:
        import av
    except ImportError:
        raise CodecError(f"{refusal} (more formats: pip install 'lullwave[media]')") from None
    try:
        with av.open(opened, "r") as container:
            if not container.streams.audio:
                raise CodecError("there is no sound in it")
            stream = container.streams.audio[0]
            rate = int(stream.rate)
            _check_form(rate, int(stream.channels))
            resampler = av.AudioResampler(format="fltp", rate=rate)
            held: list[Any] = []
            waiting = total = 0
            for frame in container.decode(stream):
                for made in resampler.resample(frame):
                    held.append(made.to_ndarray())
                    waiting += held[-1].shape[1]
                if waiting >= BLOCK_S * rate:
                    yield _joined(held, rate)
                    held, total, waiting = [], total + waiting, 0
            if held:
                yield _joined(held, rate)
            total += waiting
            stated_s = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
            if total and total / rate < stated_s - 0.25:
                raise CodecError(f"it is cut off after {total / rate:.1f} of {stated_s:.1f} seconds")
    except av.FFmpegError as error:
        raise CodecError(_reason(error)) from error


def _reason(error: Any) -> str:
    """What FFmpeg's error means for the reader of a message."""
    if isinstance(error, EOFError):
        return "it is cut off"
    if type(error).__name__ == "InvalidDataError":
        return "it is no sound in a known format, or damaged at its beginning"
    return str(error.strerror or error)


def _joined(parts: list[Any], rate: int) -> Audio:
    return Audio(np.ascontiguousarray(np.concatenate(parts, axis=1).T, dtype=np.float32), rate)


def _check_form(rate: int, channels: int) -> None:
    if not MIN_RATE <= rate <= MAX_RATE or not 1 <= channels <= MAX_CHANNELS:
        raise CodecError(
            f"it states {rate} Hz and {channels} channels; "
            f"allowed: {MIN_RATE} to {MAX_RATE} Hz, at most {MAX_CHANNELS} channels"
        )


def _check_numbers(block: Audio, begin_s: float) -> None:
    bad = ~np.isfinite(block.samples).all(axis=1)
    if bad.any():
        at_s = begin_s + int(np.argmax(bad)) / block.rate
        raise CodecError(f"it holds samples that are not numbers (NaN or infinity), the first after {at_s:.2f} seconds")
