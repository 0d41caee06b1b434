"""Fixtures for stations: clips to fall back on, and a playout that neither masters nor encodes."""

from __future__ import annotations

import numpy as np
import pytest
from faulty_station import CLIP_HZ

from lullwave.archive.clips import ClipInfo, ClipStore
from lullwave.audio import Audio
from lullwave.codecs import Mp3Encoder, encode, mp3_frames
from lullwave.station import RATE, playout

MP3_FRAME = 1152


class NoMaster:
    latency_frames = 0

    def __init__(self, *levels: object) -> None: ...

    def process(self, audio: Audio) -> Audio:
        return audio

    def state(self) -> bytes:
        return b""


class NoEncoder:
    """Gives as many frames of silence as it is given sound for."""

    delay_frames = Mp3Encoder.delay_frames

    def __init__(self, rate: int, channels: int, kbps: int) -> None:
        encoder = Mp3Encoder(rate, channels, kbps)
        self._frame = mp3_frames(encoder.encode(Audio.silence(8 * MP3_FRAME, rate, channels)) + encoder.flush())[-1]
        self.frames_out = 0

    def encode(self, audio: Audio) -> bytes:
        count = audio.frames // MP3_FRAME
        self.frames_out += count
        return count * self._frame


@pytest.fixture
def bare_playout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Playout without master and encoder, which take most of a simulated hour; what leaves the reserve is the same."""
    monkeypatch.setattr(playout, "Master", NoMaster)
    monkeypatch.setattr(playout, "Mp3Encoder", NoEncoder)


@pytest.fixture
def clips(tmp_path):
    """A store of three clips of 32 s: tones with beats."""
    store = ClipStore(tmp_path / "clips", 10, 1e9)
    for n in range(3):
        t = np.arange(32 * RATE) / RATE
        wave = ((0.1 + 0.001 * n) * np.sin(2 * np.pi * CLIP_HZ * t)).astype(np.float32)
        sound = Audio(np.stack([wave, wave], axis=1), RATE).fade(1.0, 1.0)
        about = {"title": f"Clip {n}", "tempo_bpm": 120.0, "key": "A minor"}
        store.add(encode(sound, "mp3", 192), ClipInfo(about, tuple(range(0, 32 * RATE, RATE // 2))))
    return store
