"""Checks an installed model: against the library that defines it, by a short clip, and for speed and memory."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..audio import Audio
from ..checkpoints import MODULAR_INDEX
from ..engines.base import Engine
from ..engines.comparison import Comparison
from ..errors import EngineError, InvalidInput
from ..request import Request

PROMPT = "calm piano over soft drums"
LEAST_COSINE = 0.98  # of 8-bit weights; float32 is above 0.9999
SILENT_DBFS = -60.0  # a block below it is silent
BLOCK_S = 0.1
CLIPPED = 0.999  # samples at or above it are clipped
MOST_CLIPPED = 0.01
MOST_SILENT = 0.5


@dataclass(frozen=True)
class ModelCheck:
    """What was found."""

    engine: str
    comparison: Comparison | None  # None: see ``why_not_compared``
    why_not_compared: str
    seconds: float  # of the clip
    level_dbfs: float
    peak: float
    silent_share: float  # of blocks of ``BLOCK_S``
    clipped_share: float  # of samples
    speed: float  # times real time
    memory_gb: float  # at the peak, of the process or the GPU
    faults: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """One line."""
        if self.faults:
            return "not good: " + "; ".join(self.faults)
        compared = f"cosine {self.comparison.cosine:.5f} to the reference" if self.comparison else "not compared"
        return f"good: {compared}, {self.level_dbfs:.0f} dBFS, {self.speed:.2g}x real time, {self.memory_gb:.1f} GB"

    def data(self) -> dict[str, Any]:
        """As JSON data, with the verdict."""
        return {**asdict(self), "good": not self.faults, "verdict": self.verdict}


def engine_of(model: Path) -> str:
    """The engine that plays the weights in a directory.

    Raises:
        InvalidInput: none of the engines with weights does.
    """
    try:
        if (model / "model_index.json").is_file():
            kind = str(json.loads((model / "model_index.json").read_text())["_class_name"])
            if kind.startswith("StableDiffusion"):
                return "riffusion"
            return "stable-audio" if kind.startswith("StableAudio3") else "diffusers"
        if (model / MODULAR_INDEX).is_file():
            return "diffusers"
        if str(json.loads((model / "config.json").read_text())["model_type"]).startswith("musicgen"):
            return "musicgen"
    except (OSError, ValueError, LookupError, TypeError):
        pass
    raise InvalidInput("model", str(model), "weights of MusicGen, Riffusion or a pipeline of diffusers (or --engine)")


def check(engine: Engine, seconds: float) -> ModelCheck:
    """Make a clip of ``seconds`` and judge it, then compare ``engine`` with its reference, which takes memory too."""
    with engine.stream(Request(PROMPT, 1, seconds)) as stream:
        began = time.perf_counter()
        clip = stream.read(round(seconds * stream.rate))
        took_s = time.perf_counter() - began
    memory_gb = _peak_gb(engine)
    comparison, why = None, ""
    try:
        comparison = engine.compare_with_reference()
    except EngineError as error:
        why = str(error)
    return judge(engine.name, comparison, why, clip, took_s, memory_gb)


def judge(
    engine: str, comparison: Comparison | None, why_not: str, clip: Audio, took_s: float, memory_gb: float
) -> ModelCheck:
    """Find the faults of a clip that took ``took_s`` seconds to make, and of a comparison."""
    faults: list[str] = []
    samples = clip.samples
    if not np.isfinite(samples).all():
        faults.append("the clip has values that are no numbers")
        samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    size = max(1, round(BLOCK_S * clip.rate))
    blocks = [samples[at : at + size] for at in range(0, len(samples), size)]
    levels = [float(np.sqrt(np.mean(np.square(block, dtype=np.float64)))) for block in blocks]
    silent = float(np.mean([_dbfs(level) < SILENT_DBFS for level in levels]))
    clipped = float(np.mean(np.abs(samples) >= CLIPPED))
    if silent > MOST_SILENT:
        faults.append(f"{silent:.0%} of the clip is silent")
    if clipped > MOST_CLIPPED:
        faults.append(f"{clipped:.1%} of the samples are clipped")
    if comparison is not None and not comparison.cosine >= LEAST_COSINE:
        faults.append(f"{comparison.what} differ from the reference (cosine {comparison.cosine:.4f})")
    level = _dbfs(float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))))
    return ModelCheck(
        engine,
        comparison,
        why_not,
        clip.duration_s,
        round(level, 1),
        round(float(np.abs(samples).max(initial=0.0)), 4),
        silent,
        clipped,
        clip.duration_s / max(took_s, 1e-9),
        memory_gb,
        tuple(faults),
    )


def _dbfs(level: float) -> float:
    return float(20.0 * np.log10(max(level, 1e-9)))


def _peak_gb(engine: Engine) -> float:
    """The most memory in GB that the process took, or the GPU that the engine uses."""
    torch = sys.modules.get("torch")
    if torch is not None and str(getattr(engine, "device", "cpu")).startswith("cuda"):
        return float(torch.cuda.max_memory_allocated(str(getattr(engine, "device", "cuda"))) / 1e9)
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return float("nan")
    scale = 1.0 if sys.platform == "darwin" else 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e9
