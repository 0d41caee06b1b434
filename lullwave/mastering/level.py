"""Level control: a slowly moving gain that brings the music to its target loudness.

It follows K-weighted power, and makes up for what the limiter behind it takes. Fades and breaks do not raise the gain:
music far below the level so far is ignored until it has lasted ``PATIENCE_S``. The gain moves faster during the first
seconds of sound, and when a boost is too high.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from .biquads import F64
from .loudness import lufs

MAX_BOOST_DB = 24.0  # largest gain
MAX_CUT_DB = 30.0  # largest attenuation
MEMORY_S = 12.0  # time constant of the mean loudness that sets the gain
SLEW_DB_S = 0.5  # fastest change of the gain, in dB per second
LISTEN_S = 3.0  # seconds of sound before the gain may rise: music may fade in
START_S = 9.0  # in the first seconds of sound, the gain may change at START_SLEW_DB_S
START_SLEW_DB_S = 3.0  # fastest change at the start, or when a boost is too high, in dB per second
START_ERROR_DB = 2.0  # smaller errors are corrected at SLEW_DB_S even then
SILENT_LUFS = -60.0  # quieter sound does not count
BREAK_LU = 10.0  # sound this far below the mean is a break, as for the gate of BS.1770
PATIENCE_S = 10.0  # a break that lasts longer counts as music
BURST_LU = 6.0  # sound this far above the mean is taken for new music
FRESH_S = 1.0  # seconds of the memory that are kept when new music begins
MAKE_UP_DB = 1.5  # the most that is made up for the limiter
_MOMENTARY_S = 0.4  # window of the momentary loudness (EBU Tech 3341)


class LevelControl:
    """Takes the power of each quantum of ``quantum_s`` seconds and returns the gain in dB at its end. One thread."""

    def __init__(self, target_lufs: float, quantum_s: float) -> None:
        self._target, self._step_s = target_lufs, quantum_s
        self._recent = np.zeros(max(1, round(_MOMENTARY_S / quantum_s)))  # powers of the last 400 ms
        self._mean = 0.0  # mean power over the memory
        self._memory_s = 0.0  # seconds that the mean covers, at most MEMORY_S
        self._heard_s = 0.0
        self._below_s = 0.0
        self._limited = np.zeros(2)  # mean power before and after the limiter over the memory
        self.gain_db = 0.0

    def next_gain_db(self, power: float) -> float:
        """The gain in dB at the end of a quantum with this K-weighted power."""
        self._recent[:-1] = self._recent[1:]
        self._recent[-1] = power
        momentary = lufs(float(self._recent.sum()) / len(self._recent))
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
        wanted_db = self._target - lufs(self._mean) + self._make_up_db()
        error = min(MAX_BOOST_DB, max(-MAX_CUT_DB, wanted_db)) - self.gain_db
        if self._heard_s < (LISTEN_S if error > 0 else _MOMENTARY_S):
            return self.gain_db
        starting = self._heard_s < START_S
        too_much = self.gain_db > 0.0 > error
        hurry = abs(error) > START_ERROR_DB and (starting or too_much)
        step_db = (START_SLEW_DB_S if hurry else SLEW_DB_S) * self._step_s
        self.gain_db += math.copysign(min(abs(error), step_db), error)
        return self.gain_db

    def note_limited(self, before: float, after: float) -> None:
        """Take note of the power of a quantum before and after the limiter."""
        self._limited += (np.array([before, after]) - self._limited) * (self._step_s / MEMORY_S)

    def _make_up_db(self) -> float:
        """What the limiter took lately, in dB."""
        before, after = (float(power) for power in self._limited)
        return min(MAKE_UP_DB, 10.0 * math.log10(before / after)) if after > 0.0 else 0.0

    def arrays(self) -> dict[str, F64]:
        """The state, for ``restore``."""
        numbers = np.array([self._mean, self._memory_s, self._heard_s, self._below_s, self.gain_db])
        return {"recent": self._recent.copy(), "numbers": numbers, "limited": self._limited.copy()}

    def restore(self, arrays: Mapping[str, F64]) -> None:
        """Continue from a state that ``arrays`` returned."""
        self._recent = arrays["recent"].astype(np.float64)
        self._limited = arrays.get("limited", np.zeros(2)).astype(np.float64)  # absent from states before 0.2.0
        self._mean, self._memory_s, self._heard_s, self._below_s, self.gain_db = (float(n) for n in arrays["numbers"])
