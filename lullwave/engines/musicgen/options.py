"""What MusicGen says of itself, how it is loaded and what a request may set; the one definition of every default.

Imports nothing heavy, so that lists and help are quick.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...device import DTYPES
from ...options import check, option
from ..base import EngineFacts, smaller_weights


@dataclass(frozen=True)
class LoadOptions:
    """Which checkpoint, and how it runs."""

    model: str = option(
        "facebook/musicgen-small", "checkpoint: a directory, or a name on the Hugging Face hub", max_length=1000
    )
    smaller: str = smaller_weights()
    device: str = option("auto", "torch device: auto, cpu, cuda, cuda:1, mps", max_length=20)
    dtype: str = option("auto", "precision of the weights; auto is int8 on a CPU and bfloat16 on a GPU", choices=DTYPES)
    max_songs: int | None = option(None, "songs that play at once; nothing: 4 on a CPU, 16 on a GPU", low=1, high=512)
    threads: int | None = option(None, "CPU threads; nothing leaves it to torch", low=1, high=256)
    deterministic: bool = option(
        False, "on a GPU: always compute all slots, so that a song is the same in any company (slower)"
    )
    offline: bool = option(False, "never download; a model that is not installed is an error")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class MusicOptions:
    """How tokens are drawn."""

    guidance: float = option(
        3.0, "how closely to follow the prompt; 1 is without guidance, at half the work", low=1, high=20
    )
    temperature: float = option(1.0, "how daring the choice is; 0 always takes the likeliest token", low=0, high=3)
    top_k: int = option(250, "draw from this many of the likeliest tokens; 0 is all", low=0, high=2048)
    top_p: float = option(
        1.0, "draw from the likeliest tokens that hold this share of the probability", low=0.01, high=1
    )

    window_s: float = option(
        30.0,
        "how much of its own past the model sees: 30 is what it was trained on, less is quicker and forgets sooner",
        low=5,
        high=30,
        unit="seconds",
    )

    def __post_init__(self) -> None:
        check(self)


class MusicGenFacts(EngineFacts):
    """MusicGen in a list of engines."""

    name = "musicgen"
    summary = "MusicGen: music from text, by a transformer over audio codes (needs the extra 'ai' and a checkpoint)"
    load_options = LoadOptions
    weights = "model"
    options = MusicOptions
    lighter = ({"window_s": 10.0}, {"guidance": 1.0})
    audio_prompts = ("continue_from", "melody")
