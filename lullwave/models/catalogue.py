"""Published models that the engines play: what each is good at, sizes, licence. Loads nothing and asks nobody.

Sizes follow from the numbers of parameters: on disk as published, in memory at the engine's default precision on a CPU.
The computing work of a second of sound is an estimate from the architecture at the engine's default options.
"""

from __future__ import annotations

from dataclasses import dataclass

NON_COMMERCIAL = "free for research and private use; no commercial use"
OPENRAIL = "free, also for commercial use, with rules against harmful use"
PERMISSIVE = "free, also for commercial use"
STABILITY = "free for research, and for commercial use by businesses under 1 million US$ of revenue a year"
MINIMAX = (
    "free, also for commercial use in products that show the name MiniMax-Music3, with rules against harmful use; "
    "with MiniMax's permission above 20 million US$ of revenue a year"
)
STABILITY_GEMMA = f"{STABILITY}; the text encoder under the Gemma terms of use"


@dataclass(frozen=True)
class Model:
    """A published model."""

    name: str  # on the Hugging Face hub
    engine: str
    good_at: str
    rate: int  # Hz
    channels: int
    parameters: float  # of all networks, in millions
    disk_bytes: float  # of a parameter, as published
    memory_bytes: float  # of a parameter, as the engine loads it on a CPU
    licence: str  # as the hub names it
    terms: str  # the licence in plain words
    gated: bool  # whether its terms must be accepted on the hub
    work_gflop: float  # for a second of sound
    traffic_gb: float = 0.0  # weights that are read for a second of sound, where that limits the speed

    @property
    def disk_gb(self) -> float:
        """Size on disk in GB."""
        return self.parameters * self.disk_bytes / 1000.0

    @property
    def memory_gb(self) -> float:
        """Size of the weights in memory in GB."""
        return self.parameters * self.memory_bytes / 1000.0


def _musicgen(name: str, good_at: str, decoder: float, channels: int, rest: float = 169.0) -> Model:
    """A MusicGen model whose decoder has ``decoder`` million parameters: 50 steps a second, two rows for guidance."""
    work = 50 * 2 * 2 * decoder / 1000.0
    return Model(
        f"facebook/{name}", "musicgen", good_at, 32000, channels, decoder + rest, 4, 1.6, "cc-by-nc-4.0",
        NON_COMMERCIAL, False, work, 50 * decoder / 1000.0,
    )  # fmt: skip


CATALOGUE = (
    _musicgen("musicgen-small", "loops and beats of all styles; the fastest MusicGen", 420, 1),
    _musicgen("musicgen-medium", "as small, with better structure", 1840, 1),
    _musicgen("musicgen-large", "the best MusicGen; wants a GPU", 3250, 1),
    _musicgen("musicgen-melody", "follows the tune of a recording (--melody)", 1840, 1),
    _musicgen("musicgen-stereo-small", "as small, in stereo", 425, 2),
    _musicgen("musicgen-stereo-medium", "as medium, in stereo", 1850, 2),
    _musicgen("musicgen-stereo-large", "as large, in stereo", 3260, 2),
    Model(
        "riffusion/riffusion-model-v1", "riffusion", "short loops on a steady beat, morphing between styles", 44100, 1,
        1066, 4, 2, "creativeml-openrail-m", OPENRAIL, False, 0.75 * 20 * 2 * 680 / 5.12,
    ),
    Model(
        "stabilityai/stable-audio-3-small-music", "stable-audio", "endless instrumental music in stereo on a CPU",
        44100, 2, 830, 4, 2, "stable-audio-community", STABILITY_GEMMA, True, 100,
    ),
    Model(
        "stabilityai/stable-audio-3-medium", "stable-audio", "as small-music, with better structure; wants a GPU",
        44100, 2, 2530, 4, 2, "stable-audio-community", STABILITY_GEMMA, True, 8 * 2 * 1.4 * 10.8 + 100,
    ),
    Model(
        "stabilityai/stable-audio-open-1.0", "diffusers", "sound effects, ambience and loops; slow without a GPU",
        44100, 2, 1320, 4, 4, "stable-audio-community", STABILITY, True, 100 * 2 * 2 * 1.06 * 21.5,
    ),
    Model(
        "ACE-Step/acestep-v15-xl-turbo-diffusers", "diffusers", "whole pieces of up to ten minutes; wants a GPU",
        48000, 2, 5400, 2, 4, "mit", PERMISSIVE, False, 8 * 2 * 4.7 * 12.5,
    ),
    Model(  # the language model is read 25 times a second of sound; a window of 689 latents begins every 4 s
        "MiniMaxAI/MiniMax-Music3", "diffusers", "whole songs with lyrics; wants a GPU with 24 GB or more",
        44100, 2, 11740, 2.43, 4, "minimax-music3-community-license", MINIMAX, False,
        30 * 2 * 2 * 2.43 * 689 / 4 + 25 * 2 * 2 * 8.6, 25 * (17.2 + 7 * 0.8),
    ),
    Model(
        "cvssp/audioldm2-music", "diffusers", "sketches of music in mono at 16 kHz; slow without a GPU",
        16000, 1, 1100, 4, 4, "cc-by-nc-sa-4.0", NON_COMMERCIAL, False, 200 * 2 * 280 / 10.24,
    ),
)  # fmt: skip


def known(name: str) -> Model | None:
    """The model of that name on the hub."""
    return next((model for model in CATALOGUE if model.name == name), None)
