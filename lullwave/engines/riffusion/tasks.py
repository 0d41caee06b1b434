"""Riffusion's tasks: long clips from text, between two prompts or from other audio; opens no files.

Each function returns the audio and its spectrogram, and reports its ``progress`` from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ...audio import Audio
from ...errors import InvalidInput
from ...request import Request
from ..base import Understanding
from .clip_options import MAX_SECONDS, DenoisingConfig, Interpolation, MagicMix, PromptInput
from .model.text_encoder import parse_weights
from .pipeline import ImageRequest
from .sampler import SeedPair
from .spectrogram_converter import HOP, RATE
from .stream import Grey, RiffusionStream

if TYPE_CHECKING:
    from .engine import RiffusionEngine

Report = Callable[[float], None]

COLUMN_S = HOP / RATE  # seconds per column


@dataclass(frozen=True)
class Clip:
    """A finished clip and its spectrogram."""

    audio: Audio
    image: Image.Image


def text_to_audio(
    engine: RiffusionEngine,
    end: PromptInput,
    seconds: float = 5.12,
    config: DenoisingConfig | None = None,
    progress: Report | None = None,
) -> Clip:
    """Make a clip of any length from a prompt alone, without a seed image.

    Raises:
        InvalidInput: ``seconds`` is not between 1 and ``MAX_SECONDS``.
    """
    width = _columns(seconds)
    request = engine.pipeline.image_request(Interpolation(end, end, 0.0), None, width=width)
    image = engine.pipeline.make([request], config or DenoisingConfig(), _steps(progress))[0]
    return Clip(engine.converter.audio(image), image)


def between_prompts(
    engine: RiffusionEngine,
    start: PromptInput,
    end: PromptInput,
    clips: int = 5,
    power: float = 1.0,
    seed_image: str = "og_beat",
    mask_image: str | None = None,
    config: DenoisingConfig | None = None,
    progress: Report | None = None,
) -> Clip:
    """Make one long clip from ``start`` to ``end`` in ``clips`` tiles.

    The alpha of tile n is (n / (clips - 1)) ** ``power``. The tiles are loops made from one seed image and joined as in
    the endless stream.

    Raises:
        InvalidInput: ``clips`` or ``power`` is out of range.
        NotFound: the seed image or the mask does not exist.
    """
    if not 2 <= clips <= 100:
        raise InvalidInput("clips", clips, "a whole number from 2 to 100")
    if not 0.05 <= power <= 20:
        raise InvalidInput("power", power, "a number from 0.05 to 20")
    image, mask = engine.seed_images(seed_image), engine.seed_images(mask_image, "mask") if mask_image else None
    config = replace(config or DenoisingConfig(), loop=True)
    tiles = []
    for n in range(clips):
        request = engine.pipeline.image_request(Interpolation(start, end, (n / (clips - 1)) ** power), image, mask)
        tiles += engine.pipeline.make([request], config, _steps(progress, n / clips, 1 / clips))
    return join_tiles(engine, tiles)


def join_tiles(engine: RiffusionEngine, tiles: Sequence[Image.Image]) -> Clip:
    """Play looping tiles of one size one after the other, crossfaded with matched phase."""
    greys = [np.asarray(tile)[:, :, 0].copy() for tile in tiles]
    finished = _FinishedTiles(engine, greys)

    def restore(snapshot: bytes) -> RiffusionStream:
        raise AssertionError("this stream is never forked")

    stream = RiffusionStream(Request(), finished, Understanding, restore)
    audio = stream.read(len(greys) * finished.tile * HOP)
    wide = np.concatenate(greys, axis=1)
    return Clip(audio, Image.fromarray(np.repeat(wide[:, :, None], 3, axis=2)))


def audio_to_audio(
    engine: RiffusionEngine,
    audio: Audio,
    start: PromptInput,
    end: PromptInput | None = None,
    start_s: float = 0.0,
    seconds: float | None = None,
    mix: MagicMix | None = None,
    config: DenoisingConfig | None = None,
    progress: Report | None = None,
) -> Clip:
    """Repaint a track towards a prompt, in overlapping windows that are blended at every denoising step.

    With ``end``, the prompt changes along the track. ``mix`` selects Magic Mix instead of plain image to image.

    Raises:
        InvalidInput: ``start_s`` or the length is out of range.
    """
    if not 0 <= start_s < audio.duration_s:
        raise InvalidInput("start_s", start_s, f"a number from 0 to {audio.duration_s:g}")
    stop = audio.duration_s if seconds is None else min(audio.duration_s, start_s + seconds)
    if not 1 <= stop - start_s <= MAX_SECONDS:
        raise InvalidInput("seconds", round(stop - start_s, 2), f"from 1 to {MAX_SECONDS:g} seconds of sound")
    part = audio[round(start_s * audio.rate) : round(stop * audio.rate)].to_channels(1).resample(RATE)
    # pad with silence to a multiple of 32 columns, the grid of image sizes; cut off again below
    columns = -(-(part.frames // HOP + 1) // 32) * 32
    padded = np.zeros((columns * HOP, 1), np.float32)
    padded[: part.frames] = part.samples[: len(padded)]
    image = engine.converter.image(Audio(padded, RATE)).convert("RGB").crop((0, 0, columns, 512))
    text = engine.pipeline.text
    request = ImageRequest(
        seeds=SeedPair(start.seed, start.seed, 0.0),
        strength=start.denoising,
        guidance=start.guidance,
        condition=text.embed(parse_weights(start.prompt)),
        avoid=text.embed(parse_weights(start.negative_prompt or "")),
        condition_end=None if end is None else text.embed(parse_weights(end.prompt)),
        image=image,
    )
    made = engine.pipeline.make([request], replace(config or DenoisingConfig(), mix=mix), _steps(progress))[0]
    return Clip(engine.converter.audio(made)[: part.frames], made)


class _FinishedTiles:
    """Tiles that exist already. See ``stream.TileSource``."""

    rate, hop = RATE, HOP
    beats: int | None = None

    def __init__(self, engine: RiffusionEngine, greys: list[Grey]) -> None:
        self._engine = engine
        self._greys = greys
        self.tile = greys[0].shape[1]

    def draw(self, steers: object, tile: int, at_frame: int, cancelled: object) -> Grey:
        """Return tile number ``tile``."""
        return self._greys[tile]

    def samples(self, columns: Grey) -> Any:
        """Convert columns to sound."""
        return self._engine.converter.samples(columns)


def _columns(seconds: float) -> int:
    if not 1 <= seconds <= MAX_SECONDS:
        raise InvalidInput("seconds", seconds, f"a number from 1 to {MAX_SECONDS:g}")
    return max(128, round(seconds / COLUMN_S / 32) * 32)


def _steps(progress: Report | None, begin: float = 0.0, size: float = 1.0) -> Callable[[int, int], None] | None:
    """Report the steps of one clip as the part of the whole from ``begin`` on."""
    if progress is None:
        return None
    report = progress
    return lambda done, total: report(begin + size * (done / total if total else 1.0))
