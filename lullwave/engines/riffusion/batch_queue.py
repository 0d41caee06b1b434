"""One pipeline, many customers: a bounded queue, neighbours of equal shape in one pass; knows nothing of HTTP."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field

from PIL import Image

from ...errors import Busy, EngineFailed, StreamClosed
from .denoising import Plan
from .pipeline import Cancelled, Leg, Pipeline, Progress

log = logging.getLogger(__name__)

_GUESS_S = 30.0  # how long a pass takes, before one was made


@dataclass(eq=False)
class Ticket:
    """A place in the queue. ``cancel`` frees it; a run whose customers have all gone is broken off."""

    leg: Leg
    plan: Plan
    progress: Progress | None = None
    result: Future[Image.Image] = field(default_factory=Future)
    gone: bool = False
    on_cancel: Callable[[], None] = lambda: None

    def cancel(self) -> None:
        """Nobody waits for this clip any longer."""
        self.gone = True
        self.result.cancel()
        self.on_cancel()

    @property
    def kind(self) -> tuple[object, ...]:
        """Tickets of one kind can be made in one pass."""
        return (self.plan, self.leg.latent_size, self.leg.strength, self.leg.image is None)


class Workshop:
    """Makes images on a thread of its own, in the order in which they were asked for."""

    def __init__(self, pipeline: Pipeline, max_batch: int = 4, max_waiting: int = 16) -> None:
        self._pipeline = pipeline
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._queue: list[Ticket] = []
        self._changed = threading.Condition()
        self._closed = False
        self._took_s = _GUESS_S
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """Tickets that have not begun."""
        with self._changed:
            return len(self._queue)

    def submit(self, leg: Leg, plan: Plan, progress: Progress | None = None) -> Ticket:
        """Take a place.

        Raises:
            Busy: every place is taken.
            StreamClosed: the workshop is closed.
        """
        ticket = Ticket(leg, plan, progress)
        ticket.on_cancel = lambda: self._leave(ticket)
        with self._changed:
            if self._closed:
                raise StreamClosed("the engine was closed")
            if len(self._queue) >= self._max_waiting:
                raise Busy(f"{len(self._queue)} clips wait already; at most {self._max_waiting} may", self._took_s)
            self._queue.append(ticket)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="riffusion", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return ticket

    def close(self) -> None:
        """Give up what waits, break off what runs, end the thread."""
        with self._changed:
            self._closed = True
            waiting, self._queue = self._queue, []
            self._changed.notify_all()
        for ticket in waiting:
            if not ticket.result.done():
                ticket.result.set_exception(StreamClosed("the engine was closed"))
        if self._thread is not None:
            self._thread.join()

    def _leave(self, ticket: Ticket) -> None:
        with self._changed:
            if ticket in self._queue:
                self._queue.remove(ticket)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                first = self._queue[0]
                batch = [ticket for ticket in self._queue if ticket.kind == first.kind][: self._max_batch]
                self._queue = [ticket for ticket in self._queue if ticket not in batch]
            self._make([ticket for ticket in batch if ticket.result.set_running_or_notify_cancel()])

    def _make(self, batch: list[Ticket]) -> None:
        if not batch:
            return

        def progress(done: int, of: int) -> None:
            for ticket in batch:
                if ticket.progress is not None and not ticket.gone:
                    ticket.progress(done, of)

        def nobody_waits() -> bool:
            return self._closed or all(ticket.gone for ticket in batch)

        began = time.monotonic()
        try:
            images = self._pipeline.make([ticket.leg for ticket in batch], batch[0].plan, progress, nobody_waits)
        except Cancelled as error:
            for ticket in batch:
                ticket.result.set_exception(CancelledError() if ticket.gone else StreamClosed(str(error)))
        except Exception as error:  # whatever the networks raise must reach whoever waits
            log.exception("a pass of %d clips failed", len(batch))
            failed = EngineFailed(f"the clip could not be made: {type(error).__name__}: {error}")
            failed.__cause__ = error
            for ticket in batch:
                ticket.result.set_exception(failed)
        else:
            self._took_s = time.monotonic() - began
            for ticket, image in zip(batch, images, strict=True):
                ticket.result.set_result(image)
