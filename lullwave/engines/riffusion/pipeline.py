"""Denoises spectrogram images: prompts, noise and a seed image in, spectrogram images out.

The seed image is encoded, noised to the level given by the strength and denoised towards the prompt, as in image to
image of Stable Diffusion. Prompts are interpolated linearly and noises along an arc, so that moving ``alpha`` from 0
to 1 turns one clip into another. Several images are made in one pass, wide ones in overlapping windows, loops with
the end of the image joined to its beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from ...errors import Cancelled
from ..batching import Progress
from . import windows
from .clip_options import DenoisingConfig, Interpolation, PromptInput
from .model.circular_padding import LoopSwitch
from .model.text_encoder import TextEncoder, equal_length, interpolate, parse_weights
from .model.weights import Weights
from .noise import between_seeds
from .sampler import Sampler, SeedPair

GRID = 32  # pixels; image sizes are rounded down to multiples of this
WINDOW = 64  # latent columns that the UNet was trained on: 512 pixels
OVERLAP = 16  # latent columns that neighbouring UNet windows share
DECODED = ENCODED = 128  # latent columns that the VAE processes at once, to bound its memory
_MARGIN = 16  # half of the latent columns that neighbouring VAE windows share
_CACHED_IMAGES = 32  # encoded seed images


@dataclass(frozen=True)
class ImageRequest:
    """One image to denoise, with its prompts embedded."""

    seeds: SeedPair
    strength: float  # share of the denoising steps that run, 0 to 1
    guidance: float
    condition: torch.Tensor  # (L, D) the prompt
    avoid: torch.Tensor  # (L, D) the negative prompt
    image: Image.Image | None = None  # None: from noise alone, ``width`` columns
    mask: Image.Image | None = None  # white is repainted
    width: int = 512
    height: int = 512
    condition_end: torch.Tensor | None = None  # (L, D) the prompt at the right end of a wide image

    @property
    def latent_size(self) -> tuple[int, int]:
        """Height and width of the latents."""
        width, height = self.image.size if self.image is not None else (self.width, self.height)
        return height // GRID * GRID // 8, width // GRID * GRID // 8


class Pipeline:
    """A loaded checkpoint. Thread-safe: one run at a time, other callers wait."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._text = TextEncoder(weights.tokenizer, weights.text_encoder)
        self._lock = RLock()
        self._encoded: dict[tuple[int, bool], tuple[Image.Image, torch.Tensor]] = {}

    @property
    def text(self) -> TextEncoder:
        """The text encoder."""
        return self._text

    def image_request(
        self,
        clip: Interpolation,
        image: Image.Image | None,
        mask: Image.Image | None = None,
        width: int = 512,
    ) -> ImageRequest:
        """Embed the prompts of ``clip``. The caller has opened its images."""

        def embedded(end: PromptInput, avoid: bool) -> torch.Tensor:
            return self._text.embed(parse_weights((end.negative_prompt or "") if avoid else end.prompt))

        return ImageRequest(
            seeds=SeedPair(clip.start.seed, clip.end.seed, clip.alpha),
            strength=clip.strength,
            guidance=clip.guidance,
            condition=interpolate(embedded(clip.start, False), embedded(clip.end, False), clip.alpha),
            avoid=interpolate(embedded(clip.start, True), embedded(clip.end, True), clip.alpha),
            image=image,
            mask=mask,
            width=width,
        )

    def make(
        self,
        requests: Sequence[ImageRequest],
        config: DenoisingConfig,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Image.Image]:
        """Denoise and decode images of one size and one strength.

        Raises:
            Cancelled: ``cancelled`` became true between two steps.
        """
        latents = self.latents(requests, config, progress, cancelled)
        return [self.decode(row, config.loop) for row in latents]

    @torch.inference_mode()
    def latents(
        self,
        requests: Sequence[ImageRequest],
        config: DenoisingConfig,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> torch.Tensor:
        """(B, 4, H, W) float32: the denoised latents."""
        assert len({(one.latent_size, one.strength, one.image is None) for one in requests}) == 1
        with self._lock, self._loop(config.loop):
            return self._denoised(requests, config, progress, cancelled)

    def _denoised(
        self,
        requests: Sequence[ImageRequest],
        config: DenoisingConfig,
        progress: Progress | None,
        cancelled: Callable[[], bool] | None,
    ) -> torch.Tensor:
        device = self._weights.device
        first = requests[0]
        size = first.latent_size
        mix = config.mix
        strength = mix.kmax if mix is not None else first.strength
        sampler = Sampler(
            self._weights.scheduler, config.scheduler, config.steps, strength, config.compat, first.image is None
        )
        seeds = [one.seeds for one in requests]
        noise = torch.stack([between_seeds(pair.start, pair.end, pair.alpha, (4, *size)) for pair in seeds]).to(device)
        init = None
        if first.image is not None:
            init = torch.stack([self._latent_of(one, config) for one in requests])
        mask = None
        if any(one.mask is not None for one in requests):
            mask = torch.stack([_mask_of(one.mask, size) for one in requests]).to(device)
        guidance = torch.tensor([max(one.guidance, 1.0) for one in requests], device=device)[:, None, None, None]
        guided = bool((guidance > 1).any())
        texts = [one.condition for one in requests] + ([one.avoid for one in requests] if guided else [])
        ends = [one.condition if one.condition_end is None else one.condition_end for one in requests]
        both = torch.stack(equal_length(texts + ends + texts[len(requests) :])).to(device, self._weights.dtype)
        text, text_end = both[: len(texts)], both[len(texts) :]

        latents = sampler.begin(init, noise)
        total = len(sampler.timesteps)
        for done, timestep in enumerate(sampler.timesteps):
            if cancelled is not None and cancelled():
                raise Cancelled("the clip was cancelled")
            if progress is not None:
                progress(done, total)
            left = (total - done) / config.steps
            if mix is not None and init is not None and done and left > mix.kmin:
                latents = latents * mix.factor + sampler.noised_init(init, noise) * (1 - mix.factor)
            scaled = sampler.scaled(latents, timestep)
            rows = torch.cat([scaled, scaled]) if guided else scaled
            predicted = self._predicted(rows, timestep, text, text_end, config)
            if guided:  # classifier-free guidance (Ho and Salimans 2022, eq. 6)
                towards, away = predicted.chunk(2)
                predicted = away + guidance * (towards - away)
            latents = sampler.step(predicted, timestep, latents, seeds)
            if mask is not None and init is not None:
                latents = sampler.noised_init(init, noise) * (1 - mask) + latents * mask
        if progress is not None:
            progress(total, total)
        return latents

    def _predicted(
        self, latents: torch.Tensor, timestep: Any, text: torch.Tensor, text_end: torch.Tensor, config: DenoisingConfig
    ) -> torch.Tensor:
        """(B, 4, H, W) float32: the noise that the UNet predicts, in windows if the image is wide."""
        width = latents.shape[-1]
        begins = windows.starts(width, WINDOW, OVERLAP, config.loop)
        window = min(width, WINDOW)
        rows = [(row, begin) for begin in begins for row in range(latents.shape[0])]
        predicted: list[torch.Tensor] = []
        with self._loop(config.loop and len(begins) == 1):  # a window of a wide loop is not a loop
            for at in range(0, len(rows), config.max_rows):
                part = rows[at : at + config.max_rows]
                inputs = torch.stack([windows.cut(latents[row], begin, window) for row, begin in part])
                inputs = inputs.to(self._weights.dtype).contiguous(memory_format=self._weights.memory_format)
                indices = torch.tensor([row for row, _ in part], device=text.device)
                condition = text[indices]
                if len(begins) > 1:  # the prompt may change along a wide image
                    along = torch.tensor([begin / (width - window) for _, begin in part]).clamp(max=1).to(condition)
                    condition = torch.lerp(condition, text_end[indices], along[:, None, None])
                level = torch.as_tensor(timestep).to(latents.device)
                predicted.append(self._weights.unet(inputs, level, encoder_hidden_states=condition).sample.float())
        whole = torch.cat(predicted)
        parts = list(whole.reshape(len(begins), latents.shape[0], *whole.shape[1:]).unbind(0))
        return windows.blend(parts, begins, width)

    @torch.inference_mode()
    def compared_steps(self, unet: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """(3, 4, H, W) noises that this UNet and that of diffusers (from ``unet``, float32) predict at three levels."""
        import diffusers

        reference = diffusers.UNet2DConditionModel.from_pretrained(unet, local_files_only=True).float().eval()
        text = self._text.embed(parse_weights("calm piano, rainy night"))[None]
        latents = torch.randn(1, 4, WINDOW, WINDOW, generator=torch.Generator().manual_seed(1))
        made, expected = [], []
        with self._lock:
            for level in (901, 501, 101):
                config = DenoisingConfig(loop=False)
                on_device = latents.to(self._weights.device)
                condition = text.to(self._weights.device, self._weights.dtype)
                made.append(self._predicted(on_device, level, condition, condition, config).cpu())
                expected.append(reference(latents, level, encoder_hidden_states=text.float().cpu()).sample)
        return torch.cat(made).numpy(), torch.cat(expected).float().numpy()

    def _latent_of(self, request: ImageRequest, config: DenoisingConfig) -> torch.Tensor:
        assert request.image is not None
        if config.compat:
            return self.encode(request.image, seed=request.seeds.start)
        key = (id(request.image), config.loop)
        if key not in self._encoded:
            if len(self._encoded) > _CACHED_IMAGES:
                self._encoded.clear()
            latent = self.encode(request.image, config.loop)
            self._encoded[key] = (request.image, latent)  # a reference to the image keeps its id unique
        return self._encoded[key][1]

    @torch.inference_mode()
    def encode(self, image: Image.Image, loop: bool = False, seed: int | None = None) -> torch.Tensor:
        """(4, H/8, W/8) float32: the mean of an image's latents, or a sample drawn with ``seed``."""
        pixels = torch.from_numpy(_pixels(image)).to(self._weights.device, self._weights.vae_dtype)
        width = pixels.shape[-1] // 8
        window = min(width, ENCODED)
        begins = windows.starts(width, window, 2 * _MARGIN, loop) if seed is None else [0]
        parts = []
        with self._lock, self._loop(loop and len(begins) == 1):
            for begin in begins:
                part = windows.cut(pixels, 8 * begin, 8 * window) if len(begins) > 1 else pixels
                distribution = self._weights.vae.encode(part[None]).latent_dist
                if seed is None:
                    mean = distribution.mode()
                else:
                    mean = distribution.sample(generator=torch.Generator("cpu").manual_seed(seed))
                parts.append(mean[0].float() * self._scale)
        return windows.blend(parts, begins, width).contiguous()

    @torch.inference_mode()
    def decode(self, latents: torch.Tensor, loop: bool = False) -> Image.Image:
        """Decode (4, H, W) latents into an RGB image, wide ones in overlapping windows."""
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
        scaled = (latents[None] / self._scale).to(self._weights.device, self._weights.vae_dtype)
        pixels: torch.Tensor = self._weights.vae.decode(scaled).sample[0].float()
        return (pixels / 2 + 0.5).clamp(0, 1)

    def _loop(self, closed: bool) -> Any:
        loop: LoopSwitch | None = self._weights.loop
        return loop.set(closed) if loop is not None else nullcontext()

    @property
    def _scale(self) -> float:
        return float(self._weights.vae.config.scaling_factor)


def _pixels(image: Image.Image) -> npt.NDArray[np.float32]:
    """(3, H, W) in -1..1; the image is resized to multiples of 32, rounded down."""
    rgb = image.convert("RGB")
    size = (rgb.width // GRID * GRID, rgb.height // GRID * GRID)
    if size != rgb.size:
        rgb = rgb.resize(size, Image.Resampling.LANCZOS)
    values = np.asarray(rgb, np.float32) / 255.0
    return np.ascontiguousarray(values.transpose(2, 0, 1) * 2.0 - 1.0)


def _mask_of(mask: Image.Image | None, size: tuple[int, int]) -> torch.Tensor:
    """(1, H, W) in 0..1; 1 repaints."""
    if mask is None:
        return torch.ones(1, *size)
    grey = mask.convert("L").resize((size[1], size[0]), Image.Resampling.NEAREST)
    return torch.from_numpy(np.asarray(grey, np.float32) / 255.0)[None]


def _image(pixels: torch.Tensor) -> Image.Image:
    """(3, H, W) in 0..1 into an RGB image."""
    values = (pixels.permute(1, 2, 0).cpu().numpy() * 255).round().astype(np.uint8)
    return Image.fromarray(values, "RGB")
