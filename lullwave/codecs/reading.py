"""Decodes sound files of any format, for every command and for bytes: soundfile first, PyAV for what it cannot read.

Damage is reported, never ignored: a file that is empty, cut off, damaged in the middle or that holds NaN raises
``CodecError``. Files that were joined are played one after the other.
"""

from __future__ import annotations

import io
import logging
import math
import mmap
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile

from ..audio import Audio
from ..errors import CodecError, FileMissing
from .container_sizes import Content
from .file_parts import Part, file_parts
from .tags import Tags, id3_size, tags_of_id3

BLOCK_S = 10.0  # length of a block, in seconds
BLOCK_SAMPLES = 1 << 22  # in all channels, at most: 16 MB, whatever rate and channels a header states
MIN_RATE, MAX_RATE = 1000, 768_000  # Hz; a header can state anything, and buffers are sized by it
MAX_CHANNELS = 64
MAX_ID3_BYTES = 1 << 20  # of an ID3v2 tag; titles come before pictures
MAX_WHOLE_BYTES = 4 * 1024**3  # float32 samples of a file that is read whole: 3 hours of stereo at 44.1 kHz

_AT_THE_END = "FLAC__STREAM_DECODER_END_OF_STREAM"  # what libsndfile notes where a FLAC ends within a frame
_SHORT = re.compile("should be|truncated")  # what it notes of a file that is shorter than stated
_GAP_S = 0.1  # a longer gap in the times of frames is told
_UNKNOWN_FRAMES = 1 << 62  # libsndfile states about this many where it cannot tell

log = logging.getLogger(__name__)


def blocks_of(source: bytes | str | Path) -> Iterator[Audio]:
    """The sound of a file or its bytes, of any length, in blocks of at most ten seconds.

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
        for part in file_parts(data):
            for block in _blocks(part):
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
            if part.note:
                log.warning("%s: %s", name, part.note)
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


def tags_of(data: bytes) -> Tags:
    """The title, artist and comment in the bytes of a sound file. Damaged tags are ignored."""
    return _tags_in(io.BytesIO(data))


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


def _blocks(part: Part) -> Iterator[Audio]:
    """The blocks of one file; none if it is whole and empty."""
    rate, frames = 0, 0
    try:
        for block in _decoded(part):
            rate, frames = block.rate, frames + block.frames
            yield block
    except CodecError as error:
        if part.fault and not frames:
            reason = "cut off before its sound begins" if part.fault == "cut off" else part.fault
            raise CodecError(f"it is {reason}") from error
        raise
    if part.fault:
        raise CodecError(f"it is {part.fault} after {frames / rate if rate else 0.0:.1f} seconds")


def _decoded(part: Part) -> Iterator[Audio]:
    try:
        file = soundfile.SoundFile(part.opened())
    except soundfile.LibsndfileError as error:
        yield from _by_av(part, error.error_string)
    else:
        with file:
            yield from _by_soundfile(file, part)


def _by_soundfile(file: soundfile.SoundFile, part: Part) -> Iterator[Audio]:
    frames = 0
    _check_form(file.samplerate, file.channels)
    try:
        while len(block := file.read(_block_frames(file.samplerate, file.channels), dtype="float32", always_2d=True)):
            frames += len(block)
            yield Audio(block, file.samplerate)
    except soundfile.LibsndfileError as error:
        reason = "cut off or damaged" if _AT_THE_END in file.extra_info else "damaged"
        raise CodecError(f"it is {reason} after {_readable_s(part):.1f} seconds") from error
    except ValueError as error:  # of rare containers in which soundfile cannot seek
        raise CodecError("it is in a format that cannot be read") from error
    short = part.counted and frames < file.frames < _UNKNOWN_FRAMES
    if not part.fault and (short or (not part.counted and _SHORT.search(file.extra_info))):
        raise CodecError(
            f"it is {'damaged' if part.counted else 'cut off'} after {frames / file.samplerate:.1f} seconds"
        )


def _readable_s(part: Part) -> float:
    """How many seconds can be read before libsndfile raises an error, to a tenth."""
    frames = 0
    with soundfile.SoundFile(part.opened()) as file, suppress(soundfile.LibsndfileError):
        while count := len(file.read(file.samplerate // 10, dtype="float32")):
            frames += count
    return frames / int(file.samplerate)


def _by_av(part: Part, refusal: str) -> Iterator[Audio]:
    try:
        import av
    except ImportError:
        raise CodecError(f"{refusal} (more formats: pip install 'lullwave[media]')") from None
    held: list[Any] = []
    waiting = total = rate = 0
    try:
        with av.open(part.opened(), "r") as container:
            # a header that ends early leaves a stream without a decoder, which has no rate
            if not container.streams.audio or not getattr(container.streams.audio[0], "rate", 0):
                raise CodecError("there is no sound in it")
            stream = container.streams.audio[0]
            rate = int(stream.rate)
            _check_form(rate, int(stream.channels))
            resampler = av.AudioResampler(format="fltp", rate=rate)
            shift_s = 0.0  # by how much the times that the frames state differ from what was decoded
            for frame in container.decode(stream):
                if frame.time is not None:
                    late_s = frame.time - (total + waiting) / rate
                    if late_s - shift_s > _GAP_S and total + waiting:
                        log.warning("%.1f seconds are missing after %.1f", late_s - shift_s, (total + waiting) / rate)
                    shift_s = late_s
                for made in resampler.resample(frame):
                    held.append(made.to_ndarray())
                    waiting += held[-1].shape[1]
                if waiting >= _block_frames(rate, stream.channels):
                    yield _joined(held, rate)
                    held, total, waiting = [], total + waiting, 0
            if held:
                yield _joined(held, rate)
            total += waiting
            stated_s = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
            if total and total / rate < stated_s - 0.25 and not part.fault:
                raise CodecError(f"it is cut off after {total / rate:.1f} of {stated_s:.1f} seconds")
    except av.FFmpegError as error:
        if total + waiting:
            raise CodecError(f"it is {part.fault or 'damaged'} after {(total + waiting) / rate:.1f} seconds") from error
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


def _block_frames(rate: int, channels: int) -> int:
    return min(round(BLOCK_S * rate), BLOCK_SAMPLES // channels)


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
