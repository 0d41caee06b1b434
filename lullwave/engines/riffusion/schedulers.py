"""Short names for the schedulers of diffusers. Imports none of them."""

from __future__ import annotations

from typing import Any

from ...errors import InvalidInput

MAX_STEPS = 200  # denoising steps of one clip; more only cost time

# Short name → class in diffusers, and settings on top of the checkpoint's configuration.
SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "pndm": ("PNDMScheduler", {}),
    "ddim": ("DDIMScheduler", {"clip_sample": False}),
    "ddpm": ("DDPMScheduler", {"clip_sample": False}),
    "dpm++": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "dpm++-karras": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "use_karras_sigmas": True}),
    "dpm++-single": ("DPMSolverSinglestepScheduler", {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "dpm++-sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++", "solver_order": 2}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "deis": ("DEISMultistepScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler-ancestral": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "kdpm2": ("KDPM2DiscreteScheduler", {}),
    "kdpm2-ancestral": ("KDPM2AncestralDiscreteScheduler", {}),
    "sa-solver": ("SASolverScheduler", {}),
    "lms": ("LMSDiscreteScheduler", {}),
    "lcm": ("LCMScheduler", {}),
    "tcd": ("TCDScheduler", {}),
}


def scheduler_names() -> tuple[str, ...]:
    """The short names."""
    return tuple(SCHEDULERS)


def short_name(name: str) -> str:
    """The short name of a scheduler, given its short name or its class in diffusers.

    Raises:
        InvalidInput: it is none of ``SCHEDULERS``.
    """
    lowered = name.strip().lower()
    for short, (cls, _) in SCHEDULERS.items():
        if lowered in (short, cls.lower()):
            return short
    raise InvalidInput("scheduler", name, "one of " + ", ".join(SCHEDULERS))
