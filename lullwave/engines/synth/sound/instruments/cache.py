"""Rendered notes and strokes within a bounded number of bytes.

Sounds are kept as 16-bit integers with a scale, half the memory of floats at 98 dB below their peak.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .....audio import Samples


@dataclass(frozen=True, eq=False)
class Sound:
    """One rendered note or stroke."""

    values: npt.NDArray[np.int16]
    scale: np.float32

    @classmethod
    def of(cls, samples: Samples) -> Sound:
        """Rounded to 16 bits of its own peak."""
        scale = np.float32(max(float(np.abs(samples).max()), 1e-9) / 32767.0)
        values = np.rint(samples / scale).astype(np.int16)
        values.setflags(write=False)
        return cls(values, scale)

    def __len__(self) -> int:
        return len(self.values)

    def part(self, low: int, high: int) -> Samples:
        """Samples ``low`` up to ``high`` as a fresh array."""
        return np.asarray(self.values[low:high] * self.scale, np.float32)


class SoundCache:
    """Least recently used sounds are dropped first. Safe to share among threads.

    What is cached must be a pure function of its key, so that a dropped sound comes back with the same samples.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.bytes = 0
        self.hits = 0
        self.misses = 0
        self._sounds: OrderedDict[Hashable, Sound] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Samples]) -> Sound:
        """The sound of ``key``, made now if it is not there."""
        with self._lock:
            if (found := self._sounds.get(key)) is not None:
                self._sounds.move_to_end(key)
                self.hits += 1
                return found
            self.misses += 1
        made = Sound.of(make())  # outside of the lock: two threads may make the same sound, never a different one
        with self._lock:
            if key not in self._sounds:
                self._sounds[key] = made
                self.bytes += made.values.nbytes
                while self.bytes > self.limit_bytes and len(self._sounds) > 1:
                    _, dropped = self._sounds.popitem(last=False)
                    self.bytes -= dropped.values.nbytes
        return made

    def __len__(self) -> int:
        return len(self._sounds)
