"""The loops that numba compiles; knows nothing of why. Imported only where numba is installed."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def integrate(log: Any, step_time: Any, step_bin: Any, given: Any, floor: Any, classes: int, phases: Any) -> None:
    """Phase gradient integration from the loudest point outward, in place; ``given`` rows are where it starts."""
    rows, bins = log.shape
    scale = classes / -floor
    level = np.empty((rows, bins), np.int16)
    waiting = np.full(classes, -1, np.int32)  # heads of lists of points whose neighbours are to be set
    after = np.empty(rows * bins, np.int32)
    seeds = np.full(classes, -1, np.int32)
    seed_after = np.empty(rows * bins, np.int32)
    open_ = np.zeros((rows, bins), np.bool_)
    top = -1
    for t in range(rows):
        for k in range(bins):
            if log[t, k] < floor:
                continue
            c = min(classes - 1, int((log[t, k] - floor) * scale))
            level[t, k] = c
            i = t * bins + k
            if given[t]:
                after[i] = waiting[c]
                waiting[c] = i
                top = max(top, c)
            else:
                open_[t, k] = True
                seed_after[i] = seeds[c]
                seeds[c] = i
    loudest = classes - 1
    while True:
        while top >= 0 and waiting[top] < 0:
            top -= 1
        if top < 0:
            found = -1
            while loudest >= 0 and found < 0:
                i = seeds[loudest]
                if i < 0:
                    loudest -= 1
                else:
                    seeds[loudest] = seed_after[i]
                    if open_[i // bins, i % bins]:
                        found = i
            if found < 0:
                return
            open_[found // bins, found % bins] = False
            after[found] = -1
            waiting[loudest] = found
            top = loudest
        i = waiting[top]
        waiting[top] = after[i]
        t = i // bins
        k = i - t * bins
        here = phases[t, k]
        for way in range(4):
            u = t
            q = k
            if way == 0:
                u = t + 1
            elif way == 1:
                u = t - 1
            elif way == 2:
                q = k + 1
            else:
                q = k - 1
            if u < 0 or u >= rows or q < 0 or q >= bins or not open_[u, q]:
                continue
            if way < 2:
                step = np.float32(0.5) * (step_time[t, k] + step_time[u, q])
            else:
                step = np.float32(0.5) * (step_bin[t, k] + step_bin[u, q])
            phases[u, q] = here + step if way == 0 or way == 2 else here - step
            open_[u, q] = False
            c = level[u, q]
            j = u * bins + q
            after[j] = waiting[c]
            waiting[c] = j
            if c > top:
                top = c


@numba.njit(cache=True, nogil=True, fastmath=True)
def project(
    spectrum: Any,
    mel: Any,
    tiny: Any,
    taps: Any,
    between: int,
    see_value: Any,
    see_index: Any,
    see_begin: Any,
    settle_value: Any,
    settle_index: Any,
    settle_begin: Any,
    spread_value: Any,
    spread_index: Any,
    spread_begin: Any,
    out: Any,
) -> None:
    """Frame by frame: the nearest magnitudes with the mel amplitudes that are wanted, phases kept."""
    rows, bins = spectrum.shape
    bands = mel.shape[1]
    reach = taps.shape[0] // 2
    size = np.empty(bins + between, np.float32)
    real = np.empty(between + 2 * reach, np.float32)
    imag = np.empty(between + 2 * reach, np.float32)
    lack = np.empty(bands, np.float32)
    settled = np.empty(bands, np.float32)
    for t in range(rows):
        for k in range(bins):
            z = spectrum[t, k]
            size[k] = np.sqrt(z.real * z.real + z.imag * z.imag)
        if between:
            # Bin k times i^k: phases about the middle of the window, smooth across bins; -k mirrors k.
            for p in range(between + 2 * reach):
                k = p - reach + 1
                z = spectrum[t, abs(k)]
                quarter = abs(k) & 3
                if quarter == 0:
                    re, im = z.real, z.imag
                elif quarter == 1:
                    re, im = -z.imag, z.real
                elif quarter == 2:
                    re, im = -z.real, -z.imag
                else:
                    re, im = z.imag, -z.real
                real[p] = re
                imag[p] = -im if k < 0 else im
            for k in range(between):
                re = np.float32(0.0)
                im = np.float32(0.0)
                for j in range(2 * reach):
                    re += taps[j] * real[k + j]
                    im += taps[j] * imag[k + j]
                size[bins + k] = np.sqrt(re * re + im * im)
        for b in range(bands):
            total = np.float32(0.0)
            for p in range(see_begin[b], see_begin[b + 1]):
                total += see_value[p] * size[see_index[p]]
            lack[b] = mel[t, b] - total
        for b in range(bands):
            total = np.float32(0.0)
            for p in range(settle_begin[b], settle_begin[b + 1]):
                total += settle_value[p] * lack[settle_index[p]]
            settled[b] = total
        for k in range(bins):
            total = np.float32(0.0)
            for p in range(spread_begin[k], spread_begin[k + 1]):
                total += spread_value[p] * settled[spread_index[p]]
            out[t, k] = spectrum[t, k] * (max(size[k] + total, np.float32(0.0)) / (size[k] + tiny))


@numba.njit(cache=True, nogil=True, fastmath=True)
def relax(state: Any, projected: Any, consistent: Any, relaxation: Any) -> None:
    """In place: state <- relaxation (state + consistent - projected) + (1 - relaxation) projected."""
    a = np.float32(relaxation)
    b = np.float32(1.0 - 2.0 * relaxation)
    rows, bins = state.shape
    for t in range(rows):
        for k in range(bins):
            state[t, k] = a * (state[t, k] + consistent[t, k]) + b * projected[t, k]


@numba.njit(cache=True, nogil=True, fastmath=True)
def reflect(state: Any, projected: Any, out: Any) -> None:
    """out = 2 projected - state."""
    rows, bins = state.shape
    for t in range(rows):
        for k in range(bins):
            out[t, k] = np.float32(2.0) * projected[t, k] - state[t, k]


@numba.njit(cache=True, nogil=True, fastmath=True)
def overlap_add(frames: Any, window: Any, level: Any, hop: int, begin: int, end: int, out: Any) -> None:
    """Samples ``begin`` to ``end`` of the windowed frames' sum, times ``level``. Frame t is centred on t x hop."""
    count, length = frames.shape
    half = length // 2
    for n in range(begin, end):
        out[n] = np.float32(0.0)
    for t in range(max(0, (begin - half) // hop), min(count, (end + half) // hop + 1)):
        start = t * hop - half
        for n in range(max(begin, start), min(end, start + length)):
            out[n] += frames[t, n - start] * window[n - start]
    for n in range(begin, end):
        out[n] *= level[n]
