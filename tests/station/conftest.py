"""Clips that stations fall back on."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from faulty_station import CLIP_HZ

from lullwave.archive.clips import ClipInfo, ClipStore
from lullwave.audio import Audio
from lullwave.codecs import encode
from lullwave.station import RATE


@cache
def encoded() -> tuple[bytes, ...]:
    """Three clips of 32 s as MP3."""
    made = []
    for n in range(3):
        t = np.arange(32 * RATE) / RATE
        wave = ((0.1 + 0.001 * n) * np.sin(2 * np.pi * CLIP_HZ * t)).astype(np.float32)
        sound = Audio(np.stack([wave, wave], axis=1), RATE).fade(1.0, 1.0)
        made.append(encode(sound, "mp3", 192))
    return tuple(made)


@pytest.fixture
def clips(tmp_path):
    """A store of three clips of 32 s: tones with beats."""
    store = ClipStore(tmp_path / "clips", 10, 1e9)
    for n, data in enumerate(encoded()):
        about = {"title": f"Clip {n}", "tempo_bpm": 120.0, "key": "A minor"}
        store.add(data, ClipInfo(about, tuple(range(0, 32 * RATE, RATE // 2))))
    return store
