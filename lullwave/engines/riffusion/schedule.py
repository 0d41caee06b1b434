"""Which noise levels are visited, and the step from one to the next: any scheduler of diffusers by name.

Knows nothing of UNets or prompts. ``Schedule`` hides what differs between schedulers: where an image-to-image run
starts, how a kept region is noised, and where chance comes from.
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
class Chance:
    """Where the chance of one row of a batch comes from: two seeds and the place between them."""

    start: int
    end: int
    alpha: float


class Schedule:
    """One run of a scheduler over a batch. Made anew for every run: schedulers keep state."""

    def __init__(
        self,
        own: Any,
        name: str | None,
        steps: int,
        strength: float,
        compat: bool = False,
        from_noise: bool = False,
    ) -> None:
        """``own`` is the checkpoint's scheduler; ``name`` another one, or None to use it.

        ``from_noise``: there is no image to begin from, so ``strength`` is not looked at.
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
            self._plan_as_before(steps, strength)
        else:
            self._plan(steps, strength)

    def _plan(self, steps: int, strength: float) -> None:
        used = min(steps, max(int(steps * strength + 1e-6), 1 if strength > 0 else 0))
        if self._kind == "LCMScheduler":
            # the distilled steps are spread over the part below ``strength``, so none is lost
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
                # its second step is taken twice, wherever the run begins
                levels = list(dict.fromkeys(int(t) for t in every))[steps - used :]
                self.timesteps = [torch.tensor(t) for t in (levels[:2] + levels[1:])]
            else:
                self.timesteps = every[begin:]
                if self.timesteps and hasattr(self._scheduler, "set_begin_index"):
                    self._scheduler.set_begin_index(begin)
        self._first = self.timesteps[0] if self.timesteps else None

    def _plan_as_before(self, steps: int, strength: float) -> None:
        """Riffusion's own arithmetic, kept to the letter."""
        self._scheduler.set_timesteps(steps)
        every = list(self._scheduler.timesteps)
        offset = int(self._scheduler.config.get("steps_offset", 0))
        begin = min(int(steps * strength) + offset, steps)
        order = int(getattr(self._scheduler, "order", 1))  # above 1, a run that began within a step would fail
        self._first = every[-begin] if order == 1 else every[min((steps - begin) * order, len(every) - 1)]
        self.timesteps = every[max(steps - begin + offset, 0) * order :]

    def begin(self, init: torch.Tensor | None, noise: torch.Tensor) -> torch.Tensor:
        """(B, 4, H, W): ``init`` noised to the first level, or pure noise without an image."""
        if init is None:
            return noise * float(self._scheduler.init_noise_sigma)
        if self._first is None:
            return init.clone()
        return self._noised(init, noise, self._first)

    def scaled(self, latents: torch.Tensor, timestep: Any) -> torch.Tensor:
        """What the UNet is shown."""
        scaled: torch.Tensor = self._scheduler.scale_model_input(latents, timestep)
        return scaled

    def step(
        self, predicted: torch.Tensor, timestep: Any, latents: torch.Tensor, chances: Sequence[Chance]
    ) -> torch.Tensor:
        """The latents at the next lower level."""
        self._done += 1
        if self._kind == "LCMScheduler":
            denoised: torch.Tensor = self._scheduler.step(predicted, timestep, latents).denoised
            if self._done == len(self.timesteps):
                return denoised
            fresh = self._fresh(chances, denoised)
            return self._noised(denoised, fresh, self.timesteps[self._done])
        extra: dict[str, Any] = {}
        if "generator" in inspect.signature(self._scheduler.step).parameters:
            nearest = [c.start if c.alpha < 0.5 else c.end for c in chances]
            extra["generator"] = [
                torch.Generator("cpu").manual_seed(keyed(seed, "step", self._done)) for seed in nearest
            ]
        stepped: torch.Tensor = self._scheduler.step(predicted, timestep, latents, **extra).prev_sample
        return stepped

    def kept(self, init: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """``init`` at the level that the latents have after the last ``step``: what a mask keeps."""
        if self._compat:
            return self._noised(init, noise, self.timesteps[self._done - 1])
        if self._done >= len(self.timesteps):
            return init
        return self._noised(init, noise, self.timesteps[self._done])

    def _noised(self, clean: torch.Tensor, noise: torch.Tensor, timestep: Any) -> torch.Tensor:
        level = torch.as_tensor(timestep).reshape(1).expand(clean.shape[0])
        noised: torch.Tensor = self._scheduler.add_noise(clean, noise, level.to(clean.device))
        return noised

    def _fresh(self, chances: Sequence[Chance], like: torch.Tensor) -> torch.Tensor:
        shape = tuple(like.shape[1:])
        rows = [between_seeds(c.start, c.end, c.alpha, shape, f"step {self._done}") for c in chances]
        return torch.stack(rows).to(like.device)
