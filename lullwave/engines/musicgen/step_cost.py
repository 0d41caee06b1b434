"""Learns how long a step takes from the steps that were done: so much for the weights, for each row, for each position.

Knows nothing of songs. Not thread-safe: used by the scheduler's thread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import nnls

KEPT = 0.98  # weight of the past after each step: half of it is forgotten in 35
_SURE = 1e-5  # weight of the first guess, that only the weights cost time, against one step's


@dataclass(frozen=True)
class StepSize:
    """What the time of a step depends on."""

    rows: int
    positions: int  # attended to, of all rows together


class StepCost:
    """Least squares with forgetting over (1, rows, positions) → seconds; nothing costs less than no time.

    What the steps so far do not tell apart is taken for the cost of the weights: so rows seem free until a step with
    more of them has shown what they cost.
    """

    def __init__(self) -> None:
        self._squares = np.zeros((3, 3))
        self._products = np.zeros(3)
        self._unit = np.array([1.0, 1e-1, 1e-3])  # so that the three have similar sizes

    def learn(self, size: StepSize, seconds: float) -> None:
        """Take in a step that was done."""
        x = self._unit * (1.0, size.rows, size.positions)
        self._squares = KEPT * self._squares + np.outer(x, x)
        self._products = KEPT * self._products + x * seconds

    def seconds(self, size: StepSize) -> float | None:
        """The expected time of a step; None before the first one."""
        if not self._squares.any():
            return None
        guess = np.array([self._products[0] / self._squares[0, 0], 0.0, 0.0])
        factor = np.linalg.cholesky(self._squares + _SURE * np.eye(3))
        weights, _ = nnls(factor.T, solve_triangular(factor, self._products + _SURE * guess, lower=True))
        return float(weights @ (self._unit * (1.0, size.rows, size.positions)))
