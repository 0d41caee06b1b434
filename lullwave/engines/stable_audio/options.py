"""Options and description of the engine ``stable-audio``; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

from ...device import DTYPES
from ...options import check, option
from ..base import EngineFacts, smaller_weights

DEFAULT_CHECKPOINT = "stabilityai/stable-audio-3-small-music"


@dataclass(frozen=True)
class StableAudioLoadOptions:
    """How a checkpoint is loaded."""

    checkpoint: str = option(
        DEFAULT_CHECKPOINT, "a directory in diffusers format, or a name on the Hugging Face hub", max_length=1000
    )
    smaller: str = smaller_weights()
    device: str = option("auto", "a torch device: auto, cpu, cuda, cuda:1, mps", max_length=20)
    dtype: str = option(
        "auto",
        "precision of the networks; auto: float16 on CUDA, bfloat16 on CPUs that multiply it, else float32",
        choices=tuple(name for name in DTYPES if name != "int8"),
    )
    threads: int | None = option(None, "CPU threads; empty: as many as torch chooses", low=1, high=256)
    max_batch: int = option(8, "largest number of streams whose windows are made in one pass", low=1, high=64)
    offline: bool = option(False, "never download; fail if the checkpoint is not installed")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class StableAudioOptions:
    """Options of a stream."""

    steps: int | None = option(
        None, "denoising steps; empty: as the checkpoint is made for, 8 if it is distilled", low=1, high=250
    )
    guidance: float = option(
        1.0,
        "how closely the prompt is followed, for base checkpoints, at twice the work; 1: none, as distilled ones need",
        low=1,
        high=25,
    )
    window_s: float | None = option(
        None, "music made at a time; empty: chosen from the measured speed", low=3, high=110, unit="seconds"
    )
    context_s: float | None = option(
        None,
        "music before a window that the model continues; empty: chosen from the measured speed",
        low=1,
        high=60,
        unit="seconds",
    )

    def __post_init__(self) -> None:
        check(self)


class StableAudioFacts(EngineFacts):
    """Facts for lists of engines and help."""

    name = "stable-audio"
    summary = "Stable Audio 3: 44.1 kHz stereo by a diffusion transformer (needs the extra 'ai' and a checkpoint)"
    load_options = StableAudioLoadOptions
    weights = "checkpoint"
    options = StableAudioOptions
    lighter = ({"steps": 6}, {"steps": 4})
    audio_prompts = ("continue_from",)
