"""Measures the inversion of a batch of clips in torch, as a multiple of real time, on CUDA if available."""

from __future__ import annotations

import time
from typing import Any

from ..measure import median, wait_until_quiet

CLIPS = 64
COLUMNS = 512
RATE = 44100


def row(repeats: int) -> dict[str, Any]:
    """Invert the batch with ``invert_all`` at the default quality; the row names the device."""
    import torch

    from lullwave.spectrogram import QUALITIES, Spectrogram, SpectrogramParams
    from lullwave.spectrogram.torch_backend import invert_all

    device = "cuda" if torch.cuda.is_available() else "cpu"
    params = SpectrogramParams()
    clips = [Spectrogram.from_audio(clip(number), params) for number in range(CLIPS)]
    wait_until_quiet()
    seconds = []
    for turn in range(1 + repeats):
        began = time.perf_counter()
        made = invert_all(clips, QUALITIES["fast"], device)  # the result is on the CPU, so the device has finished
        if turn:
            seconds.append(time.perf_counter() - began)
    taken = median(seconds)
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    whole_s = sum(one.duration_s for one in made)
    return {"device": name, "clips": CLIPS, "quality": "fast", "ms": 1000 * taken, "times real time": whole_s / taken}


def clip(number: int) -> Any:
    """Plucked chords over noise; root and rhythm depend on the number."""
    import numpy as np

    from lullwave import Audio

    t = np.arange((COLUMNS - 1) * RATE // 100) / RATE
    rng = np.random.default_rng(number)
    since = t % (0.3 + 0.01 * number)
    sound = 0.002 * rng.standard_normal(len(t))
    for part in range(1, 9):
        for ratio in (1.0, 1.25, 1.5):
            wave = np.sin(2 * np.pi * (80 + 2 * number) * ratio * part * t)
            sound += 0.05 / part * wave * np.exp(-since * (2 + part))
    return Audio.of(sound, RATE)
