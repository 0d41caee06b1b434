"""The engine ``riffusion``: a checkpoint loaded, streams and single clips made with it; knows nothing of HTTP."""

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
from ...device import choose_device
from ...errors import InvalidInput
from ...options import build
from ...prompt import Prompt
from ...request import Request
from ..base import Engine, Understanding
from . import emphasis, lora
from .batch_queue import Ticket, Workshop
from .denoising import Plan
from .interpolation import Interpolation
from .options import RiffusionFacts, RiffusionLoadOptions, RiffusionOptions
from .pipeline import Leg, Pipeline
from .schedule import Chance
from .seed_images import SeedImages
from .sound import HOP, RATE, Sound
from .stream import REWINDABLE_S, Grey, RiffusionStream
from .stream_state import Steer, unpack
from .text import between
from .weights import Weights, load

TILE = 512  # columns
TYPICAL = "mellow lo-fi beat with piano and soft drums"  # what 8-bit ranges are taken for


class RiffusionEngine(RiffusionFacts, Engine):
    """A Stable-Diffusion-1.x checkpoint that was trained on spectrograms."""

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
        directory = locate(checkpoint, offline)
        place = choose_device(device)
        weights = load(directory, place, choose_dtype(dtype, place), compiled and place.type != "cpu")
        _blend(weights, lora)
        if place.type == "cpu" and (compiled or dtype == "int8"):
            weights = _by_openvino(weights, dtype == "int8", lora)
        self.checkpoint = checkpoint
        self.device = str(place)
        self.pipeline = Pipeline(weights)
        self.seed_images = SeedImages(Path(seed_images).expanduser() if seed_images else None, directory)
        self.sound = Sound()
        self.workshop = Workshop(self.pipeline, max_batch, max_waiting)

    def open(self, request: Request, **audio_prompts: Audio) -> RiffusionStream:
        options: RiffusionOptions = build(RiffusionOptions, request.options, where="options.")
        return RiffusionStream(request, _Studio(self, request, options), self.understand, self.restore)

    def restore(self, snapshot: bytes) -> RiffusionStream:
        request, position, steers, segments = unpack(snapshot)
        options: RiffusionOptions = build(RiffusionOptions, request.options, where="options.")
        studio = _Studio(self, request, options)
        return RiffusionStream(request, studio, self.understand, self.restore, segments, steers, position)

    def understand(self, prompt: str) -> Understanding:
        parsed = Prompt.parse(prompt)
        ids, _ = self.pipeline.text.tokens(parsed.parts[0].spans)
        said = f"the words as they stand: {parsed.text}" if parsed.text else "nothing is asked for"
        if parsed.avoid_text:
            said += f"; without {parsed.avoid_text}"
        shares = {part.text: round(part.share, 3) for part in parsed.parts}
        return Understanding(said, {"parts": shares, "avoid": parsed.avoid_text, "tokens": len(ids)})

    def submit(
        self,
        wish: Interpolation,
        plan: Plan | None = None,
        progress: Callable[[int, int], None] | None = None,
        from_noise: int | None = None,
    ) -> Ticket:
        """Take a place in the queue for one clip. ``from_noise``: no seed image, this many columns instead.

        Raises:
            NotFound: a seed image or mask that does not exist.
            Busy: every place is taken.
        """
        image = None if from_noise is not None else self.seed_images(wish.seed_image_id)
        mask = self.seed_images(wish.mask_image_id, "mask") if wish.mask_image_id and image is not None else None
        leg = self.pipeline.leg(wish, image, mask, from_noise or TILE)
        return self.workshop.submit(leg, plan or Plan(steps=wish.num_inference_steps), progress)

    def close(self) -> None:
        self.workshop.close()


def choose_dtype(name: str, device: Any) -> torch.dtype:
    """The precision of the networks: ``auto`` is half on CUDA, bfloat16 on a CPU that multiplies it, else float32.

    ``int8`` is the UNet's alone: the others are as with ``auto``.

    Raises:
        InvalidInput: int8 elsewhere than on a CPU.
    """
    if name == "int8" and device.type != "cpu":
        raise InvalidInput("dtype", name, f"bfloat16, float16 or float32 on {device} (int8 is for CPUs)")
    if name not in ("auto", "int8"):
        return {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}[name]
    if device.type == "cuda":
        return torch.float16
    if device.type == "cpu" and has_fast_bfloat16():
        return torch.bfloat16
    return torch.float32


def has_fast_bfloat16() -> bool:
    """Whether this CPU has instructions for products of bfloat16."""
    try:
        with open("/proc/cpuinfo") as info:
            flags = next((line for line in info if line.startswith(("flags", "Features"))), "")
    except OSError:
        return False
    return any(flag in flags.split() for flag in ("avx512_bf16", "amx_bf16", "bf16"))


def _blend(weights: Any, files: str) -> None:
    parsed = lora.parse(files)
    if parsed:
        lora.blend(weights.unet, weights.text_encoder, parsed)


def _by_openvino(weights: Weights, int8: bool, files: str) -> Weights:
    from .openvino_unet import open_vino

    text = None
    if int8:
        words = weights.tokenizer([TYPICAL, ""], padding="max_length", truncation=True, return_tensors="pt")
        with torch.inference_mode():
            text = weights.text_encoder(words.input_ids).last_hidden_state
    of = [*(weights.directory / "unet").iterdir(), *(file for file, _ in lora.parse(files))]
    return replace(weights, unet=open_vino(weights.unet.float(), weights.loop, weights.dtype, text, of, files))


class _Studio:
    """Draws the tiles of one stream."""

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
        self._plan = Plan(self._chosen.steps, self._chosen.scheduler, loop=True)

    def draw(self, steers: Sequence[Steer], tile: int, at_frame: int, cancelled: Callable[[], bool]) -> Grey:
        """See ``stream.Studio``."""
        condition, avoid = self._embedded(steers, at_frame)
        leg = Leg(
            chance=_walked(self._request.seed, self._options.walk, tile),
            strength=self._options.denoising,
            guidance=self._chosen.guidance,
            condition=condition,
            avoid=avoid,
            image=self._image,
            mask=self._mask,
        )
        image = self._engine.pipeline.make([leg], self._plan, cancelled=cancelled)[0]
        return np.asarray(image)[:, :, 0].copy()

    def sound(self, columns: Grey) -> npt.NDArray[np.float32]:
        """See ``stream.Studio``."""
        return self._engine.sound.samples(columns)

    def _embedded(self, steers: Sequence[Steer], at_frame: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The prompt and what to avoid at a frame, with changes that are still going on."""
        text = self._engine.pipeline.text
        condition: torch.Tensor | None = None
        avoid: torch.Tensor | None = None
        for steer in steers:
            if steer.frame > at_frame:
                break
            prompt = Prompt.parse(steer.prompt)
            wanted = text.blend(emphasis.parts(prompt))
            unwanted = text.embed(prompt.avoid or emphasis.parse(""))
            passed_s = (at_frame - steer.frame) / RATE
            share = 1.0 if condition is None or steer.over_s <= 0 else min(1.0, passed_s / steer.over_s)
            condition = wanted if condition is None else between(condition, wanted, share)
            avoid = unwanted if avoid is None else between(avoid, unwanted, share)
        assert condition is not None
        assert avoid is not None
        return condition, avoid


def _walked(seed: int, walk: float, tile: int) -> Chance:
    """Where the walk over seeds is at a tile: from seed to seed + 1, then on to seed + 2…"""
    way = walk * tile
    leg = int(way)
    return Chance(_after(seed, leg), _after(seed, leg + 1), way - leg)


def _after(seed: int, steps: int) -> int:
    return (seed + steps) % 2**63


def _square(image: Image.Image) -> Image.Image:
    """A seed image at the size of a tile."""
    if image.height % 32 or image.height < 64:
        raise InvalidInput("seed_image", f"{image.width} x {image.height}", "a height that is a multiple of 32")
    return image if image.width == TILE else image.resize((TILE, image.height), Image.Resampling.LANCZOS)
