"""Who is next: a few threads that work for many clients in turn; knows nothing of music or of sockets.

Each client has a table, each of its pieces of work a seat there. Whoever asks for ten things at once gets no more of
the threads than who asks for one: tables take turns, and the seats of a table among themselves. A turn is short (one
block of music, one command), and a seat is served by one thread at a time.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import Protocol

log = logging.getLogger(__name__)


class Seat(Protocol):
    """Something that has work to do now and then."""

    def due(self) -> bool:
        """Whether there is something to do. Quick; any thread."""

    def work(self) -> None:
        """One turn's worth of it, on a worker's thread."""


class Table:
    """The seats of one client."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.seats: deque[Seat] = deque()

    def sit(self, seat: Seat) -> None:
        """Let ``seat`` take part."""
        with self._turns.changed:
            self.seats.append(seat)
            self._turns.changed.notify_all()

    def rise(self, seat: Seat) -> None:
        """Let ``seat`` take part no longer; a turn that it has now is its last."""
        with self._turns.changed:
            if seat in self.seats:
                self.seats.remove(seat)

    def leave(self) -> None:
        """The client is gone."""
        with self._turns.changed:
            self.seats.clear()
            if self in self._turns.tables:
                self._turns.tables.remove(self)


class Turns:
    """The threads and the tables that they serve."""

    def __init__(self, workers: int) -> None:
        self.changed = threading.Condition()
        self.tables: deque[Table] = deque()
        self._busy: list[Seat] = []
        self._closed = False
        self._threads = [
            threading.Thread(target=self._serve, name=f"turns-{number}", daemon=True) for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def table(self) -> Table:
        """A place for another client."""
        table = Table(self)
        with self.changed:
            self.tables.append(table)
        return table

    def wake(self) -> None:
        """Some seat has something to do."""
        with self.changed:
            self.changed.notify_all()

    def busy(self, seat: Seat) -> bool:
        """Whether a thread works for ``seat`` now."""
        return seat in self._busy

    def waiting(self) -> int:
        """How many seats wait for a thread."""
        with self.changed:
            return sum(seat.due() and seat not in self._busy for table in self.tables for seat in table.seats)

    def close(self, timeout_s: float = 1.0) -> None:
        """Let the threads end after what they do now, and wait a little for them."""
        with self.changed:
            self._closed = True
            self.changed.notify_all()
        for thread in self._threads:
            thread.join(timeout_s / len(self._threads))

    def _serve(self) -> None:
        while True:
            with self.changed:
                while (seat := self._next()) is None and not self._closed:
                    self.changed.wait()
                if seat is None or self._closed:
                    return
                self._busy.append(seat)
            try:
                seat.work()
            except Exception:
                log.exception("%r failed", seat)
            finally:
                with self.changed:
                    self._busy.remove(seat)
                    self.changed.notify_all()

    def _next(self) -> Seat | None:
        """The next seat with something to do; its table and it go to the end of their rows."""
        for _ in range(len(self.tables)):
            table = self.tables[0]
            self.tables.rotate(-1)
            for _ in range(len(table.seats)):
                seat = table.seats[0]
                table.seats.rotate(-1)
                if seat not in self._busy and seat.due():
                    return seat
        return None
