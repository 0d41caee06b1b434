"""Room and plate: two convolutions with decaying noise that darkens as it fades.

Both hear a mono send and answer in stereo; one transform of each send and one back for each ear.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .....audio import Samples
from ..synthesis import MUSIC_RATE, Spectrum, noise, shaped
from .filtering import block_size, spectrum_of

ROOM_S, PLATE_S = 0.55, 1.75
ROOM_HISTORY = round(ROOM_S * MUSIC_RATE)
PLATE_HISTORY = round(PLATE_S * MUSIC_RATE)


def _decaying(seconds: float, t60_s: tuple[float, float, float], pre_s: float, build_s: float, name: str) -> Samples:
    """(2, T) impulse response of unit energy: noise in three bands, each with a decay of its own."""
    frames = round(seconds * MUSIC_RATE)
    t = np.arange(frames, dtype=np.float32) / MUSIC_RATE
    ears = []
    common = noise(frames, name, "common")
    for ear in ("left", "right"):
        grain = 0.6 * common + 0.8 * noise(frames, name, ear)
        low = shaped(grain, low_hz=500.0, high_hz=110.0)
        middle = shaped(grain, low_hz=2200.0, high_hz=500.0)
        high = shaped(grain, low_hz=5200.0, high_hz=2200.0)
        wave = sum(
            gain * band * np.exp(-6.9 * t / t60)
            for gain, band, t60 in zip((0.9, 1.0, 0.55), (low, middle, high), t60_s, strict=True)
        )
        wave *= np.minimum(1.0, t / build_s)  # echoes come up, then die away
        wave *= np.clip((seconds - t) / (0.25 * seconds), 0.0, 1.0)  # ends in silence
        shift = round(pre_s * MUSIC_RATE)
        ears.append(np.concatenate([np.zeros(shift), wave[: frames - shift]]))
    both = np.asarray(ears)
    return np.asarray(both / np.sqrt(np.mean(np.sum(both**2, axis=1))), np.float32)


@lru_cache(maxsize=1)
def impulse_responses() -> tuple[Samples, Samples]:
    """Room and plate, each (2, T)."""
    return (
        _decaying(ROOM_S, (0.55, 0.50, 0.30), 0.006, 0.006, "room"),
        _decaying(PLATE_S, (1.9, 1.7, 0.9), 0.018, 0.03, "plate"),
    )


@lru_cache(maxsize=3)
def _spectra(size: int) -> tuple[Spectrum, ...]:
    room, plate = impulse_responses()
    return tuple(spectrum_of(ear, size) for ear in (*room, *plate))


def reverberate(
    room_send: Samples, plate_send: Samples, room_history: Samples, plate_history: Samples
) -> tuple[Samples, Samples, Samples]:
    """(2, T) of both, and the next histories (``ROOM_HISTORY`` and ``PLATE_HISTORY`` samples)."""
    frames = len(room_send)
    rooms = np.concatenate([room_history, room_send])
    plates = np.concatenate([plate_history, plate_send])
    size = block_size(len(plates) + 1)
    room_left, room_right, plate_left, plate_right = _spectra(size)
    room = spectrum_of(np.concatenate([np.zeros(len(plates) - len(rooms), np.float32), rooms]), size)
    plate = spectrum_of(plates, size)
    out = np.empty((2, frames), np.float32)
    span = slice(len(plates) - frames, len(plates))
    out[0] = np.fft.irfft(room * room_left + plate * plate_left, size)[span]
    out[1] = np.fft.irfft(room * room_right + plate * plate_right, size)[span]
    return out, rooms[-ROOM_HISTORY:].copy(), plates[-PLATE_HISTORY:].copy()
