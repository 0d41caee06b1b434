"""Prompts, noise and a spectrogram image in, spectrogram images out; knows nothing of sound, files or HTTP.

The image is encoded, noised to the level that the strength asks for and denoised towards the prompt, as in image
to image of Stable Diffusion; prompts are mixed linearly and noises along an arc, so that a walk of ``alpha`` from
0 to 1 turns one clip into another. Several places of a walk are made in one pass, wide images in overlapping
windows, and loops with the end of the image joined to its beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from threading import RLock
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from ...errors import LullwaveError
from . import emphasis, windows
from .circular_padding import Loop
from .denoising import Plan
from .interpolation import End, Interpolation
from .noise import between_seeds
from .schedule import Chance, Schedule
from .text import TextEncoder, between, equal_length
from .weights import Weights

GRID = 32  # image sizes are rounded down to multiples of this
WINDOW = 64  # latent columns that the model was trained on: 512 pixels
OVERLAP = 16
DECODED = ENCODED = 128  # latent columns that the VAE sees at once
_MARGIN = 16  # half of what neighbours among these windows share

Progress = Callable[[int, int], None]  # steps done, steps in all


class Cancelled(LullwaveError):
    """The run was given up because nobody waits for it any longer."""


@dataclass(frozen=True)
class Leg:
    """A place between two ends with its images and its embeddings, ready to be made."""

    chance: Chance
    strength: float
    guidance: float
    condition: torch.Tensor  # (L, D)
    avoid: torch.Tensor  # (L, D)
    image: Image.Image | None = None  # None: from noise alone, ``width`` columns
    mask: Image.Image | None = None
    width: int = 512
    height: int = 512
    condition_end: torch.Tensor | None = None  # (L, D) the prompt at the right end of a wide image

    @property
    def latent_size(self) -> tuple[int, int]:
        """Height and width of the latents."""
        width, height = self.image.size if self.image is not None else (self.width, self.height)
        return height // GRID * GRID // 8, width // GRID * GRID // 8


class Pipeline:
    """A checkpoint at work. One run at a time; calls from several threads wait for one another."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._text = TextEncoder(weights.tokenizer, weights.text_encoder)
        self._lock = RLock()
        self._encoded: dict[tuple[int, bool], tuple[Image.Image, torch.Tensor]] = {}

    @property
    def text(self) -> TextEncoder:
        return self._text

    def leg(
        self,
        wish: Interpolation,
        image: Image.Image | None,
        mask: Image.Image | None = None,
        width: int = 512,
    ) -> Leg:
        """``wish`` with its prompts embedded. Its image ids have been looked up by the caller."""

        def embedded(end: End, avoid: bool) -> torch.Tensor:
            text = (end.negative_prompt or "") if avoid else end.prompt
            return self._text.embed(emphasis.parse(text))

        return Leg(
            chance=Chance(wish.start.seed, wish.end.seed, wish.alpha),
            strength=wish.strength,
            guidance=wish.guidance,
            condition=between(embedded(wish.start, False), embedded(wish.end, False), wish.alpha),
            avoid=between(embedded(wish.start, True), embedded(wish.end, True), wish.alpha),
            image=image,
            mask=mask,
            width=width,
        )

    def make(
        self,
        legs: Sequence[Leg],
        plan: Plan,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Image.Image]:
        """The images of ``legs``, which have one size and one strength (else use several calls).

        Raises:
            Cancelled: ``cancelled`` became true between two steps.
        """
        latents = self.latents(legs, plan, progress, cancelled)
        return [self.decode(row, plan.loop) for row in latents]

    @torch.inference_mode()
    def latents(
        self,
        legs: Sequence[Leg],
        plan: Plan,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> torch.Tensor:
        """(B, 4, H, W) float32: the denoised latents of ``legs``."""
        assert len({(leg.latent_size, leg.strength, leg.image is None) for leg in legs}) == 1
        with self._lock, self._loop(plan.loop):
            return self._denoised(legs, plan, progress, cancelled)

    def _denoised(
        self,
        legs: Sequence[Leg],
        plan: Plan,
        progress: Progress | None,
        cancelled: Callable[[], bool] | None,
    ) -> torch.Tensor:
        device = self._weights.device
        first = legs[0]
        size = first.latent_size
        strength = plan.mix.kmax if plan.mix is not None else first.strength
        schedule = Schedule(
            self._weights.scheduler, plan.scheduler, plan.steps, strength, plan.compat, first.image is None
        )
        shape = (4, *size)
        noise = torch.stack(
            [between_seeds(leg.chance.start, leg.chance.end, leg.chance.alpha, shape) for leg in legs]
        ).to(device)
        init = None
        if first.image is not None:
            init = torch.stack([self._latent_of(leg, plan) for leg in legs])
        mask = None
        if any(leg.mask is not None for leg in legs):
            mask = torch.stack([_mask_of(leg.mask, size) for leg in legs]).to(device)
        guidance = torch.tensor([max(leg.guidance, 1.0) for leg in legs], device=device)[:, None, None, None]
        guided = bool((guidance > 1).any())
        texts = [leg.condition for leg in legs] + ([leg.avoid for leg in legs] if guided else [])
        ends = [leg.condition if leg.condition_end is None else leg.condition_end for leg in legs]
        both = torch.stack(equal_length(texts + ends + texts[len(legs) :])).to(device, self._weights.dtype)
        text, text_end = both[: len(texts)], both[len(texts) :]

        latents = schedule.begin(init, noise)
        chances = [leg.chance for leg in legs]
        for done, timestep in enumerate(schedule.timesteps):
            if cancelled is not None and cancelled():
                raise Cancelled("nobody waits for this clip any longer")
            if progress is not None:
                progress(done, len(schedule.timesteps))
            left = (len(schedule.timesteps) - done) / plan.steps
            if plan.mix is not None and init is not None and done and left > plan.mix.kmin:
                latents = latents * plan.mix.factor + schedule.kept(init, noise) * (1 - plan.mix.factor)
            shown = schedule.scaled(latents, timestep)
            seen = torch.cat([shown, shown]) if guided else shown
            predicted = self._predicted(seen, timestep, text, text_end, plan)
            if guided:
                towards, away = predicted.chunk(2)
                predicted = away + guidance * (towards - away)
            latents = schedule.step(predicted, timestep, latents, chances)
            if mask is not None and init is not None:
                latents = schedule.kept(init, noise) * (1 - mask) + latents * mask
        if progress is not None:
            progress(len(schedule.timesteps), len(schedule.timesteps))
        return latents

    def _predicted(
        self, shown: torch.Tensor, timestep: Any, text: torch.Tensor, text_end: torch.Tensor, plan: Plan
    ) -> torch.Tensor:
        """The noise that the UNet sees, float32, in windows where the image is wide."""
        width = shown.shape[-1]
        begins = windows.starts(width, WINDOW, OVERLAP, plan.loop)
        window = min(width, WINDOW)
        rows = [(row, begin) for begin in begins for row in range(shown.shape[0])]
        found: list[torch.Tensor] = []
        # inside a wide loop no window is itself a loop
        with self._loop(plan.loop and len(begins) == 1):
            for at in range(0, len(rows), plan.max_rows):
                part = rows[at : at + plan.max_rows]
                seen = torch.stack([windows.cut(shown[row], begin, window) for row, begin in part])
                seen = seen.to(self._weights.dtype).contiguous(memory_format=self._weights.memory_format)
                of = torch.tensor([row for row, _ in part], device=text.device)
                words = text[of]
                if len(begins) > 1:  # the prompt may change along a wide image
                    along = torch.tensor([begin / (width - window) for _, begin in part]).clamp(max=1).to(words)
                    words = torch.lerp(words, text_end[of], along[:, None, None])
                level = torch.as_tensor(timestep).to(shown.device)
                found.append(self._weights.unet(seen, level, encoder_hidden_states=words).sample.float())
        whole = torch.cat(found)
        parts = list(whole.reshape(len(begins), shown.shape[0], *whole.shape[1:]).unbind(0))
        return windows.blend(parts, begins, width)

    def _latent_of(self, leg: Leg, plan: Plan) -> torch.Tensor:
        assert leg.image is not None
        if plan.compat:
            return self.encode(leg.image, seed=leg.chance.start)
        key = (id(leg.image), plan.loop)
        if key not in self._encoded:
            if len(self._encoded) > 32:
                self._encoded.clear()
            self._encoded[key] = (leg.image, self.encode(leg.image, plan.loop))  # holding the image keeps its id
        return self._encoded[key][1]

    @torch.inference_mode()
    def encode(self, image: Image.Image, loop: bool = False, seed: int | None = None) -> torch.Tensor:
        """(4, H/8, W/8) float32 latents of an image: their mean, or a sample of ``seed``."""
        pixels = torch.from_numpy(_pixels(image)).to(self._weights.device, self._weights.vae_dtype)
        width = pixels.shape[-1] // 8
        window = min(width, ENCODED)
        begins = windows.starts(width, window, 2 * _MARGIN, loop) if seed is None else [0]
        parts = []
        with self._lock, self._loop(loop and len(begins) == 1):
            for begin in begins:
                shown = windows.cut(pixels, 8 * begin, 8 * window) if len(begins) > 1 else pixels
                spread = self._weights.vae.encode(shown[None]).latent_dist
                if seed is None:
                    mean = spread.mode()
                else:
                    mean = spread.sample(generator=torch.Generator("cpu").manual_seed(seed))
                parts.append(mean[0].float() * self._scale)
        return windows.blend(parts, begins, width).contiguous()

    @torch.inference_mode()
    def decode(self, latents: torch.Tensor, loop: bool = False) -> Image.Image:
        """The image of (4, H, W) latents, wide ones in overlapping parts."""
        width = latents.shape[-1]
        with self._lock:
            if width <= DECODED:
                with self._loop(loop):
                    return _image(self._pixels_of(latents))
            parts, begins = [], windows.starts(width, DECODED, 2 * _MARGIN, loop)
            for begin in begins:
                parts.append(self._pixels_of(windows.cut(latents, begin, DECODED)))
            return _image(windows.blend(parts, [8 * begin for begin in begins], 8 * width))

    def _pixels_of(self, latents: torch.Tensor) -> torch.Tensor:
        ready = (latents[None] / self._scale).to(self._weights.device, self._weights.vae_dtype)
        pixels: torch.Tensor = self._weights.vae.decode(ready).sample[0].float()
        return (pixels / 2 + 0.5).clamp(0, 1)

    def _loop(self, closed: bool) -> Any:
        loop: Loop | None = self._weights.loop
        return loop.set(closed) if loop is not None else nullcontext()

    @property
    def _scale(self) -> float:
        return float(self._weights.vae.config.scaling_factor)


def _pixels(image: Image.Image) -> npt.NDArray[np.float32]:
    """(3, H, W) in -1..1, sizes rounded down to multiples of 32."""
    rgb = image.convert("RGB")
    size = (rgb.width // GRID * GRID, rgb.height // GRID * GRID)
    if size != rgb.size:
        rgb = rgb.resize(size, Image.Resampling.LANCZOS)
    values = np.asarray(rgb, np.float32) / 255.0
    return np.ascontiguousarray(values.transpose(2, 0, 1) * 2.0 - 1.0)


def _mask_of(mask: Image.Image | None, size: tuple[int, int]) -> torch.Tensor:
    """(1, H, W) in 0..1, 1 where the image is repainted."""
    if mask is None:
        return torch.ones(1, *size)
    grey = mask.convert("L").resize((size[1], size[0]), Image.Resampling.NEAREST)
    return torch.from_numpy(np.asarray(grey, np.float32) / 255.0)[None]


def _image(pixels: torch.Tensor) -> Image.Image:
    """An RGB image of (3, H, W) in 0..1."""
    values = (pixels.permute(1, 2, 0).cpu().numpy() * 255).round().astype(np.uint8)
    return Image.fromarray(values, "RGB")
