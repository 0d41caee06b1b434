"""Steps from noise to an image with any scheduler of diffusers.

``Sampler`` hides the differences between schedulers: where an image-to-image run starts, how the region that a mask
keeps is noised, and how the noise of a step is seeded.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from .noise import between_seeds, keyed
from .schedulers import SCHEDULERS, short_name


@dataclass(frozen=True)
class SeedPair:
    """The randomness of one image: two seeds and the position between them, 0 to 1."""

    start: int
    end: int
    alpha: float


class Sampler:
    """One run of a scheduler over a batch. Create one per run: schedulers keep state."""

    def __init__(
        self,
        own: Any,
        name: str | None,
        steps: int,
        strength: float,
        compat: bool = False,
        from_noise: bool = False,
    ) -> None:
        """Choose the timesteps of a run.

        Args:
            own: the checkpoint's scheduler, whose configuration is used.
            name: another scheduler, or None for the checkpoint's own.
            steps: denoising steps for a strength of 1.
            strength: share of the steps that run, 0 to 1.
            compat: choose timesteps as Riffusion did.
            from_noise: there is no image to begin from; ``strength`` is ignored.
        """
        import diffusers

        if name is None:
            self._scheduler = type(own).from_config(own.config)
        else:
            cls, settings = SCHEDULERS[short_name(name)]
            self._scheduler = getattr(diffusers, cls).from_config(own.config, **settings)
        self._kind = type(self._scheduler).__name__
        self._compat = compat
        self._done = 0
        if from_noise:
            strength = 1.0
        if compat:
            self._set_timesteps_as_riffusion(steps, strength)
        else:
            self._set_timesteps(steps, strength)

    def _set_timesteps(self, steps: int, strength: float) -> None:
        used = min(steps, max(int(steps * strength + 1e-6), 1 if strength > 0 else 0))
        if self._kind == "LCMScheduler":
            # the distilled steps are spread over the noise levels below ``strength``, so that all of them run
            trained = int(self._scheduler.config.original_inference_steps * strength)
            used = min(steps, trained)
            if used:
                self._scheduler.set_timesteps(used, strength=strength)
            self.timesteps = list(self._scheduler.timesteps) if used else []
        else:
            self._scheduler.set_timesteps(steps)
            every = list(self._scheduler.timesteps)
            begin = (steps - used) * getattr(self._scheduler, "order", 1)
            if self._kind == "PNDMScheduler" and self._scheduler.config.skip_prk_steps:
                # PLMS repeats its second step, wherever the run begins (Liu et al. 2022)
                levels = list(dict.fromkeys(int(t) for t in every))[steps - used :]
                self.timesteps = [torch.tensor(t) for t in (levels[:2] + levels[1:])]
            else:
                self.timesteps = every[begin:]
                if self.timesteps and hasattr(self._scheduler, "set_begin_index"):
                    self._scheduler.set_begin_index(begin)
        self._first = self.timesteps[0] if self.timesteps else None

    def _set_timesteps_as_riffusion(self, steps: int, strength: float) -> None:
        """The timesteps as Riffusion itself computed them."""
        self._scheduler.set_timesteps(steps)
        every = list(self._scheduler.timesteps)
        offset = int(self._scheduler.config.get("steps_offset", 0))
        begin = min(int(steps * strength) + offset, steps)
        order = int(getattr(self._scheduler, "order", 1))  # a run must not begin inside a step of several
        self._first = every[-begin] if order == 1 else every[min((steps - begin) * order, len(every) - 1)]
        self.timesteps = every[max(steps - begin + offset, 0) * order :]

    def begin(self, init: torch.Tensor | None, noise: torch.Tensor) -> torch.Tensor:
        """(B, 4, H, W): ``init`` noised to the first timestep, or pure noise without an image."""
        if init is None:
            return noise * float(self._scheduler.init_noise_sigma)
        if self._first is None:
            return init.clone()
        return self._noised(init, noise, self._first)

    def scaled(self, latents: torch.Tensor, timestep: Any) -> torch.Tensor:
        """The latents as the UNet expects them at a timestep."""
        scaled: torch.Tensor = self._scheduler.scale_model_input(latents, timestep)
        return scaled

    def step(
        self, predicted: torch.Tensor, timestep: Any, latents: torch.Tensor, seeds: Sequence[SeedPair]
    ) -> torch.Tensor:
        """Take one step: latents at a timestep and the predicted noise → latents at the next timestep."""
        self._done += 1
        if self._kind == "LCMScheduler":
            denoised: torch.Tensor = self._scheduler.step(predicted, timestep, latents).denoised
            if self._done == len(self.timesteps):
                return denoised
            fresh = self._fresh(seeds, denoised)
            return self._noised(denoised, fresh, self.timesteps[self._done])
        extra: dict[str, Any] = {}
        if "generator" in inspect.signature(self._scheduler.step).parameters:
            nearest = [c.start if c.alpha < 0.5 else c.end for c in seeds]
            extra["generator"] = [
                torch.Generator("cpu").manual_seed(keyed(seed, "step", self._done)) for seed in nearest
            ]
        stepped: torch.Tensor = self._scheduler.step(predicted, timestep, latents, **extra).prev_sample
        return stepped

    def noised_init(self, init: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """``init`` at the noise level after the last ``step``, for the region that a mask keeps."""
        if self._compat:
            return self._noised(init, noise, self.timesteps[self._done - 1])
        if self._done >= len(self.timesteps):
            return init
        return self._noised(init, noise, self.timesteps[self._done])

    def _noised(self, clean: torch.Tensor, noise: torch.Tensor, timestep: Any) -> torch.Tensor:
        level = torch.as_tensor(timestep).reshape(1).expand(clean.shape[0])
        noised: torch.Tensor = self._scheduler.add_noise(clean, noise, level.to(clean.device))
        return noised

    def _fresh(self, seeds: Sequence[SeedPair], like: torch.Tensor) -> torch.Tensor:
        shape = tuple(like.shape[1:])
        rows = [between_seeds(c.start, c.end, c.alpha, shape, f"step {self._done}") for c in seeds]
        return torch.stack(rows).to(like.device)
