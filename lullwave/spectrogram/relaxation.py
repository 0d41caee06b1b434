"""Schedules of the inversion: transform size, relaxation and momentum of each step.

Unpadded frames take half the time of frames padded to twice their length. With few steps that is worth more than
finer bins; only with many steps do the coarser bins limit the result.

Two numbers control a step of relaxed averaged alternating reflections. *Relaxation* is Luke's β (2005, eq. 14): at 1
the search leaves false solutions and never rests; below 1 it is drawn to the wanted amplitudes. Where bands are wider
than a frame's resolution, many sounds fit nearly as well and a wide search pays; where they are narrower it only
disturbs. So β rises with frequency. *Momentum* adds a part of the last change to a step (Polyak, "Some methods of
speeding up the convergence of iteration methods", 1964, eq. 9).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float32]

LOW_HZ, HIGH_HZ = 500.0, 4000.0  # relaxation rises between them, with the logarithm of frequency
FINE_STEPS = 24  # number of steps from which finer bins pay
WIDE_STEPS = 64  # number of steps from which a wide search pays


@dataclass(frozen=True)
class RelaxationSchedule:
    """Relaxation starts between ``low`` and ``high``, by frequency, and falls to ``end`` after the ``turn``."""

    low: float  # relaxation below LOW_HZ
    high: float  # relaxation above HIGH_HZ
    end: float  # relaxation of the last step
    turn: float  # share of the steps after which relaxation falls
    push: float  # momentum until the turn; above 0.4 the search oscillates
    pad: int  # transform size over window size

    def relaxation(self, step: int, steps: int, hz: Reals) -> Reals:
        """(K,) relaxation of bins at these frequencies in step ``step`` (from 0) of ``steps``."""
        place = np.log(np.maximum(hz, 1.0) / LOW_HZ) / np.log(HIGH_HZ / LOW_HZ)
        widest = self.low + (self.high - self.low) * np.clip(place, 0.0, 1.0)
        fallen = max(0.0, ((step + 1) / steps - self.turn) / (1.0 - self.turn))
        return np.asarray(widest + (self.end - widest) * fallen, np.float32)

    def momentum(self, step: int, steps: int) -> float:
        """Share of its change that is added to step ``step`` (from 0) of ``steps``; 0 after the turn."""
        return self.push if step + 1 < self.turn * steps else 0.0


QUICK = RelaxationSchedule(low=0.75, high=0.8, end=0.5, turn=0.6, push=0.35, pad=1)
STEADY = replace(QUICK, pad=2)
PATIENT = RelaxationSchedule(low=0.95, high=1.0, end=0.5, turn=0.8, push=0.4, pad=2)


def schedule_for(steps: int) -> RelaxationSchedule:
    """The schedule of an inversion of ``steps`` steps."""
    if steps >= WIDE_STEPS:
        return PATIENT
    return STEADY if steps >= FINE_STEPS else QUICK
