"""How finely an inversion looks, and how freely it searches, step by step, until it settles; knows nothing of sounds.

Frames that are not padded take half the time of those padded to twice their length, and for a few steps that is worth
more than finer bins; only many steps come so near that the coarser bins stand in the way.

Two numbers steer a step of relaxed averaged alternating reflections. *Relaxation* is Luke's β (2005, eq. 14): at 1 the
search leaves false solutions and never rests, below 1 it is drawn to the wanted amplitudes. Where bands are wider than
what a frame resolves many sounds fit nearly as well and a wide search pays; where they are narrower it only disturbs,
so β rises with frequency. *Inertia* carries a step on by a part of the change that it made (Polyak, "Some methods of
speeding up the convergence of iteration methods", 1964, eq. 9).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float32]

LOW_HZ, HIGH_HZ = 500.0, 4000.0  # between them relaxation rises with the logarithm of frequency
SOME = 24  # from so many steps on finer bins pay
MANY = 64  # from so many steps on there is time to search


@dataclass(frozen=True)
class Course:
    """Relaxation begins at ``low`` to ``high`` and from the part ``turn`` of the steps on falls to ``settled``."""

    low: float
    high: float
    settled: float
    turn: float
    carried: float  # inertia until the turn; above 0.4 the search swings and does not come to rest
    pad: int  # transform size over window size

    def relaxation(self, step: int, steps: int, hz: Reals) -> Reals:
        """(K,) what one step of so many relaxes bins of these frequencies with."""
        place = np.log(np.maximum(hz, 1.0) / LOW_HZ) / np.log(HIGH_HZ / LOW_HZ)
        widest = self.low + (self.high - self.low) * np.clip(place, 0.0, 1.0)
        fallen = max(0.0, ((step + 1) / steps - self.turn) / (1.0 - self.turn))
        return np.asarray(widest + (self.settled - widest) * fallen, np.float32)

    def inertia(self, step: int, steps: int) -> float:
        """What part of its change one step of so many is carried on by: none while it settles."""
        return self.carried if step + 1 < self.turn * steps else 0.0


QUICK = Course(low=0.75, high=0.8, settled=0.5, turn=0.6, carried=0.35, pad=1)
STEADY = replace(QUICK, pad=2)
PATIENT = Course(low=0.95, high=1.0, settled=0.5, turn=0.8, carried=0.4, pad=2)


def course_of(steps: int) -> Course:
    """The one for an inversion of so many steps."""
    if steps >= MANY:
        return PATIENT
    return STEADY if steps >= SOME else QUICK
