"""The schedulers of diffusers that can be chosen, by name; imports none of them."""

from __future__ import annotations

from typing import Any

from ...errors import InvalidInput

MAX_STEPS = 200

# Short name → class in diffusers and what is set on it besides the checkpoint's own configuration.
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
    """The short names. The names of the classes in diffusers are understood too."""
    return tuple(SCHEDULERS)


def short_name(name: str) -> str:
    """The short name of a scheduler named either way.

    Raises:
        InvalidInput: not one of ``SCHEDULERS``.
    """
    lowered = name.strip().lower()
    for short, (cls, _) in SCHEDULERS.items():
        if lowered in (short, cls.lower()):
            return short
    raise InvalidInput("scheduler", name, "one of " + ", ".join(SCHEDULERS))
