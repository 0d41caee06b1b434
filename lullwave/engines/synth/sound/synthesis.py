"""Building blocks of instruments: decaying modes, cycles, noise, envelopes and filters of whole notes.

Every function is pure and gives mono float32 at ``MUSIC_RATE``. The music is synthesised at half the output
rate: lo-fi lives below 10 kHz, and what is saturated later is then oversampled.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ....audio import Samples
from ....mastering.biquads import BlockFilter, StateSpace

MUSIC_RATE = 22050  # Hz, of notes, hits and the buses of the music
_ROW = 128  # samples of a row in `modes`
_PRODUCT = 1 << 18  # multiplications in one of its products of matrices; OpenBLAS starts threads above
_BEND_STEP = 32  # samples between the values of a vibrato
STRETCH = 8192  # samples that are worked on at once: they stay in the processor's cache

Spectrum = npt.NDArray[np.complex64]


def hertz(pitch: float) -> float:
    """Frequency of a MIDI pitch, A4 (69) at 440 Hz."""
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def generator(*key: object) -> np.random.Generator:
    """Random numbers that depend on ``key`` alone: the same in every process."""
    return np.random.Generator(np.random.PCG64(zlib.crc32(repr(key).encode())))


def modes(
    frames: int,
    freqs_hz: npt.ArrayLike,
    amps: npt.ArrayLike,
    t60_s: npt.ArrayLike,
    phases: npt.ArrayLike = 0.0,
    rate: int = MUSIC_RATE,
) -> Samples:
    """The sum of exponentially decaying sines; modes above 45 % of ``rate`` are left out.

    A mode is a geometric sequence, so that T samples are an outer product of T/128 row starts with 128 steps. The
    products are so small that BLAS never divides them among threads, which would give other last bits.
    """
    freqs, amp, t60, phase = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(a, np.float64)) for a in (freqs_hz, amps, t60_s, phases))
    )
    keep = (freqs < 0.45 * rate) & (amp != 0.0)
    if not keep.any():
        return np.zeros(frames, np.float32)
    freqs, amp, t60, phase = freqs[keep], amp[keep], t60[keep], phase[keep]
    step = (2j * np.pi * freqs - np.log(1000.0) / t60) / rate
    rows = -(-frames // _ROW)
    products = -(-rows // max(2, _PRODUCT // (2 * _ROW * len(step))))
    some = max(2, -(-rows // products))  # rows of a product; one alone would be another routine's
    heads = _powers(np.exp(_ROW * step), products * some) * (amp * np.exp(1j * phase))
    steps = _powers(np.exp(step), _ROW).T
    left = np.concatenate([heads.imag, heads.real], axis=1).astype(np.float32)
    right = np.concatenate([steps.real, steps.imag]).astype(np.float32)
    return np.ascontiguousarray((left.reshape(products, some, -1) @ right).reshape(-1)[:frames])


def _powers(base: npt.NDArray[np.complex128], count: int) -> npt.NDArray[np.complex128]:
    """(``count``, N): the powers 0, 1, 2, … of N numbers."""
    out = np.broadcast_to(base, (count, len(base))).copy()
    out[0] = 1.0
    return np.multiply.accumulate(out, axis=0)


def bloom(
    frames: int,
    freqs_hz: npt.NDArray[np.float64],
    amps: npt.NDArray[np.float64],
    t60_s: npt.NDArray[np.float64],
    phases: npt.NDArray[np.float64],
    low_s: float,
    high_s: float,
    power: int = 1,
) -> Samples:
    """``modes`` that begin softly: those below 1 kHz rise in ``low_s``, the bright ones take ``high_s``.

    With a ``power`` of 2 they begin unheard and rise faster later, as what is plucked out of silence must.
    """
    low = freqs_hz < 1000.0
    out = modes(frames, freqs_hz[low], amps[low], t60_s[low], phases[low]) * rise(frames, low_s) ** power
    return out + modes(frames, freqs_hz[~low], amps[~low], t60_s[~low], phases[~low]) * rise(frames, high_s) ** power


def phase_of(
    freq_hz: npt.ArrayLike, frames: int, start: float = 0.0, rate: int = MUSIC_RATE
) -> npt.NDArray[np.float64]:
    """Cycles (not radians) of an oscillator of constant or per-sample frequency, beginning at ``start``."""
    freq = np.asarray(freq_hz, np.float64)
    if freq.ndim == 0:
        return np.asarray(start + np.arange(frames) * (float(freq) / rate), np.float64)
    out = np.cumsum(freq[:frames] / rate)
    return np.asarray(out + (start - out[0]), np.float64)


def sine(cycles: npt.NDArray[np.float64]) -> Samples:
    """sin of whole cycles, exact also after many of them."""
    return np.asarray(np.sin(((cycles - np.rint(cycles)) * (2 * np.pi)).astype(np.float32)), np.float32)


def cycle(amps: npt.ArrayLike, size: int = 2048, turned: bool = False) -> Samples:
    """One period with the given amplitudes of harmonics 1, 2, …, as sines, for ``play_cycle``.

    ``turned`` gives them phases that grow with the square of their number, so that the wave has no edge
    (Schroeder 1970, "Synthesis of low-peak-factor signals").
    """
    harmonics = np.asarray(amps, np.float64)
    spectrum = np.zeros(size // 2 + 1, np.complex128)
    n = np.arange(1, len(harmonics) + 1)
    phases = np.exp(-1j * np.pi * n * n / len(harmonics)) if turned else 1.0
    spectrum[1 : len(harmonics) + 1] = -0.5j * size * harmonics * phases
    table = np.fft.irfft(spectrum, size)
    return np.append(table, table[0]).astype(np.float32)


def play_cycle(table: Samples, cycles: npt.NDArray[np.float64]) -> Samples:
    """Read a periodic table with linear interpolation."""
    (out,) = play_cycles(table[None], cycles)
    return np.asarray(out)


def play_cycles(tables: Samples, cycles: npt.NDArray[np.float64]) -> Samples:
    """(N, T): several periodic tables (N, size + 1), read by one phase with linear interpolation."""
    size = tables.shape[1] - 1
    out = np.empty((len(tables), len(cycles)), np.float32)
    for begin in range(0, len(cycles), STRETCH):
        place = cycles[begin : begin + STRETCH]
        place = (place - np.floor(place)) * size
        whole = np.minimum(place.astype(np.intp), size - 1)
        part = (place - whole).astype(np.float32)
        for line, table in zip(out[:, begin : begin + STRETCH], tables, strict=True):
            low = table.take(whole, mode="clip")  # in range anyway; "raise", the default, is slower
            np.subtract(table[1:].take(whole, mode="clip"), low, out=line)
            line *= part
            line += low
    return out


def cycles_a_sample(pitch_hz: float, rate: int = MUSIC_RATE) -> float:
    """By how much the phase of a voice of ``play_voices`` grows, in whole steps of 2**-32."""
    return round(pitch_hz / rate * 2**32) / 2**32


def play_voices(tables: Samples, voices: Sequence[tuple[float, float]], frames: int, rate: int = MUSIC_RATE) -> Samples:
    """(N, T): several periodic tables (N, size + 1), each read by all voices and summed over them.

    A voice is its steady pitch in Hz and where in its cycle it starts; ``size`` is a power of two. Phases are 32-bit
    integers, which wrap by themselves. Worked off in stretches that stay in the processor's cache.
    """
    size = tables.shape[1] - 1
    shift = 32 - (size.bit_length() - 1)
    out = np.zeros((len(tables), frames), np.float32)
    count = np.arange(min(frames, STRETCH), dtype=np.uint32)
    for begin in range(0, frames, STRETCH):
        span = out[:, begin : begin + STRETCH]
        for pitch_hz, start in voices:
            step = round(cycles_a_sample(pitch_hz, rate) * 2**32)
            phase = count[: span.shape[1]] * np.uint32(step)
            phase += np.uint32((round(start * 2**32) + begin * step) % 2**32)
            whole = (phase >> np.uint32(shift)).astype(np.intp)
            phase &= np.uint32(2**shift - 1)
            part = phase.astype(np.float32)
            part *= np.float32(2.0**-shift)
            for line, table in zip(span, tables, strict=True):
                low, high = table.take(whole, mode="clip"), table[1:].take(whole, mode="clip")
                high -= low
                high *= part
                line += low
                line += high
    return out


def wavering(
    frames: int,
    pitch_hz: float,
    rate_hz: float,
    cents: float,
    delay_s: float,
    start: float,
    scoop_cents: float,
    drift_cents: float = 0.0,
    key: tuple[object, ...] = (),
) -> tuple[npt.NDArray[np.float64], Samples]:
    """Cycles of a tone that scoops up to its pitch and begins to waver after ``delay_s``, and the waver itself (-1…1).

    ``drift_cents`` of slow random bend, drawn from ``key``. The bend is computed every ``_BEND_STEP`` samples.
    """
    knots = np.arange(0, frames + _BEND_STEP, _BEND_STEP)
    t = knots / MUSIC_RATE
    grow = np.clip((t - delay_s) / 0.4, 0.0, 1.0)
    waver = np.sin(2 * np.pi * (start + rate_hz * t)) * grow * grow * (3 - 2 * grow)
    bend = cents * waver - scoop_cents * np.exp(-t / 0.035)
    if drift_cents:
        turns = np.arange(0.0, t[-1] + 0.34, 0.17)
        bend += drift_cents * np.interp(t, turns, generator("drift", *key).standard_normal(len(turns)))
    freq = pitch_hz * 2.0 ** (bend / 1200.0)
    cycles = np.concatenate([[0.0], np.cumsum(0.5 * (freq[1:] + freq[:-1]))]) * (_BEND_STEP / MUSIC_RATE)
    return _lines(np.diff(cycles), cycles[:-1], _BEND_STEP)[:frames], between(waver, _BEND_STEP, 0, frames)


def between(values: npt.NDArray[np.float64], step: int, skip: int, frames: int) -> Samples:
    """Straight lines between ``values``, which lie ``step`` samples apart: samples ``skip`` up to ``skip + frames``."""
    return _lines(np.diff(values).astype(np.float32), values[:-1].astype(np.float32), step)[skip : skip + frames]


_Real = TypeVar("_Real", npt.NDArray[np.float32], npt.NDArray[np.float64])


def _lines(rises: _Real, firsts: _Real, step: int) -> _Real:
    lines = rises[:, None] * (np.arange(step, dtype=rises.dtype) / rises.dtype.type(step))
    lines += firsts[:, None]
    return lines.reshape(-1)


def formants(
    freqs_hz: npt.NDArray[np.float64], peaks: Sequence[tuple[float, float, float]], floor: float
) -> npt.NDArray[np.float64]:
    """Gain of a body or a mouth at given frequencies: ``floor``, and peaks of (Hz, width in Hz, gain)."""
    gain = np.full(len(freqs_hz), floor)
    for centre, width, amount in peaks:
        gain += amount / (1.0 + ((freqs_hz - centre) / (0.5 * width)) ** 2)
    return gain


def noise(frames: int, *key: object) -> Samples:
    """White Gaussian noise of unit variance that depends on ``key`` alone."""
    return generator("noise", *key).standard_normal(frames, dtype=np.float32)


def response(
    freqs_hz: npt.NDArray[np.floating], cutoff_hz: float, q: float = 0.707, kind: str = "low", rate: int = MUSIC_RATE
) -> Spectrum:
    """Complex gain of a second-order low-, high- or band-pass at given frequencies.

    ``H(s)`` over its denominator ``s² + s/q + 1`` with numerator 1, s² or s/q, taken to discrete time by the bilinear
    transform (s = j·tan(ω/2) / tan(ωc/2)), so that its impulse response is causal and dies away.
    """
    warped = np.tan(np.minimum(freqs_hz, 0.4999 * rate) * (np.pi / rate)) / np.tan(
        min(cutoff_hz, 0.48 * rate) * np.pi / rate
    )
    s = (1j * warped).astype(np.complex64)
    below = s * s + s / q + 1
    above = {"low": np.ones_like(s), "high": s * s, "band": s / q}[kind]
    return np.asarray(above / below, np.complex64)


def section(cutoff_hz: float, q: float = 0.707, kind: str = "low", rate: int = MUSIC_RATE) -> StateSpace:
    """The filter whose gain ``response`` gives."""
    k = math.tan(math.pi * min(cutoff_hz, 0.48 * rate) / rate)
    norm = 1 + k / q + k * k
    above = {"low": (k * k, 2 * k * k, k * k), "high": (1.0, -2.0, 1.0), "band": (k / q, 0.0, -k / q)}[kind]
    b0, b1, b2 = (part / norm for part in above)
    return StateSpace.of((b0, b1, b2, 2 * (k * k - 1) / norm, (1 - k / q + k * k) / norm))


def shaped(
    samples: Samples,
    low_hz: float | None = None,
    high_hz: float | None = None,
    peaks: tuple[tuple[float, float, float], ...] = (),
    order: int = 1,
    rate: int = MUSIC_RATE,
) -> Samples:
    """A whole note filtered: low-pass at ``low_hz``, high-pass at ``high_hz``, ``peaks`` of (Hz, Q, linear gain added).

    ``order`` second-order sections of the low-pass.
    """
    return _filter(low_hz, high_hz, peaks, order, rate).whole(samples)


@lru_cache(maxsize=16)
def _filter(
    low_hz: float | None,
    high_hz: float | None,
    peaks: tuple[tuple[float, float, float], ...],
    order: int,
    rate: int,
) -> BlockFilter:
    """The filter of ``shaped``, cached for all notes of one instrument and layer."""
    system = StateSpace.gain(1.0)
    for centre, q, amount in peaks:
        system = system.beside(section(centre, q, "band", rate), amount)
    if low_hz is not None:
        for _ in range(order):
            system = system.then(section(low_hz, rate=rate))
    if high_hz is not None:
        system = system.then(section(high_hz, kind="high", rate=rate))
    return BlockFilter(system, single=True)


@lru_cache(maxsize=256)
def good_size(least: int) -> int:
    """The smallest product of 2, 3 and 5 that is at least ``least`` and even: fast to transform."""
    best = 1 << max(1, (least - 1).bit_length())
    five = 1
    while five < best:
        three = five
        while three < best:
            two = max(2, 1 << max(0, (-(-least // three) - 1).bit_length()))
            if two * three >= least:
                best = min(best, two * three)
            three *= 3
        five *= 5
    return best


def rise(frames: int, attack_s: float) -> Samples:
    """1 after a raised-cosine start of ``attack_s``."""
    out = np.ones(frames, np.float32)
    n = min(frames, max(1, round(attack_s * MUSIC_RATE)))
    out[:n] = 0.5 - 0.5 * np.cos(np.pi * (np.arange(n) + 0.5) / n)
    return out


def swell(frames: int, attack_s: float, depth_db: float = 36.0) -> Samples:
    """1 after an exponential rise from -``depth_db``: loud noise may begin so within 46 ms without a click.

    A steady slope in dB: in no moment is the noise far above what it was 10 ms before. Out of silence, 46 dB in 30 ms
    begin unheard, and are sharper at their end.
    """
    out = np.ones(frames, np.float32)
    n = min(frames, max(1, round(attack_s * MUSIC_RATE)))
    out[:n] = 10 ** (depth_db / 20 * (np.arange(n, dtype=np.float32) / np.float32(n) - 1))
    return out * rise(frames, 0.004)


def fall(frames: int, fade_s: float) -> Samples:
    """1 except for a raised-cosine end of ``fade_s``."""
    return rise(frames, fade_s)[::-1]


def decay(frames: int, t60_s: float) -> Samples:
    """Exponential decay by 60 dB in ``t60_s``."""
    step = np.float32(-np.log(1000.0) / (t60_s * MUSIC_RATE))
    return np.asarray(np.exp(np.arange(frames, dtype=np.float32) * step), np.float32)


def levelled(samples: Samples, rms: float = 0.1, window_s: float = 0.12) -> Samples:
    """Scaled so that the loudest window has the given root mean square."""
    window = round(window_s * MUSIC_RATE)
    head = samples[: len(samples) // window * window] if len(samples) >= window else samples
    rows = head.reshape(-1, min(window, len(head)))
    power = float(np.einsum("kt,kt->k", rows, rows).max()) / rows.shape[1]
    return np.asarray(samples * np.float32(rms / np.sqrt(power + 1e-20)), np.float32)
