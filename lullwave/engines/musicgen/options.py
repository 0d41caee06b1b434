"""Options and description of the MusicGen engine, the only definition of its defaults; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from ...device import DTYPES
from ...options import check, option
from ..base import EngineFacts, smaller_weights
from ..native_package import BACKENDS, find_native


@dataclass(frozen=True)
class LoadOptions:
    """How a checkpoint is loaded."""

    model: str = option(
        "facebook/musicgen-small", "checkpoint: a directory, or a name on the Hugging Face hub", max_length=1000
    )
    smaller: str = smaller_weights()
    device: str = option("auto", "torch device: auto, cpu, cuda, cuda:1, mps", max_length=20)
    dtype: str = option(
        "auto",
        "precision of the weights; auto is int8 on a CPU and bfloat16 on a GPU; int4 needs lullwave-native on a CPU: "
        "faster, at a larger error",
        choices=(*DTYPES, "int4"),
    )
    max_songs: int | None = option(None, "songs that play at once; empty: 4 on a CPU, 16 on a GPU", low=1, high=512)
    threads: int | None = option(
        None, "CPU threads; empty: 2 for native kernels, else as torch chooses", low=1, high=256
    )
    backend: str = option(
        "auto",
        "kernels of the decoder; auto: those of lullwave-native on a CPU and of Triton on CUDA where they are "
        "installed, else torch's",
        choices=BACKENDS,
    )
    pin_threads: bool = option(False, "with native kernels: keep their threads on one core each")
    kv_dtype: str = option(
        "auto",
        "precision of the keys and values of what was played; auto: with native kernels int4 where the weights "
        "have 4 bits, else int8; without them float; int8: half of 16 bits in memory and to read, at a small error; "
        "int4: a quarter, at a larger error, needs lullwave-native on a CPU; float: 16 bits with native kernels, else "
        "as the states",
        choices=("auto", "int8", "int4", "float"),
    )
    deterministic: bool = option(
        False, "on a GPU: always compute all slots, so that a song does not depend on others (slower)"
    )
    offline: bool = option(False, "never download; fail if the model is not installed")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class MusicOptions:
    """How tokens are sampled."""

    guidance: float = option(
        3.0, "how closely to follow the prompt; 1: no guidance, half the computation", low=1, high=20
    )
    temperature: float = option(1.0, "randomness of the choice; 0 always takes the most likely token", low=0, high=3)
    top_k: int = option(250, "sample from this many of the most likely tokens; 0: from all", low=0, high=2048)
    top_p: float = option(
        1.0, "sample from the most likely tokens that hold this share of the probability", low=0.01, high=1
    )

    window_s: float = option(
        30.0,
        "how much of the song the model sees: it was trained on 30; less is faster and forgets sooner",
        low=5,
        high=30,
        unit="seconds",
    )
    overlap_s: float | None = option(
        None,
        "how much of it the next window begins with, half of it at most: less is faster and remembers less; empty: two "
        "fifths of window_s, as published, and on a CPU a fifth",
        low=1,
        high=15,
        unit="seconds",
    )

    def __post_init__(self) -> None:
        check(self)


class MusicGenFacts(EngineFacts):
    """Description of the engine for lists."""

    name = "musicgen"
    summary = "MusicGen: music from text, by a transformer over audio codes (needs the extra 'ai' and a checkpoint)"
    load_options = LoadOptions
    weights = "model"
    options = MusicOptions
    lighter = ({"window_s": 10.0}, {"guidance": 1.0})
    audio_prompts = ("continue_from", "melody")

    @classmethod
    def kernels(cls) -> str:
        return f"on a CPU: {find_native()}; on CUDA: {'Triton' if find_spec('triton') else 'torch'} kernels"
