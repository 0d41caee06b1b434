"""Options and description of the engine ``stable-audio``; imports nothing heavy."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...device import DTYPES
from ...errors import InvalidInput
from ...options import check, option
from ..base import EngineFacts, smaller_weights
from ..native_package import BACKENDS, FAST_LAYERS, find_native

MAX_STEPS = 250
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
        "precision; auto: float16 on CUDA, bfloat16 on CPUs that multiply it, else float32; int8 is for x86 CPUs",
        choices=DTYPES,
    )
    threads: int | None = option(None, "CPU threads; empty: as many as torch chooses", low=1, high=256)
    max_batch: int | None = option(
        None,
        "streams whose windows are made in one pass, at most; empty: 1 on a CPU, where more gain nothing, else 8",
        low=1,
        high=64,
    )
    offline: bool = option(False, "never download; fail if the checkpoint is not installed")
    backend: str = option(
        "auto",
        "kernels of the layers; auto: in bfloat16 those of lullwave-native, where it is installed and the CPU has AMX, "
        "else torch's",
        choices=BACKENDS,
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class StableAudioOptions:
    """Options of a stream."""

    steps: int | None = option(
        None, "denoising steps; empty: as the checkpoint is made for, 8 if it is distilled", low=1, high=MAX_STEPS
    )
    first_steps: int | None = option(
        None,
        "denoising steps of the first window, after the beginning and after a change of prompt; "
        "empty: chosen from the measured speed",
        low=1,
        high=MAX_STEPS,
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
    strength: float = option(
        0.6, "how far the audio that a clip is made from is changed; 1: nothing of it stays", low=0.01, high=1
    )
    repaint: str | None = option(
        None,
        "passage to make anew in the audio that a clip is made from, in seconds: 10:20; the rest stays",
        max_length=40,
    )

    def __post_init__(self) -> None:
        check(self)
        if self.repaint is not None:
            self.passage()

    def passage(self) -> tuple[float, float]:
        """The beginning and the end of the passage to make anew, in seconds.

        Raises:
            InvalidInput: they are not two times, the later one second.
        """
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*:\s*(\d+(?:\.\d+)?)\s*", self.repaint or "")
        if match is None or float(match[1]) >= float(match[2]):
            raise InvalidInput("repaint", self.repaint, "two times in seconds, the later one second, such as 10:20")
        return float(match[1]), float(match[2])


class StableAudioFacts(EngineFacts):
    """Facts for lists of engines and help."""

    name = "stable-audio"
    summary = "Stable Audio 3: 44.1 kHz stereo by a diffusion transformer (needs the extra 'ai' and a checkpoint)"
    load_options = StableAudioLoadOptions
    weights = "checkpoint"
    options = StableAudioOptions
    lighter = ({"steps": 6}, {"steps": 4})
    audio_prompts = ("continue_from", "source")

    @classmethod
    def kernels(cls) -> str:
        found = find_native()
        if FAST_LAYERS in found.layer_levels:
            return f"in bfloat16 on a CPU: native kernels, {FAST_LAYERS}; else torch kernels"
        return f"torch kernels ({found.problem or 'native ones gain where the CPU has AMX'})"
