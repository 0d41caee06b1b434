"""Makes blocks of sound ahead of the player, on a thread of its own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator

from ..audio import Audio

AHEAD_S = 8.0  # seconds of sound that wait for the player
BEGIN_S = 1.0  # seconds that are ready before the first block is played


class ReadAhead:
    """Iterates over ``blocks``, which a thread makes up to ``ahead_s`` seconds early. One reader.

    ``close`` ends the thread; it does not interrupt the block that is being made. An error of the thread is raised
    where its block would have come.
    """

    def __init__(self, blocks: Iterable[Audio], ahead_s: float = AHEAD_S, begin_s: float = BEGIN_S) -> None:
        self._blocks = blocks
        self._ahead_s, self._begin_s = ahead_s, min(begin_s, ahead_s)
        self._changed = threading.Condition()
        self._ready: deque[Audio] = deque()
        self._ready_s = 0.0
        self._ended = self._closed = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._make, name="read-ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Audio]:
        wanted_s = self._begin_s
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._closed or self._ready_s >= wanted_s)  # noqa: B023
                if not self._ready:
                    if self._error is not None:
                        raise self._error
                    return
                block = self._ready.popleft()
                self._ready_s = sum(one.duration_s for one in self._ready)
                self._changed.notify_all()
            wanted_s = 1e-9
            yield block

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _make(self) -> None:
        try:
            for block in self._blocks:
                with self._changed:
                    self._ready.append(block)
                    self._ready_s += block.duration_s
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._closed or self._ready_s < self._ahead_s)
                    if self._closed:
                        return
        except BaseException as error:
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
