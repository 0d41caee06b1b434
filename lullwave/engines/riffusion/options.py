"""Load options, stream options and presets of the engine ``riffusion``. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

from ...device import DTYPES
from ...options import check, option
from ..base import EngineFacts, smaller_weights
from .schedulers import MAX_STEPS, short_name

DEFAULT_CHECKPOINT = "riffusion/riffusion-model-v1"


@dataclass(frozen=True)
class Preset:
    """Steps, scheduler and guidance that fit together."""

    scheduler: str | None  # None: the checkpoint's own
    steps: int
    guidance: float


PRESETS = {
    "original": Preset(None, 50, 7.0),
    "balanced": Preset("dpm++", 20, 7.0),
    "fast": Preset("lcm", 4, 1.0),  # needs an LCM-LoRA (load option ``lora``)
}


@dataclass(frozen=True)
class RiffusionLoadOptions:
    """How a checkpoint is loaded."""

    checkpoint: str = option(
        DEFAULT_CHECKPOINT,
        "a directory in diffusers format, a .safetensors or .ckpt file, or a name on the hub",
        max_length=1000,
    )
    smaller: str = smaller_weights()
    device: str = option("auto", "a torch device: auto, cpu, cuda, cuda:1, mps", max_length=20)
    dtype: str = option(
        "auto", "precision of the networks; int8 is for CPUs and needs the extra 'openvino'", choices=DTYPES
    )
    lora: str = option("", "LoRA files to add, as FILE:WEIGHT, separated by commas", max_length=4000)
    seed_images: str = option("", "folder with your own seed images and masks", max_length=1000)
    offline: bool = option(False, "never download; fail if the checkpoint is not installed")
    compiled: bool = option(False, "compile the UNet (on a CPU with OpenVINO): starts more slowly, then runs faster")
    max_batch: int = option(4, "largest number of clips of equal shape in one pass", low=1, high=64)
    max_waiting: int = option(16, "largest number of clips in the queue", low=1, high=1000)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class RiffusionOptions:
    """Options of a stream."""

    preset: str = option("balanced", "steps, scheduler and guidance that fit together", choices=tuple(PRESETS))
    steps: int | None = option(None, "denoising steps; empty for the preset's", low=1, high=MAX_STEPS)
    scheduler: str | None = option(None, "scheduler; empty for the preset's", max_length=60)
    guidance: float | None = option(None, "how closely the prompt is followed; empty for the preset's", low=0, high=100)
    denoising: float = option(0.75, "how far the seed image is repainted", low=0, high=1)
    seed_image: str = option("og_beat", "the spectrogram image to begin from; it sets the beat", max_length=100)
    mask_image: str | None = option(None, "mask: white is repainted, black is kept", max_length=100)
    walk: float = option(0.25, "how far each tile of 5.12 s moves towards the next seed", low=0, high=1)

    def __post_init__(self) -> None:
        check(self)
        if self.scheduler is not None:
            short_name(self.scheduler)

    @property
    def chosen(self) -> Preset:
        """The preset, with the options that were set on top."""
        base = PRESETS[self.preset]
        return Preset(
            base.scheduler if self.scheduler is None else self.scheduler,
            base.steps if self.steps is None else self.steps,
            base.guidance if self.guidance is None else self.guidance,
        )


class RiffusionFacts(EngineFacts):
    """Facts for lists of engines and help."""

    name = "riffusion"
    summary = "Riffusion: a diffusion model of spectrogram images (needs a checkpoint; a GPU is recommended)"
    load_options = RiffusionLoadOptions
    weights = "checkpoint"
    options = RiffusionOptions
    lighter = ({"steps": 12},)
