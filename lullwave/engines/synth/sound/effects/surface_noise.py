"""Vinyl crackle and tape hiss: endless, addressed by position, never twice the same second; (2, T) at the full rate."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .....audio import Samples
from ...score import RATE
from ..synthesis import generator

_POP_S = 0.008  # the longest pop of crackle
_LOOP = 1 << 18  # frames of a noise loop; both ears read it, far apart


@lru_cache(maxsize=10)
def noise_loop(name: str, corners: tuple[tuple[float, float], ...]) -> Samples:
    """Periodic Gaussian noise of unit power whose level in dB runs in straight lines through ``corners`` (Hz, dB).

    Lines on a logarithmic frequency axis. Made as a spectrum of random phases, so that its end meets its start.
    """
    freqs = np.fft.rfftfreq(_LOOP, 1 / RATE)
    hz, level_db = np.log(np.array([c[0] for c in corners])), np.array([c[1] for c in corners])
    gains = 10 ** (np.interp(np.log(np.maximum(freqs, 1.0)), hz, level_db) / 20)
    gains /= np.sqrt(1 + (freqs / 12500.0) ** 8)  # air, but nothing near the end of hearing
    draw = generator("loop", name)
    spectrum = gains * (draw.standard_normal(len(freqs)) + 1j * draw.standard_normal(len(freqs)))
    spectrum[0] = spectrum[-1] = 0
    loop = np.fft.irfft(spectrum, _LOOP)
    return np.asarray(loop / np.sqrt(np.mean(loop**2)), np.float32)


def looped(loop: Samples, start: int, frames: int) -> Samples:
    """``frames`` of a periodic sound from absolute frame ``start`` (may be negative)."""
    begin = start % len(loop)
    if begin + frames <= len(loop):
        return loop[begin : begin + frames]
    return np.concatenate([loop[begin:], np.resize(loop, begin + frames - len(loop))])


def hiss(start: int, frames: int) -> Samples:
    """Tape hiss of unit power a channel, a little stereo."""
    loop = noise_loop(
        "hiss", ((60, -18), (400, -6), (2500, 0), (7000, 0), (8500, -3), (10000, -30), (11000, -70), (20000, -90))
    )
    common = looped(loop, start, frames)
    out = np.empty((2, frames), np.float32)
    for ear, shift in enumerate((88211, 171103)):
        out[ear] = 0.7 * common + 0.714 * looped(loop, start + shift, frames)
    return out


def crackle(start: int, frames: int, seed: int) -> Samples:
    """Pops of dust on a record; a typical one peaks at 0 dB.

    Each is a few waves of 700 to 2600 Hz under a rise and a fall of a few milliseconds: soft grains in a band of their
    own, and nothing that a listener could take for a broken sample.
    """
    out = np.zeros((2, frames), np.float32)
    longest = round(_POP_S * RATE)
    t = np.arange(longest, dtype=np.float32)
    for second in range((start - longest) // RATE, (start + frames) // RATE + 1):
        draw = generator("crackle", seed, second)
        busy = 1.5 + 3.0 * (0.5 + 0.5 * np.sin(second * 0.37 + seed % 7))
        loud, dust = int(draw.poisson(busy)), int(draw.poisson(9.0))
        count = loud + dust
        at = second * RATE + draw.integers(0, RATE, count)
        level = np.exp(0.4 * draw.standard_normal(count)) * np.where(np.arange(count) < loud, 1.0, 0.25)
        level = np.minimum(level, 2.0)
        hz = np.exp(draw.uniform(np.log(700.0), np.log(2600.0), count))
        waves = draw.uniform(4.0, 8.0, count)
        side = draw.uniform(-0.5, 0.5, count)
        lengths = np.minimum(longest, np.rint(waves * RATE / hz)).astype(np.int64)
        age = np.minimum((t + np.float32(0.5)) / lengths[:, None].astype(np.float32), np.float32(1.0))
        pops = np.sin(t * (2 * np.pi / RATE * hz)[:, None].astype(np.float32))
        pops *= np.sin(np.float32(np.pi) * np.sqrt(age)) ** 2 * level[:, None].astype(np.float32)
        for n in np.argsort(at, kind="stable"):
            begin = int(at[n]) - start
            low, high = max(0, begin), min(frames, begin + int(lengths[n]))
            if low >= high:
                continue
            cut = pops[n, low - begin : high - begin]
            out[0, low:high] += cut * np.float32(1 - side[n])
            out[1, low:high] += cut * np.float32(1 + side[n])
    return out
