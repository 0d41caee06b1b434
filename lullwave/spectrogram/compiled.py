"""The loops that numba compiles; knows nothing of why. Imported only where numba is installed."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

FEW = 16  # frames


@numba.njit(cache=True, nogil=True, fastmath=True)
def amplitudes(spectrum: Any, value: Any, index: Any, begin: Any, out: Any) -> None:
    """Mel amplitudes of each frame: filters, each over bins that follow one another, of its magnitudes."""
    rows, bins = spectrum.shape
    size = np.empty(bins, np.float32)
    for t in range(rows):
        for k in range(bins):
            z = spectrum[t, k]
            size[k] = np.sqrt(z.real * z.real + z.imag * z.imag)
        for b in range(out.shape[1]):
            total = np.float32(0.0)
            start = begin[b]
            count = begin[b + 1] - start
            low = index[start] if count else 0
            for p in range(count):
                total += value[start + p] * size[low + p]
            out[t, b] = total


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
    """Phase gradient integration from the loudest point outward, in place; ``given`` rows are where it starts.

    Points wait in lists, one for each class of amplitude: ``heads`` those whose neighbours are to be set, ``seeds``
    those that nothing has reached. ``level`` is a point's class, -1 once it is set.
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
    near: Any,
    mirrored: Any,
) -> None:
    """Frame by frame: the nearest magnitudes with the mel amplitudes that are wanted, phases kept; and beyond them."""
    rows, bins = spectrum.shape
    bands = mel.shape[1]
    reach = taps.shape[0] // 2
    # Frames are innermost wherever bins and bands meet: one weight serves a whole row of them. A few frames are
    # turned round at once, so that whole cache lines are written.
    wide = -(-rows // FEW) * FEW
    sizes = np.empty((bins + between, wide), np.float32)
    lack = np.empty((bands, rows), np.float32)
    settled = np.empty((bands, rows), np.float32)
    change = np.empty(rows, np.float32)
    some = np.zeros((FEW, bins + between), np.float32)
    real = np.empty(between + 2 * reach, np.float32)
    imag = np.empty(between + 2 * reach, np.float32)
    re_between = np.empty(between, np.float32)
    im_between = np.empty(between, np.float32)
    for begin in range(0, rows, FEW):
        count = min(FEW, rows - begin)
        for i in range(count):
            t = begin + i
            for k in range(bins):
                z = spectrum[t, k]
                some[i, k] = np.sqrt(z.real * z.real + z.imag * z.imag)
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
                re_between[:] = np.float32(0.0)
                im_between[:] = np.float32(0.0)
                for j in range(2 * reach):
                    tap = taps[j]
                    for k in range(between):
                        re_between[k] += tap * real[k + j]
                        im_between[k] += tap * imag[k + j]
                for k in range(between):
                    some[i, bins + k] = np.sqrt(re_between[k] * re_between[k] + im_between[k] * im_between[k])
            for b in range(bands):
                lack[b, t] = mel[t, b]
        for k in range(bins + between):
            for i in range(FEW):  # as many as the compiler knows of
                sizes[k, begin + i] = some[i, k]
    for b in range(bands):
        for p in range(see_begin[b], see_begin[b + 1]):
            weight = see_value[p]
            row = see_index[p]
            for t in range(rows):
                lack[b, t] -= weight * sizes[row, t]
    for b in range(bands):
        for t in range(rows):
            settled[b, t] = np.float32(0.0)
        for p in range(settle_begin[b], settle_begin[b + 1]):
            weight = settle_value[p]
            row = settle_index[p]
            for t in range(rows):
                settled[b, t] += weight * lack[row, t]
    for k in range(bins):
        for t in range(rows):
            change[t] = sizes[k, t]
        for p in range(spread_begin[k], spread_begin[k + 1]):
            weight = spread_value[p]
            row = spread_index[p]
            for t in range(rows):
                change[t] += weight * settled[row, t]
        for t in range(rows):
            sizes[k, t] = max(change[t], np.float32(0.0)) / (sizes[k, t] + tiny)
    for begin in range(0, rows, FEW):
        count = min(FEW, rows - begin)
        for k in range(bins):
            for i in range(FEW):
                some[i, k] = sizes[k, begin + i]
        for i in range(count):
            for k in range(bins):
                gain = some[i, k]
                z = spectrum[begin + i, k]
                near[begin + i, k] = gain * z
                mirrored[begin + i, k] = (np.float32(2.0) * gain - np.float32(1.0)) * z


@numba.njit(cache=True, nogil=True, fastmath=True)
def move(state: Any, near: Any, before: Any, consistent: Any, relaxation: Any, inertia: float) -> None:
    """In place: before <- relaxation (state + consistent) + (1 - 2 relaxation) near; state <- that, carried on."""
    carried = np.float32(inertia)
    rows, bins = state.shape
    for t in range(rows):
        for k in range(bins):
            a = relaxation[k]
            new = a * (state[t, k] + consistent[t, k]) + (np.float32(1.0) - np.float32(2.0) * a) * near[t, k]
            state[t, k] = new + carried * (new - before[t, k])
            before[t, k] = new


@numba.njit(cache=True, nogil=True, fastmath=True)
def overlap_add(frames: Any, window: Any, origin: int, hop: int, begin: int, end: int, out: Any) -> None:
    """Samples ``begin`` to ``end`` of the sum of frames times window. Frame i is centred on origin + i x hop."""
    count, length = frames.shape
    half = length // 2
    for n in range(begin, end):
        out[n] = np.float32(0.0)
    for i in range(max(0, (begin - half - origin) // hop), min(count, (end + half - origin) // hop + 1)):
        start = origin + i * hop - half
        for n in range(max(begin, start), min(end, start + length)):
            out[n] += frames[i, n - start] * window[n - start]
