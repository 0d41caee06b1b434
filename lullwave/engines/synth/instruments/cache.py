"""Rendered notes and strokes within a bounded number of bytes; knows nothing of what they sound like."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from ....audio import Samples


class SoundCache:
    """Least recently used sounds are dropped first. Safe to share among threads.

    What is cached must be a pure function of its key, so that a dropped sound comes back with the same samples.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.bytes = 0
        self.hits = 0
        self.misses = 0
        self._sounds: OrderedDict[Hashable, Samples] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Samples]) -> Samples:
        """The sound of ``key``, made now if it is not there. It must not be written to."""
        with self._lock:
            if (found := self._sounds.get(key)) is not None:
                self._sounds.move_to_end(key)
                self.hits += 1
                return found
            self.misses += 1
        made = make()  # outside of the lock: two threads may make the same sound, never a different one
        made.setflags(write=False)
        with self._lock:
            if key not in self._sounds:
                self._sounds[key] = made
                self.bytes += made.nbytes
                while self.bytes > self.limit_bytes and len(self._sounds) > 1:
                    _, dropped = self._sounds.popitem(last=False)
                    self.bytes -= dropped.nbytes
        return made

    def __len__(self) -> int:
        return len(self._sounds)
