"""Steps from noise to latents: the schedule of Stable Audio 3 and its two samplers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

DISTILLED_STEPS = 8  # of the published checkpoints
BASE_STEPS = 100  # of their bases, before distillation
LOGSNR_MIN, LOGSNR_MAX = -6.2, 2.0  # of the published pipelines


@dataclass(frozen=True)
class Schedule:
    """The noise levels of a run: ``sigmas`` has one more than ``timesteps``, the last is 0."""

    sigmas: tuple[float, ...]
    timesteps: tuple[float, ...]
    renoised: bool  # every step predicts the end and adds fresh noise (distilled checkpoints); else Euler steps

    @classmethod
    def of(cls, scheduler: Any, steps: int, strength: float = 1.0) -> Schedule:
        """The schedule of a checkpoint.

        Args:
            scheduler: the checkpoint's own; its configuration is used.
            steps: how many.
            strength: noise level at which the run begins, above 0 and at most 1.
        """
        from diffusers.pipelines.stable_audio_3.pipeline_stable_audio_3 import logsnr_sigma_schedule

        own = type(scheduler).from_config(scheduler.config)
        own.set_timesteps(sigmas=logsnr_sigma_schedule(steps, LOGSNR_MIN, LOGSNR_MAX, strength))
        return cls(tuple(own.sigmas.tolist()), tuple(own.timesteps.tolist()), bool(own.config.stochastic_sampling))


def run(
    schedule: Schedule,
    latents: Tensor,
    velocity: Callable[[Tensor, int], Tensor],
    noise: Callable[[int], Tensor],
    step_done: Callable[[int], None],
) -> Tensor:
    """Take all steps; returns (B, channels, T) float32.

    Args:
        schedule: the noise levels.
        latents: (B, channels, T) float32 at the first noise level.
        velocity: what the network predicts for latents at a step.
        noise: fresh noise for the latents after a step, counted from 1.
        step_done: called with the number of steps done; may raise to cancel.
    """
    for step in range(len(schedule.timesteps)):
        now, after = schedule.sigmas[step], schedule.sigmas[step + 1]
        predicted = velocity(latents, step)
        if not schedule.renoised:
            latents = latents + (after - now) * predicted
        else:
            latents = latents - now * predicted
            if after > 0:
                latents = (1.0 - after) * latents + after * noise(step + 1)
        step_done(step + 1)
    return latents


def default_steps(scheduler: Any) -> int:
    """The number of steps that a checkpoint is made for."""
    return DISTILLED_STEPS if scheduler.config.stochastic_sampling else BASE_STEPS
