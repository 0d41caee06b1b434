"""Rate-limits log messages that clients can trigger: once a minute each, with a count."""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from typing import Any

EVERY_S = 60.0  # shortest time between two lines of one kind
STRANGERS_CAUSE = (  # loggers
    "asyncio",
    "uvicorn.error",
    "websockets.server",
    "lullwave.server.clip_service",
    "lullwave.server.errors",
    "lullwave.server.inference.session",
)
NO_FILES = frozenset({errno.EMFILE, errno.ENFILE})

log = logging.getLogger(__name__)


class OncePerMinute(logging.Filter):
    """Drops a record if one of the same message template and error came within ``EVERY_S``; counts what it dropped."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[str, tuple[float, int]] = {}  # kind → time of the last line, dropped since

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        fault = record.exc_info[1] if record.exc_info else None
        kind, now = f"{record.name} {str(record.msg)[:200]} {fault!r:.200}", time.monotonic()
        at, dropped = self._seen.get(kind, (float("-inf"), 0))
        if now - at < EVERY_S:
            self._seen[kind] = at, dropped + 1
            return False
        if len(self._seen) > 1000:  # templates that hold free text
            self._seen.clear()
        self._seen[kind] = now, 0
        if dropped:
            record.msg, record.args = f"{record.getMessage()} ({dropped} more like it before)", None
        return True


def limit_repeated_logs() -> None:
    """Install ``OncePerMinute`` on the loggers that strangers can make write."""
    once = OncePerMinute()
    for name in (*STRANGERS_CAUSE, log.name):
        logging.getLogger(name).addFilter(once)


def on_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Exception handler of an event loop: one line, without a traceback, when no file descriptor is left."""
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in NO_FILES:
        log.error("no file descriptor is left: new connections wait; raise the limit (ulimit -n, LimitNOFILE)")
    else:
        loop.default_exception_handler(context)
