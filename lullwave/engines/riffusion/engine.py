"""The engine ``riffusion``: loads a checkpoint, plays streams and makes single clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from ...audio import Audio
from ...checkpoints import locate
from ...device import choose_device, choose_dtype
from ...errors import EngineError, InvalidInput
from ...options import build
from ...prompt import Prompt
from ...request import Request
from ..base import Engine, Understanding
from ..comparison import Comparison, compared
from ..steers import Steer
from .batch_queue import BatchQueue, Job
from .clip_options import DenoisingConfig, Interpolation
from .model import lora
from .model.text_encoder import interpolate, parse_weights
from .model.weights import Weights, load
from .options import RiffusionFacts, RiffusionLoadOptions, RiffusionOptions
from .pipeline import ImageRequest, Pipeline
from .sampler import SeedPair
from .seed_images import SeedImages
from .spectrogram_converter import HOP, RATE, SpectrogramConverter
from .stream import REWINDABLE_S, Grey, RiffusionStream
from .stream_state import unpack

TILE = 512  # columns of a tile: the width that the model was trained on
CALIBRATION_PROMPT = "mellow lo-fi beat with piano and soft drums"  # typical input for the ranges of 8-bit products


class RiffusionEngine(RiffusionFacts, Engine):
    """A Stable Diffusion 1.x checkpoint that was trained on spectrograms."""

    rate = RATE
    channels = 1
    rewindable_s = REWINDABLE_S

    def __init__(
        self,
        checkpoint: str = RiffusionLoadOptions.checkpoint,
        device: str = "auto",
        dtype: str = "auto",
        lora: str = "",
        seed_images: str = "",
        offline: bool = False,
        compiled: bool = False,
        max_batch: int = RiffusionLoadOptions.max_batch,
        max_waiting: int = RiffusionLoadOptions.max_waiting,
    ) -> None:
        path = locate(checkpoint, offline)
        torch_device = choose_device(device)
        weights = load(
            path, torch_device, choose_dtype(dtype, torch_device), compiled and torch_device.type != "cpu", offline
        )
        _merge_lora(weights, lora)
        if torch_device.type == "cpu" and (compiled or dtype == "int8"):
            weights = _with_openvino(weights, dtype == "int8", lora)
        self.checkpoint, self._directory = checkpoint, path
        self.device = str(torch_device)
        self.pipeline = Pipeline(weights)
        self.seed_images = SeedImages(Path(seed_images).expanduser() if seed_images else None, weights.directory)
        self.converter = SpectrogramConverter()
        self.queue = BatchQueue(self.pipeline, max_batch, max_waiting)

    def open(self, request: Request, **audio_prompts: Audio) -> RiffusionStream:
        options: RiffusionOptions = build(RiffusionOptions, request.options, where="options.")
        return RiffusionStream(request, _GeneratedTiles(self, request, options), self.understand, self.restore)

    def restore(self, snapshot: bytes) -> RiffusionStream:
        request, position, steers, segments = unpack(snapshot)
        options: RiffusionOptions = build(RiffusionOptions, request.options, where="options.")
        tiles = _GeneratedTiles(self, request, options)
        return RiffusionStream(request, tiles, self.understand, self.restore, segments, steers, position)

    def understand(self, prompt: str) -> Understanding:
        parsed = Prompt.parse(prompt)
        ids, _ = self.pipeline.text.tokens(parsed.parts[0].spans)
        summary = f"the text encoder gets: {parsed.text}" if parsed.text else "the prompt is empty"
        if parsed.avoid_text:
            summary += f"; avoids: {parsed.avoid_text}"
        shares = {part.text: round(part.share, 3) for part in parsed.parts}
        return Understanding(summary, {"parts": shares, "avoid": parsed.avoid_text, "tokens": len(ids)})

    def submit(
        self,
        clip: Interpolation,
        config: DenoisingConfig | None = None,
        progress: Callable[[int, int], None] | None = None,
        from_noise: int | None = None,
    ) -> Job:
        """Queue one clip. ``from_noise``: without a seed image, this many columns wide.

        Raises:
            NotFound: the seed image or the mask does not exist.
            Busy: the queue is full.
        """
        image = None if from_noise is not None else self.seed_images(clip.seed_image_id)
        mask = self.seed_images(clip.mask_image_id, "mask") if clip.mask_image_id and image is not None else None
        request = self.pipeline.image_request(clip, image, mask, from_noise or TILE)
        return self.queue.submit(request, config or DenoisingConfig(steps=clip.num_inference_steps), progress)

    def compare_with_reference(self) -> Comparison:
        if not (self._directory / "unet").is_dir():
            raise EngineError("a checkpoint in one file is not compared: the library reads directories")
        made, expected = self.pipeline.compared_steps(self._directory / "unet")
        return compared("noises of 3 steps", expected, made)

    def close(self) -> None:
        self.queue.close()


def _merge_lora(weights: Any, files: str) -> None:
    parsed = lora.parse(files)
    if parsed:
        lora.merge(weights.unet, weights.text_encoder, parsed)


def _with_openvino(weights: Weights, int8: bool, files: str) -> Weights:
    from .model.openvino_unet import to_openvino

    text = None
    if int8:
        tokens = weights.tokenizer([CALIBRATION_PROMPT, ""], padding="max_length", truncation=True, return_tensors="pt")
        with torch.inference_mode():
            text = weights.text_encoder(tokens.input_ids).last_hidden_state
    sources = [*weights.files, *(file for file, _ in lora.parse(files))]
    unet = to_openvino(weights.unet.float(), weights.loop, weights.dtype, text, sources, files)
    return replace(weights, unet=unet)


class _GeneratedTiles:
    """Tiles of one stream, denoised from its prompt. See ``stream.TileSource``."""

    rate = RATE
    hop = HOP
    tile = TILE

    def __init__(self, engine: RiffusionEngine, request: Request, options: RiffusionOptions) -> None:
        self._engine = engine
        self._request = request
        self._options = options
        self._chosen = options.chosen
        self._image = _square(engine.seed_images(options.seed_image))
        self._mask = engine.seed_images(options.mask_image, "mask") if options.mask_image else None
        self.beats = engine.seed_images.describe(options.seed_image).beats
        self._config = DenoisingConfig(self._chosen.steps, self._chosen.scheduler, loop=True)

    def draw(self, steers: Sequence[Steer], tile: int, at_frame: int, cancelled: Callable[[], bool]) -> Grey:
        """Denoise a tile with the prompt as it is at ``at_frame``."""
        condition, avoid = self._embedded(steers, at_frame)
        image_request = ImageRequest(
            seeds=_tile_seeds(self._request.seed, self._options.walk, tile),
            strength=self._options.denoising,
            guidance=self._chosen.guidance,
            condition=condition,
            avoid=avoid,
            image=self._image,
            mask=self._mask,
        )
        image = self._engine.pipeline.make([image_request], self._config, cancelled=cancelled)[0]
        return np.asarray(image)[:, :, 0].copy()

    def samples(self, columns: Grey) -> npt.NDArray[np.float32]:
        """Convert columns to sound."""
        return self._engine.converter.samples(columns)

    def _embedded(self, steers: Sequence[Steer], at_frame: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Embed the prompt and the negative prompt at a frame, interpolated while a change is in progress."""
        text = self._engine.pipeline.text
        condition: torch.Tensor | None = None
        avoid: torch.Tensor | None = None
        for steer in steers:
            if steer.frame > at_frame:
                break
            prompt = Prompt.parse(steer.prompt)
            wanted = text.blend(prompt)
            unwanted = text.embed(prompt.avoid or parse_weights(""))
            passed_s = (at_frame - steer.frame) / RATE
            share = 1.0 if condition is None or steer.over_s <= 0 else min(1.0, passed_s / steer.over_s)
            condition = wanted if condition is None else interpolate(condition, wanted, share)
            avoid = unwanted if avoid is None else interpolate(avoid, unwanted, share)
        assert condition is not None
        assert avoid is not None
        return condition, avoid


def _tile_seeds(seed: int, walk: float, tile: int) -> SeedPair:
    """Where the walk from ``seed`` to ``seed`` + 1, + 2, … is at a tile."""
    position = walk * tile
    first = int(position)
    return SeedPair((seed + first) % 2**63, (seed + first + 1) % 2**63, position - first)


def _square(image: Image.Image) -> Image.Image:
    """Resize a seed image to the width of a tile."""
    if image.height % 32 or image.height < 64:
        raise InvalidInput("seed_image", f"{image.width} x {image.height}", "a height that is a multiple of 32")
    return image if image.width == TILE else image.resize((TILE, image.height), Image.Resampling.LANCZOS)
