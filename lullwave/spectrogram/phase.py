"""First phases from magnitudes alone: phase gradient heap integration.

Průša, Balazs, Søndergaard, "A noniterative method for reconstruction of phase from STFT magnitude" (2017): for a
Gaussian-like window the derivatives of the phase are those of the log magnitude (eq. 20, 21), and are integrated
from the loudest point outward (algorithm 1). With numba the outward order comes from a queue of amplitude classes;
without, the same idea is a maximum spanning tree, walked by pointer doubling.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .grid import Reals

HANN = 0.25645  # time-frequency ratio of a Hann window over its squared length (table I of the paper)
TINIEST = 1e-20  # loudest magnitude that is assumed of silence
FLOOR = -14.0  # natural log of magnitude relative to the loudest; lower values are raised to it
DEPTH = 9.0  # the tree skips points this far (natural log) below a frame's loudest: a third of all points
CLASSES = 800  # classes of amplitude that order the integration


def first_phases(magnitudes: Reals, hop: int, window: int, known: Reals | None, compiled: bool) -> Reals:
    """(T, K) phases about each frame's middle, for magnitudes at ``window // 2 + 1`` bins.

    ``known`` (T, K) has the phases of frames that are fixed already, NaN elsewhere. ``compiled`` uses numba.
    """
    floor = np.float32(max(float(magnitudes.max()), TINIEST) * np.exp(FLOOR))
    log = np.log(np.maximum(magnitudes, floor))
    log -= log.max()
    np.maximum(log, np.float32(FLOOR), out=log)
    ratio = np.float32(HANN * window / hop)
    turn = (2 * np.pi * (hop * np.arange(log.shape[1]) % window) / window).astype(np.float32)
    phases = np.zeros_like(log)
    if known is None:
        given = np.zeros(len(log), np.bool_)
    else:
        given = ~np.isnan(known[:, 0])
        phases[given] = known[given]
    if compiled:
        from .numba_kernels import integrate

        integrate(log, turn, ratio, given, np.float32(FLOOR), CLASSES, phases)
        return phases
    step_time = np.broadcast_to(turn, log.shape).copy()
    step_time[:, 1:-1] += (log[:, 2:] - log[:, :-2]) * (np.float32(0.5) / ratio)
    step_bin = np.zeros_like(log)
    step_bin[1:-1] = (log[:-2] - log[2:]) * (np.float32(0.5) * ratio)
    return _by_tree(log, step_time, step_bin, given, phases)


def _by_tree(log: Reals, step_time: Reals, step_bin: Reals, given: npt.NDArray[np.bool_], phases: Reals) -> Reals:
    """Phases as sums of steps along a maximum spanning tree: the loudest paths from one root."""
    from scipy import sparse
    from scipy.sparse import csgraph

    bins = log.shape[1]
    kept = (log >= np.maximum(FLOOR, log.max(axis=1, keepdims=True) - DEPTH)) | given[:, None]
    nodes = np.flatnonzero(kept)
    root = len(nodes)
    number = np.full(log.shape, root, np.int32)
    number.reshape(-1)[nodes] = np.arange(root, dtype=np.int32)
    in_time, in_bin = kept[1:] & kept[:-1], kept[:, 1:] & kept[:, :-1]
    cost_time, cost_bin = 1 - 0.5 * (log[1:] + log[:-1]), 1 - 0.5 * (log[:, 1:] + log[:, :-1])
    loudest = number[np.arange(len(log)), np.argmax(log, axis=1)]
    loudest = loudest[(loudest < root) & ~given]
    # A path from the root costs more than any between points, so that it leads to the loudest of each island;
    # to points that are given it costs least.
    fixed = number[given].reshape(-1)
    ends = np.concatenate([loudest, fixed])
    from_root = np.concatenate([100 - log.reshape(-1)[nodes[loudest]], np.full(len(fixed), 0.5, np.float32)])
    rows = np.concatenate([number[:-1][in_time], number[:, :-1][in_bin], np.full(len(ends), root, np.int32)])
    columns = np.concatenate([number[1:][in_time], number[:, 1:][in_bin], ends])
    costs = np.concatenate([cost_time[in_time], cost_bin[in_bin], from_root])
    graph = sparse.csr_matrix((costs, (rows, columns)), shape=(root + 1, root + 1))
    tree = csgraph.minimum_spanning_tree(graph)
    reached, parent = csgraph.breadth_first_order(tree, root, directed=False)

    parent = parent.astype(np.int64)
    inner = reached[1:][parent[reached[1:]] != root]
    tops = np.flatnonzero((parent == root) | (parent < 0))
    parent[tops] = tops
    parent[root] = root
    here, there = nodes[inner], nodes[parent[inner]]
    way = here - there
    flat_time, flat_bin = step_time.reshape(-1), step_bin.reshape(-1)
    step = np.where(np.abs(way) >= bins, flat_time[here] + flat_time[there], flat_bin[here] + flat_bin[there])
    total = np.zeros(root + 1)
    total[inner] = 0.5 * step * np.sign(way)
    while not np.array_equal(above := parent[parent], parent):
        total += total[parent]
        parent = above
    flat = phases.reshape(-1)
    flat[nodes] = np.mod(total[:-1] + flat[nodes[parent[:-1]]], 2 * np.pi)
    return phases
