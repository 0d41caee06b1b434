"""The music bus on its way to the full rate: filters, mono bass, width and twice the samples in one transform."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .....audio import Samples
from ..synthesis import MUSIC_RATE, Spectrum, noise, response, rise
from .filtering import block_size, lowpass_response, spectrum_of

BUS_HISTORY = 2048  # samples kept before a block; the high-pass has died away in fewer
LOOK = 64  # samples at the end of a block that wait for the next: the image filter looks ahead
_HIGHPASS_HZ, _MONO_BELOW_HZ = 28.0, 150.0
_AIR, _AIR_HZ = 3.5, 4000.0  # a shelf of 11 dB up to this; felt and pads would be dull without
_WIDTH, _WIDTH_S = 0.30, 0.024  # the middle answers in the sides: how loud, and for how long
_TOP_HZ, _END_HZ = 9300.0, 10900.0  # the image filter's band edge


@lru_cache(maxsize=6)
def _fixed(size: int) -> tuple[Spectrum, Spectrum, Spectrum]:
    """Responses of the middle, of the sides, and from the middle to the sides, except for the low-pass.

    The last is a short burst of noise: what comes from the middle alone gets as wide as in a small room, and a
    fold-down to mono takes it away again without a trace (Schroeder 1958, "An artificial stereophonic effect").
    """
    freqs = np.fft.rfftfreq(size, 1 / MUSIC_RATE).astype(np.float32)
    edge = np.clip((freqs - _TOP_HZ) / (_END_HZ - _TOP_HZ), 0, 1)
    image = np.cos(0.5 * np.pi * edge) ** 2
    air = np.sqrt((1 + (_AIR * freqs / _AIR_HZ) ** 2) / (1 + (freqs / _AIR_HZ) ** 2))
    middle = response(freqs, _HIGHPASS_HZ, kind="high") * image * air
    sides = middle * response(freqs, _MONO_BELOW_HZ, kind="high")
    burst = noise(round(_WIDTH_S * MUSIC_RATE), "width")
    burst *= np.exp(np.linspace(0.0, -3.0, len(burst), dtype=np.float32)) * rise(len(burst), 0.004)
    burst *= np.float32(_WIDTH) / np.sqrt(np.sum(np.square(burst)))
    across = sides * spectrum_of(burst, size)
    return middle.astype(np.complex64), sides.astype(np.complex64), across.astype(np.complex64)


def double(bus: Samples, history: Samples, old_hz: float, new_hz: float, ramp: Samples) -> tuple[Samples, Samples]:
    """(2, T) at MUSIC_RATE to (2, 2T) at twice that, ``LOOK`` samples late; with the next history."""
    frames = bus.shape[1]
    whole = np.concatenate([history, bus], axis=1)
    size = block_size(whole.shape[1] + LOOK)
    middle_gain, side_gain, across = _fixed(size)
    centre = spectrum_of(whole[0] + whole[1], size)
    middle = centre * middle_gain
    side = spectrum_of(whole[0] - whole[1], size) * side_gain + centre * across
    span = slice(2 * (BUS_HISTORY - LOOK), 2 * (BUS_HISTORY - LOOK + frames))
    old_hz, new_hz = round(old_hz / 20) * 20.0, round(new_hz / 20) * 20.0

    def back(spectrum: Spectrum, cutoff_hz: float) -> Samples:
        filtered = np.zeros(size + 1, np.complex64)
        response = lowpass_response(cutoff_hz, size)  # held by a name, as in `filtering.colour`
        filtered[: size // 2 + 1] = spectrum * response
        return np.fft.irfft(filtered, 2 * size)[span].astype(np.float32, copy=False)

    out = np.empty((2, 2 * frames), np.float32)
    out[0], out[1] = back(middle + side, new_hz), back(middle - side, new_hz)
    if old_hz != new_hz:
        fade = np.repeat(ramp, 2)
        out[0] += (back(middle + side, old_hz) - out[0]) * (1 - fade)
        out[1] += (back(middle - side, old_hz) - out[1]) * (1 - fade)
    # irfft of the doubled length halves the values: middle = L + R makes up for it exactly.
    return out, np.ascontiguousarray(whole[:, -BUS_HISTORY:])
