"""The kernels that numba compiles; imported only where numba is installed. Callers have the same in NumPy.

Arguments are arrays and numbers of one fixed type each; ``Any`` stands for them, since numba infers the types.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

LANES = 16  # frames worked on together: fills whole cache lines, and the compiler knows the number


@numba.njit(cache=True, nogil=True, fastmath=True)
def _add_weighted(sign: Any, value: Any, index: Any, begin: Any, rows: Any, out: Any) -> None:
    """``out += sign * matrix @ rows`` for a CSR matrix given by its values, column indices and row starts."""
    for b in range(out.shape[0]):
        for p in range(begin[b], begin[b + 1]):
            weight, row = sign * value[p], index[p]
            for t in range(out.shape[1]):
                out[b, t] += weight * rows[row, t]


@numba.njit(cache=True, nogil=True, fastmath=True)
def amplitudes(pairs: Any, bins: int, value: Any, index: Any, begin: Any, out: Any) -> None:
    """Mel amplitudes of each frame into ``out`` (T, bands), by a CSR filter bank.

    A row of ``pairs`` is the transform of two frames, the second multiplied by i.
    """
    rows, bands = out.shape
    half = np.float32(0.5)
    # As in ``project``, frames are innermost.
    wide = -(-rows // LANES) * LANES
    sizes = np.empty((bins, wide), np.float32)
    some = np.zeros((LANES, bins), np.float32)
    total = np.zeros((bands, wide), np.float32)
    for first in range(0, rows, LANES):
        for i in range(0, min(LANES, rows - first), 2):
            pair, even, odd = pairs[(first + i) // 2], some[i], some[i + 1]
            even[0], odd[0] = abs(pair[0].real), abs(pair[0].imag)
            for k in range(1, bins):
                z, w = pair[k], pair[pair.shape[0] - k]
                even[k] = half * np.sqrt((z.real + w.real) ** 2 + (z.imag - w.imag) ** 2)
                odd[k] = half * np.sqrt((z.imag + w.imag) ** 2 + (z.real - w.real) ** 2)
        for k in range(bins):
            for i in range(LANES):
                sizes[k, first + i] = some[i, k]
    _add_weighted(np.float32(1.0), value, index, begin, sizes, total)
    for t in range(rows):
        for b in range(bands):
            out[t, b] = total[b, t]


@numba.njit(cache=True, nogil=True, inline="always")
def _step_in_time(log: Any, turn: Any, ratio: Any, t: int, k: int) -> Any:
    if k == 0 or k == log.shape[1] - 1:
        return turn[k]
    return turn[k] + (log[t, k + 1] - log[t, k - 1]) * (np.float32(0.5) / ratio)


@numba.njit(cache=True, nogil=True, inline="always")
def _step_over_bins(log: Any, ratio: Any, t: int, k: int) -> Any:
    if t == 0 or t == log.shape[0] - 1:
        return np.float32(0.0)
    return (log[t - 1, k] - log[t + 1, k]) * (np.float32(0.5) * ratio)


@numba.njit(cache=True, nogil=True)
def integrate(log: Any, turn: Any, ratio: Any, given: Any, floor: Any, classes: int, phases: Any) -> None:
    """Integrate phase gradients from the loudest point outward, in place, starting at the rows ``given``.

    Points wait in linked lists, one for each class of amplitude: ``heads`` for points whose neighbours must be set,
    ``seeds`` for points not reached yet. ``level`` is a point's class, -1 once its phase is set.
    """
    rows, bins = log.shape
    scale = np.float32(classes) / -floor
    level = np.full((rows, bins), -1, np.int16)
    heads = np.full(classes, -1, np.int32)
    after = np.empty(rows * bins, np.int32)
    seeds = np.full(classes, -1, np.int32)
    seed_after = np.empty(rows * bins, np.int32)
    half = np.float32(0.5)
    top = -1
    for t in range(rows):
        for k in range(bins):
            if log[t, k] < floor:
                continue
            c = min(classes - 1, int((log[t, k] - floor) * scale))
            i = t * bins + k
            if given[t]:
                after[i] = heads[c]
                heads[c] = i
                top = max(top, c)
            else:
                level[t, k] = c
                seed_after[i] = seeds[c]
                seeds[c] = i
    loudest = classes - 1
    while True:
        while top >= 0 and heads[top] < 0:
            top -= 1
        if top < 0:
            found = -1
            while loudest >= 0 and found < 0:
                i = seeds[loudest]
                if i < 0:
                    loudest -= 1
                else:
                    seeds[loudest] = seed_after[i]
                    if level[i // bins, i % bins] >= 0:
                        found = i
            if found < 0:
                return
            level[found // bins, found % bins] = -1
            after[found] = -1
            heads[loudest] = found
            top = loudest
        i = heads[top]
        heads[top] = after[i]
        t = i // bins
        k = i - t * bins
        here = phases[t, k]
        for u in (t + 1, t - 1):
            if u < 0 or u >= rows or level[u, k] < 0:
                continue
            step = _step_in_time(log, turn, ratio, t, k) + _step_in_time(log, turn, ratio, u, k)
            phases[u, k] = here + half * step if u > t else here - half * step
            c = level[u, k]
            level[u, k] = -1
            j = u * bins + k
            after[j] = heads[c]
            heads[c] = j
            top = max(top, c)
        for q in (k + 1, k - 1):
            if q < 0 or q >= bins or level[t, q] < 0:
                continue
            step = _step_over_bins(log, ratio, t, k) + _step_over_bins(log, ratio, t, q)
            phases[t, q] = here + half * step if q > k else here - half * step
            c = level[t, q]
            level[t, q] = -1
            j = t * bins + q
            after[j] = heads[c]
            heads[c] = j
            top = max(top, c)


@numba.njit(cache=True, nogil=True, fastmath=True)
def project(
    spectrum: Any,
    mel: Any,
    tiny: Any,
    taps: Any,
    turn: Any,
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
    gains: Any,
) -> None:
    """Gains of each frame: the factors that give its magnitudes the wanted mel amplitudes."""
    rows, bins = spectrum.shape
    bands = mel.shape[0]
    reach = taps.shape[0] // 2
    # Frames are the inner loop wherever bins meet bands: one weight serves a row of them. LANES frames are transposed
    # together, so that whole cache lines are written.
    sizes = np.empty((bins + between, -(-rows // LANES) * LANES), np.float32)
    lack = mel.copy()
    settled = np.zeros((bands, rows), np.float32)
    change = np.empty(rows, np.float32)
    some = np.zeros((LANES, bins + between), np.float32)
    real = np.empty(between + 2 * reach, np.float32)
    imag = np.empty(between + 2 * reach, np.float32)
    re_between = np.empty(between, np.float32)
    im_between = np.empty(between, np.float32)
    for begin in range(0, rows, LANES):
        for i in range(min(LANES, rows - begin)):
            frame, size = spectrum[begin + i], some[i]
            for k in range(bins):
                z = frame[k]
                size[k] = np.sqrt(z.real * z.real + z.imag * z.imag)
            if between:
                # Phases about the middle of the window are smooth across bins; -k mirrors k.
                for p in range(between + 2 * reach):
                    k = p - reach + 1
                    z, w = frame[abs(k)], turn[abs(k)]
                    imaginary = z.real * w.imag + z.imag * w.real
                    real[p] = z.real * w.real - z.imag * w.imag
                    imag[p] = -imaginary if k < 0 else imaginary
                re_between[:] = np.float32(0.0)
                im_between[:] = np.float32(0.0)
                for j in range(2 * reach):
                    tap, re, im = taps[j], real[j : j + between], imag[j : j + between]
                    for k in range(between):
                        re_between[k] += tap * re[k]
                        im_between[k] += tap * im[k]
                for k in range(between):
                    size[bins + k] = np.sqrt(re_between[k] * re_between[k] + im_between[k] * im_between[k])
        for k in range(bins + between):
            for i in range(LANES):  # a constant number, which the compiler unrolls
                sizes[k, begin + i] = some[i, k]
    _add_weighted(np.float32(-1.0), see_value, see_index, see_begin, sizes, lack)
    _add_weighted(np.float32(1.0), settle_value, settle_index, settle_begin, lack, settled)
    for k in range(bins):
        for t in range(rows):
            change[t] = sizes[k, t]
        for p in range(spread_begin[k], spread_begin[k + 1]):
            weight, row = spread_value[p], spread_index[p]
            for t in range(rows):
                change[t] += weight * settled[row, t]
        for t in range(rows):
            sizes[k, t] = max(change[t], np.float32(0.0)) / (sizes[k, t] + tiny)
    for begin in range(0, rows, LANES):
        for k in range(bins):
            for i in range(LANES):
                some[i, k] = sizes[k, begin + i]
        for i in range(min(LANES, rows - begin)):
            gains[begin + i] = some[i, :bins]


@numba.njit(cache=True, nogil=True, fastmath=True)
def reflect(spectrum: Any, gains: Any, beyond: float, out: Any) -> None:
    """``out`` = spectrum x gains, moved on by ``beyond`` times its distance from the spectrum."""
    a, b = np.float32(1.0 + beyond), np.float32(beyond)
    for t in range(spectrum.shape[0]):
        frame, gain, to = spectrum[t], gains[t], out[t]
        for k in range(spectrum.shape[1]):
            to[k] = (a * gain[k] - b) * frame[k]


@numba.njit(cache=True, nogil=True, fastmath=True)
def move(state: Any, gains: Any, before: Any, consistent: Any, relaxation: Any, momentum: float) -> None:
    """One relaxed step, in place.

    new = relaxation (state + consistent) + (1 - 2 relaxation) gains x state; state = new + momentum (new - before);
    before = new.
    """
    carried = np.float32(momentum)
    rows, bins = state.shape
    for t in range(rows):
        now, gain, old, heard = state[t], gains[t], before[t], consistent[t]
        for k in range(bins):
            a = relaxation[k]
            new = (a + (np.float32(1.0) - np.float32(2.0) * a) * gain[k]) * now[k] + a * heard[k]
            now[k] = new + carried * (new - old[k])
            old[k] = new


@numba.njit(cache=True, nogil=True, fastmath=True)
def overlap_add(frames: Any, window: Any, first: int, hop: int, begin: int, end: int, out: Any) -> None:
    """Samples ``begin`` to ``end`` of the sum of windowed frames; frame i starts at ``first`` + i x hop."""
    count, length = frames.shape
    out[begin:end] = np.float32(0.0)
    for i in range(max(0, (begin - first - length) // hop), min(count, (end - first) // hop + 1)):
        start = first + i * hop
        low, high = max(begin, start), min(end, start + length)
        if low < high:
            # Slices of one length: the compiler then knows that no index is negative.
            to, frame, weight = out[low:high], frames[i, low - start : high - start], window[low - start : high - start]
            for n in range(high - low):
                to[n] += frame[n] * weight[n]
