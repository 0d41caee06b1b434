"""The slow hand on the fader: which gain brings the music to its target loudness; knows powers, not samples.

It listens to K-weighted power and moves the gain gently. Fades and breaks are let pass: what is far below the music so
far does not count until it has lasted ``PATIENCE_S``. In the first seconds of sound it may move faster, and a boost
that turns out too much is given back quickly.
"""

from __future__ import annotations

import math

import numpy as np

from .biquads import F64
from .loudness import lufs

MAX_BOOST_DB = 24.0
MAX_CUT_DB = 30.0
MEMORY_S = 12.0  # time constant of the loudness that is steered by
SLEW_DB_S = 0.5
LISTEN_S = 3.0  # of sound before it raises anything: music may fade in
START_S = 9.0  # of sound in which it may move at START_SLEW_DB_S when it is START_ERROR_DB off
START_SLEW_DB_S = 3.0
START_ERROR_DB = 2.0
SILENT_LUFS = -60.0  # nothing below counts
BREAK_LU = 8.0  # so far below the music so far is a break
PATIENCE_S = 10.0  # a break that lasts longer is the music
BURST_LU = 6.0  # so far above the music so far is other music
FRESH_S = 1.0  # how much of the memory is kept when the music is another
_MOMENTARY_S = 0.4


class LevelControl:
    """Fed one power for each quantum of ``quantum_s`` seconds; gives the gain in dB at its end."""

    def __init__(self, target_lufs: float, quantum_s: float) -> None:
        self._target, self._step_s = target_lufs, quantum_s
        self._recent = np.zeros(max(1, round(_MOMENTARY_S / quantum_s)))  # powers of the last 400 ms
        self._mean = 0.0  # power over the memory
        self._memory_s = 0.0  # how long a time the mean stands for
        self._heard_s = 0.0
        self._below_s = 0.0
        self.gain_db = 0.0

    def next_gain_db(self, power: float) -> float:
        """The gain at the end of a quantum of this power."""
        self._recent = np.append(self._recent[1:], power)
        momentary = lufs(float(np.mean(self._recent)))
        if momentary < SILENT_LUFS:
            return self.gain_db
        mean = lufs(self._mean)
        self._below_s = self._below_s + self._step_s if momentary < mean - BREAK_LU else 0.0
        if 0.0 < self._below_s <= PATIENCE_S:
            return self.gain_db
        if self._below_s or momentary > mean + BURST_LU:
            self._memory_s = min(self._memory_s, FRESH_S)
        self._heard_s += self._step_s
        self._memory_s = min(self._memory_s + self._step_s, MEMORY_S)
        self._mean += (power - self._mean) * self._step_s / self._memory_s
        error = min(MAX_BOOST_DB, max(-MAX_CUT_DB, self._target - lufs(self._mean))) - self.gain_db
        if self._heard_s < (LISTEN_S if error > 0 else _MOMENTARY_S):
            return self.gain_db
        starting = self._heard_s < START_S
        too_much = self.gain_db > 0.0 > error
        hurry = abs(error) > START_ERROR_DB and (starting or too_much)
        step_db = (START_SLEW_DB_S if hurry else SLEW_DB_S) * self._step_s
        self.gain_db += math.copysign(min(abs(error), step_db), error)
        return self.gain_db

    def arrays(self) -> dict[str, F64]:
        """The state."""
        numbers = np.array([self._mean, self._memory_s, self._heard_s, self._below_s, self.gain_db])
        return {"recent": self._recent, "numbers": numbers}

    def restore(self, arrays: dict[str, F64]) -> None:
        """Continue from ``arrays``."""
        self._recent = arrays["recent"].astype(np.float64)
        self._mean, self._memory_s, self._heard_s, self._below_s, self.gain_db = (float(n) for n in arrays["numbers"])
