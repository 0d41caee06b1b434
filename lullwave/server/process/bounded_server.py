"""The uvicorn server that both servers use: it stops within a limit, and says when it is ready."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable
from types import FrameType

from .reloading import ReloadingServer
from .repeated_logs import on_loop_error

STOP_S = 8.0  # most seconds from the first signal to the end of the process; Docker kills after 10
BACKLOG = 2048  # connections that the kernel holds until they are accepted
ACCEPTED_AT_ONCE = 8  # connections that are accepted before the event loop does anything else

log = logging.getLogger(__name__)


class BoundedServer(ReloadingServer):
    """Calls ``ready`` once it answers requests, and ends the process if a stop by signal takes longer than ``STOP_S``.

    The config's ``backlog`` must be ``ACCEPTED_AT_ONCE``: asyncio accepts that many connections in one turn.
    """

    ready: Callable[[], None] = staticmethod(lambda: None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(on_loop_error)
        await super().startup(sockets)
        for bound in sockets or ():
            bound.listen(BACKLOG)  # asyncio has lowered it to ``ACCEPTED_AT_ONCE``
        if self.started:
            self.ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            limit = threading.Timer(STOP_S, _end_process, (sig,))
            limit.daemon = True
            limit.start()
        super().handle_exit(sig, frame)


def _end_process(sig: int) -> None:
    log.error("the server did not stop within %g s and is ended", STOP_S)
    os._exit(128 + sig)  # as a shell reports a process that a signal ended
