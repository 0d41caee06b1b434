"""Reads audio files block by block: with soundfile, or with PyAV those that soundfile cannot read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from ..audio import Audio
from ..errors import CodecError

BLOCK_S = 10.0  # length of a block, in seconds


def blocks_of(path: Path) -> Iterator[Audio]:
    """The sound of a file of any length, in blocks of ten seconds.

    Raises:
        CodecError: the file cannot be read or decoded; the message names the extra ``media`` if that could help.
    """
    if not path.is_file():
        raise CodecError(f"cannot read {str(path)!r}: there is no such file")
    try:
        file = soundfile.SoundFile(str(path))
    except (soundfile.LibsndfileError, OSError) as error:
        yield from _by_av(path, error)
        return
    with file:
        frames = round(BLOCK_S * file.samplerate)
        try:
            while len(block := file.read(frames, dtype="float32", always_2d=True)):
                yield Audio(block, file.samplerate)
        except soundfile.LibsndfileError as error:
            raise CodecError(f"cannot decode {str(path)!r}: {error.error_string}") from error


def read(path: Path) -> Audio:
    """The whole sound of a file.

    Raises:
        CodecError: as ``blocks_of``, or the file holds no sound.
    """
    blocks = list(blocks_of(path))
    if not blocks:
        raise CodecError(f"cannot decode {str(path)!r}: there is no sound in it")
    return Audio(np.concatenate([block.samples for block in blocks]), blocks[0].rate)


def _by_av(path: Path, refusal: Exception) -> Iterator[Audio]:
    try:
        import av
    except ImportError:
        reason = getattr(refusal, "error_string", str(refusal))
        raise CodecError(
            f"cannot decode {str(path)!r}: {reason} (more formats: pip install 'lullwave[media]')"
        ) from refusal
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise CodecError(f"cannot decode {str(path)!r}: there is no sound in it")
            stream = container.streams.audio[0]
            resampler = av.AudioResampler(format="fltp", rate=stream.rate)
            held: list[Any] = []
            for frame in container.decode(stream):
                held += [made.to_ndarray() for made in resampler.resample(frame)]
                if sum(part.shape[1] for part in held) >= BLOCK_S * stream.rate:
                    yield _joined(held, stream.rate)
                    held = []
            if held:
                yield _joined(held, stream.rate)
    except av.FFmpegError as error:
        raise CodecError(f"cannot decode {str(path)!r}: {error}") from error


def _joined(parts: list[Any], rate: int) -> Audio:
    return Audio(np.ascontiguousarray(np.concatenate(parts, axis=1).T, dtype=np.float32), rate)
