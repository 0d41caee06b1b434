"""``lullwave image-to-audio``: inverts an image block by block, so that an hour needs little memory.

Peaks above full scale are limited, never clipped. For ``--loudness`` the audio waits in a temporary file while it is
measured.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Annotated

import numpy as np
import typer
from PIL import Image
from rich.console import Console

from ...audio import SILENCE_DBFS, Audio
from ...blocks import fitted, resampled
from ...codecs import StreamEncoder, Tags, format_of, rate_for
from ...errors import InvalidInput, MissingExtra
from ...mastering.master import check_levels
from ...spectrogram import QUALITIES, TAGS, USUAL_MAX, Spectrogram, SpectrogramParams, iterations_of
from ...spectrogram.image import open_image, sound_tags, tags_in
from ...storage.atomic_files import replacing
from ..flags import ImageFile, Quiet

log = logging.getLogger(__name__)


def image_to_audio(
    image: ImageFile,
    audio: Annotated[Path, typer.Option("--audio", "-a", metavar="FILE", help="Audio file to write.")],
    quality: Annotated[
        str, typer.Option(metavar="TEXT", help=f"{', '.join(QUALITIES)}, or a number of iterations.")
    ] = "fast",
    device: Annotated[
        str | None,
        typer.Option("--device", "-d", metavar="TEXT", help="Invert with torch on this device, such as cuda."),
    ] = None,
    loudness: Annotated[
        float | None, typer.Option(metavar="LUFS", help="Loudness of the whole, -40 to -8; default: the image's level.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Turn a spectrogram image back into audio, at the level in its tags or at a given loudness."""
    console = Console(quiet=quiet)
    picture = open_image(image)
    tags = tags_in(picture)
    if not any(tag in tags for tag in TAGS.values()):
        console.print("the image has no spectrogram tags: using the defaults")
    params = SpectrogramParams.from_exif(tags)
    params = replace(params, max_value=params.max_value or USUAL_MAX)
    if picture.width < 2:
        raise InvalidInput("image", picture.size, "at least two columns")
    steps: str | int = int(quality) if quality.isascii() and quality.isdigit() and len(quality) < 9 else quality
    iterations_of(steps)
    if loudness is not None:
        check_levels(loudness)
    seconds, over_db = _write(picture, params, audio, steps, device, loudness, sound_tags(picture, image))
    if over_db > 0.0:
        console.print(f"peaks up to {over_db:.1f} dB above full scale were turned down")
    console.print(f"wrote {audio} ({seconds:.2f} seconds)", highlight=False, markup=False, soft_wrap=True)


def _write(
    picture: Image.Image,
    params: SpectrogramParams,
    target: Path,
    steps: str | int,
    device: str | None,
    loudness: float | None,
    said: Tags,
) -> tuple[float, float]:
    """Write the audio; returns its seconds and the highest peak in dB above full scale (of the unlimited audio)."""
    from ...mastering.offline import at_loudness, limited
    from ...spectrogram.long_images import sound_of

    named = format_of(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    if device is not None and _fits(picture.width, device):
        blocks = iter([Spectrogram.from_image(picture, params).to_audio(steps, device)])
    else:
        blocks = sound_of(picture, params, steps, last_use=True)
    rate, columns = rate_for(named.name, params.rate), picture.width
    total = round(params.samples_of(columns) * rate / params.rate)
    meter = _PeakMeter()
    with replacing(target) as file, tempfile.TemporaryFile(dir=target.parent) as kept:
        encoder = StreamEncoder(named.name, rate, params.channels, total, tags=said)
        file.write(encoder.header)
        sound = resampled(blocks, rate)
        if loudness is None:
            sound = limited(meter.watched(sound))
        else:
            for block in sound:
                kept.write(block.samples.tobytes())
            sound = at_loudness(lambda: _again(kept, rate, params.channels), loudness)
        for block in fitted(sound, total):
            file.write(encoder.encode(block))
        file.write(encoder.flush())
    return total / rate, meter.peak_dbfs


def _fits(columns: int, device: str) -> bool:
    """Whether to invert on ``device``. Riffusion's command took ``cuda`` or ``mps`` on every machine; so does this."""
    from ...spectrogram.torch_backend import fits

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
