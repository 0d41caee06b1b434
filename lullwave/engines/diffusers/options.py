"""Load options and stream options of the engine ``diffusers``. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

from ...device import DTYPES
from ...options import check, option
from ..base import EngineFacts, smaller_weights

DEFAULT_MODEL = "stabilityai/stable-audio-open-1.0"
OFFLOADS = ("auto", "none", "model", "sequential")


@dataclass(frozen=True)
class DiffusersLoadOptions:
    """How a pipeline is loaded."""

    model: str = option(
        DEFAULT_MODEL,
        "a directory in diffusers format with a model_index.json or modular_model_index.json, or a name on the hub",
        max_length=1000,
    )
    smaller: str = smaller_weights()
    device: str = option("auto", "torch device: auto, cpu, cuda, cuda:1, mps", max_length=20)
    dtype: str = option(
        "auto",
        "precision; auto is float16 on a GPU (bfloat16 for weights stored so) and float32 on a CPU, or bfloat16 where "
        "only that fits",
        choices=tuple(name for name in DTYPES if name != "int8"),
    )
    offload: str = option(
        "auto", "keep networks in the machine's memory until they are used; auto: if the GPU is small", choices=OFFLOADS
    )
    offline: bool = option(False, "never download; fail if the model is not installed")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class DiffusersOptions:
    """How each clip is made."""

    steps: int | None = option(None, "denoising steps; empty for the pipeline's default", low=1, high=1000)
    guidance: float | None = option(
        None, "how closely the prompt is followed; empty for the pipeline's default", low=0, high=100
    )
    clip_s: float | None = option(
        None, "length of one clip of an endless stream; empty for the model's own", low=1, high=600, unit="seconds"
    )
    crossfade_s: float = option(
        2.0, "how long one clip goes over into the next; at most a third of a clip", low=0, high=30, unit="seconds"
    )
    extra: str = option(
        "", "further arguments of the pipeline, such as bpm=80, lyrics=la la; separated by commas", max_length=4000
    )

    def __post_init__(self) -> None:
        check(self)


class DiffusersFacts(EngineFacts):
    """Description of the engine for lists."""

    name = "diffusers"
    summary = "any text-to-audio pipeline of diffusers, as clips and as stations of clips (needs the extra 'ai')"
    load_options = DiffusersLoadOptions
    weights = "model"
    options = DiffusersOptions
    lighter = ({"steps": 25}, {"steps": 8})
