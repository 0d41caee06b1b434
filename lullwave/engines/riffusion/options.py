"""How the engine is loaded and what a request may set; knows nothing of how it is done."""

from __future__ import annotations

from dataclasses import dataclass

from ...device import DTYPES
from ...options import check, option
from ..base import EngineFacts, smaller_weights
from .schedulers import MAX_STEPS, short_name

DEFAULT_CHECKPOINT = "riffusion/riffusion-model-v1"


@dataclass(frozen=True)
class Preset:
    """Steps, scheduler and guidance that suit one another."""

    scheduler: str | None  # None: the checkpoint's own
    steps: int
    guidance: float


PRESETS = {
    "original": Preset(None, 50, 7.0),
    "balanced": Preset("dpm++", 20, 7.0),
    "fast": Preset("lcm", 4, 1.0),  # wants an LCM-LoRA, blended at loading
}


@dataclass(frozen=True)
class RiffusionLoadOptions:
    """How a checkpoint is loaded."""

    checkpoint: str = option(
        DEFAULT_CHECKPOINT, "a directory in diffusers format, or a name on the hub", max_length=1000
    )
    smaller: str = smaller_weights()
    device: str = option("auto", "a torch device: auto, cpu, cuda, cuda:1, mps", max_length=20)
    dtype: str = option(
        "auto", "precision of the networks; int8 is for CPUs, by OpenVINO (extra 'openvino')", choices=DTYPES
    )
    lora: str = option("", "LoRA files to blend in, FILE:WEIGHT split by commas", max_length=4000)
    seed_images: str = option("", "a folder with seed images and masks of your own", max_length=1000)
    offline: bool = option(False, "never download; a checkpoint that is not installed is an error")
    compiled: bool = option(False, "compile the UNet, by OpenVINO on a CPU: slow to start, faster afterwards")
    max_batch: int = option(4, "clips of equal shape that are made in one pass", low=1, high=64)
    max_waiting: int = option(16, "clips that may wait for their turn", low=1, high=1000)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class RiffusionOptions:
    """What a stream may set."""

    preset: str = option("balanced", "steps, scheduler and guidance that suit one another", choices=tuple(PRESETS))
    steps: int | None = option(None, "denoising steps; nothing is the preset's", low=1, high=MAX_STEPS)
    scheduler: str | None = option(None, "a scheduler by name; nothing is the preset's", max_length=60)
    guidance: float | None = option(
        None, "how closely the prompt is followed; nothing is the preset's", low=0, high=100
    )
    denoising: float = option(0.75, "how far the seed image is repainted", low=0, high=1)
    seed_image: str = option("og_beat", "the spectrogram image to begin from: it keeps the beat", max_length=100)
    mask_image: str | None = option(None, "what to repaint: white is, black is kept", max_length=100)
    walk: float = option(0.25, "how far each five seconds go towards the next seed", low=0, high=1)

    def __post_init__(self) -> None:
        check(self)
        if self.scheduler is not None:
            short_name(self.scheduler)

    @property
    def chosen(self) -> Preset:
        """The preset with what was set over it."""
        base = PRESETS[self.preset]
        return Preset(
            base.scheduler if self.scheduler is None else self.scheduler,
            base.steps if self.steps is None else self.steps,
            base.guidance if self.guidance is None else self.guidance,
        )


class RiffusionFacts(EngineFacts):
    """Riffusion in a list of engines; this module imports nothing heavy, so that lists and help are quick."""

    name = "riffusion"
    summary = "Riffusion: spectrogram images made by a diffusion model (a checkpoint and a GPU are wanted)"
    load_options = RiffusionLoadOptions
    weights = "checkpoint"
    options = RiffusionOptions
    lighter = ({"steps": 12},)
