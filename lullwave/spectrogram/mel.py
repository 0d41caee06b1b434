"""The mel scale, its triangular filters and interpolation between frequencies.

The HTK scale (Young et al., The HTK Book, eq. 5.13), filters of unit height, as in torchaudio with ``norm=None``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def hz_to_mel(hz: Any) -> Any:
    """2595 log10(1 + f / 700)."""
    return 2595.0 * np.log10(1.0 + np.asarray(hz, np.float64) / 700.0)


def mel_to_hz(mel: Any) -> Any:
    """The inverse of ``hz_to_mel``."""
    return 700.0 * (10.0 ** (np.asarray(mel, np.float64) / 2595.0) - 1.0)


def edges_hz(bands: int, low_hz: float, high_hz: float) -> Floats:
    """(bands + 2,) edges of the filters: filter b spans edges b to b + 2 and peaks at b + 1."""
    return np.asarray(mel_to_hz(np.linspace(hz_to_mel(low_hz), hz_to_mel(high_hz), bands + 2)))


def filters(grid_hz: Floats, bands: int, low_hz: float, high_hz: float) -> Any:
    """(bands, F) csr matrix of the triangles, sampled at the frequencies ``grid_hz``."""
    from scipy import sparse

    edges = edges_hz(bands, low_hz, high_hz)
    # Every frequency lies between two edges: on the falling side of one filter, the rising side of the next.
    between = np.searchsorted(edges, grid_hz, side="right") - 1
    between[grid_hz == edges[-1]] = bands
    inside = np.flatnonzero((between >= 0) & (between <= bands))
    slot = between[inside]
    rise = (grid_hz[inside] - edges[slot]) / (edges[slot + 1] - edges[slot])
    rows = np.concatenate([slot, slot - 1])
    columns = np.concatenate([inside, inside])
    weights = np.concatenate([rise, 1.0 - rise])
    kept = (rows >= 0) & (rows < bands) & (weights > 0.0)
    shape = (bands, len(grid_hz))
    return sparse.csr_matrix((weights[kept], (rows[kept], columns[kept])), shape=shape)


def linear_interpolation(at_hz: Floats, to_hz: Floats) -> Any:
    """(len(to_hz), len(at_hz)) csr matrix: linear interpolation from the ascending ``at_hz`` to ``to_hz``."""
    from scipy import sparse

    left = np.clip(np.searchsorted(at_hz, to_hz, side="right") - 1, 0, len(at_hz) - 2)
    part = np.clip((to_hz - at_hz[left]) / (at_hz[left + 1] - at_hz[left]), 0.0, 1.0)
    rows = np.arange(len(to_hz))
    values = np.concatenate([1.0 - part, part])
    where = (np.concatenate([rows, rows]), np.concatenate([left, left + 1]))
    return sparse.csr_matrix((values, where), shape=(len(to_hz), len(at_hz)))


def cubic_interpolation(at_hz: Floats, to_hz: Floats) -> Any:
    """The same by Lagrange's cubic through the four nearest points, which keeps peaks that lie between them."""
    from scipy import sparse

    first = np.clip(np.searchsorted(at_hz, to_hz, side="right") - 2, 0, len(at_hz) - 4)
    near = at_hz[first[:, None] + np.arange(4)]
    weights = np.ones((len(to_hz), 4))
    for j in range(4):
        for other in {0, 1, 2, 3} - {j}:
            weights[:, j] *= (to_hz - near[:, other]) / (near[:, j] - near[:, other])
    where = (np.repeat(np.arange(len(to_hz)), 4), (first[:, None] + np.arange(4)).reshape(-1))
    return sparse.csr_matrix((weights.reshape(-1), where), shape=(len(to_hz), len(at_hz)))
