"""Turns spectrogram images into sound files block by block, so that an hour needs little memory.

Peaks above full scale are limited, never clipped. For a given loudness the audio waits in a temporary file while it is
measured.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from ..audio import SILENCE_DBFS, Audio
from ..blocks import Watch, fitted, resampled
from ..codecs import StreamEncoder, format_of, rate_for
from ..errors import InvalidInput, MissingExtra
from ..mastering.master import check_levels
from ..spectrogram import USUAL_MAX, Spectrogram, SpectrogramParams, iterations_of
from ..spectrogram.image import sound_tags, tags_in
from ..storage.atomic_files import replacing

log = logging.getLogger(__name__)


def convert(
    picture: Image.Image,
    source: Path,
    target: Path,
    quality: str | int,
    device: str | None = None,
    loudness_lufs: float | None = None,
    watch: Watch = iter,
) -> tuple[float, float]:
    """Write the sound of an opened image; returns its seconds and its highest peak in dB above full scale.

    The peak is that of the unlimited audio. ``source`` is the image's file: its name is the title of a sound without
    one. ``watch`` sees every block of sound.

    Raises:
        InvalidInput: the image is too narrow, or a value is not allowed.
    """
    from ..mastering.offline import at_loudness, limited
    from ..spectrogram.long_images import sound_of

    params = SpectrogramParams.from_exif(tags_in(picture))
    params = replace(params, max_value=params.max_value or USUAL_MAX)
    if picture.width < 2:
        raise InvalidInput("image", picture.size, "at least two columns")
    iterations_of(quality)
    if loudness_lufs is not None:
        check_levels(loudness_lufs)
    said = sound_tags(picture, source)
    named = format_of(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    if device is not None and _fits(picture.width, device):
        blocks = iter([Spectrogram.from_image(picture, params).to_audio(quality, device)])
    else:
        blocks = sound_of(picture, params, quality, last_use=True)
    rate, columns = rate_for(named.name, params.rate), picture.width
    total = round(params.samples_of(columns) * rate / params.rate)
    meter = _PeakMeter()
    with replacing(target) as file, tempfile.TemporaryFile(dir=target.parent) as kept:
        encoder = StreamEncoder(named.name, rate, params.channels, total, tags=said)
        file.write(encoder.header)
        sound = resampled(watch(blocks), rate)
        if loudness_lufs is None:
            sound = limited(meter.watched(sound))
        else:
            for block in sound:
                kept.write(block.samples.tobytes())
            sound = at_loudness(lambda: _again(kept, rate, params.channels), loudness_lufs)
        for block in fitted(sound, total):
            file.write(encoder.encode(block))
        file.write(encoder.flush())
    return total / rate, meter.peak_dbfs


def _fits(columns: int, device: str) -> bool:
    """Whether to invert on ``device``. Riffusion's command took ``cuda`` or ``mps`` on every machine; so does this."""
    from ..spectrogram.torch_backend import fits

    try:
        return fits(columns, device)
    except (InvalidInput, MissingExtra) as error:
        if isinstance(error, InvalidInput) and device.lower() not in ("cuda", "mps"):
            raise
        log.warning("%s: inverting without a device", error)
        return False


class _PeakMeter:
    """Keeps the highest peak of the blocks that pass through ``watched``."""

    peak_dbfs = SILENCE_DBFS

    def watched(self, blocks: Iterable[Audio]) -> Iterator[Audio]:
        for block in blocks:
            self.peak_dbfs = max(self.peak_dbfs, block.peak_dbfs)
            yield block


def _again(kept: IO[bytes], rate: int, channels: int) -> Iterator[Audio]:
    """The float32 samples in a file, in blocks of ten seconds."""
    kept.seek(0)
    while data := kept.read(4 * channels * 10 * rate):
        yield Audio(np.frombuffer(data, np.float32).reshape(-1, channels), rate)
