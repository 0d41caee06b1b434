"""Readings of clips for ``bench.embedded.sound``, each made in a separate process and cached until the code changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.embedded import sound_renders as renders
from bench.embedded.ears import figures
from bench.embedded.taggers import Tagger

IMPULSE_S = 0.01  # seconds; a pop of crackle is shorter
_READ_BY = ("sound_readings.py", "ears.py", "taggers.py", "estimators.py", "sound_renders.py")  # code behind readings


def read_clip(prompt: str, seed: int, seconds: float) -> dict[str, Any]:
    """Figures, clicks, tags of both taggers and the hidden layer of the first."""
    samples, rate = renders.clip(prompt, seed, seconds)
    mono = samples.mean(axis=1)
    first, second = _tagger("mtt").read(mono, rate), _tagger("msd").read(mono, rate)
    return {
        "figures": figures(samples, rate) | {"clicks": impulses(samples, rate)},
        "tags": first.tags,
        "second": second.tags,
        "hidden": [round(float(x), 5) for x in first.hidden],
    }


def read_tags(prompt: str, seed: int, seconds: float) -> dict[str, float]:
    """The first tagger's tags of a clip."""
    samples, rate = renders.clip(prompt, seed, seconds)
    return _tagger("mtt").read(samples.mean(axis=1), rate).tags


def read_solos(instrument: str) -> list[dict[str, float]]:
    """The first tagger's tags of each solo phrase of an instrument."""
    return [_tagger("mtt").read(samples.mean(axis=1), rate).tags for samples, rate in renders.solos(instrument)]


def read_clicks(prompt: str, seed: int, seconds: float) -> float:
    """The impulses of a clip."""
    return impulses(*renders.clip(prompt, seed, seconds))


def impulses(samples: Any, rate: int) -> float:
    """The clicks of ``bench.embedded.estimators``; clicks within ``IMPULSE_S`` of one another count once."""
    from bench.embedded import estimators

    times = np.array(estimators.clicks(samples, rate))
    return float(len(times) and 1 + np.count_nonzero(np.diff(times) > IMPULSE_S))


def kept(read: Callable[..., Any], *arguments: Any) -> Any:
    """``read(*arguments)``, from the cache if the same code made it before."""
    code = "".join((Path(__file__).parent / name).read_text() for name in _READ_BY)
    path = renders.cached(read.__name__, arguments, code, ending=".json")
    if not path.exists():
        path.write_text(json.dumps(read(*arguments)))
    return json.loads(path.read_text())


@lru_cache(maxsize=2)
def _tagger(model: str) -> Tagger:
    import torch

    torch.set_num_threads(1)
    return Tagger(model)
