"""Ends a command on Ctrl-C, SIGTERM and a closed terminal (SIGHUP) by an exception, so that no part file stays.

The servers have handlers of their own: ``leave_to_server`` gives SIGTERM back to them.
"""

from __future__ import annotations

import os
import signal
from typing import NoReturn

from ..storage.atomic_files import delete_unfinished

INSIST_S = 0.8  # seconds after which a signal that some library swallowed is raised again
_ENDING = ("SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class StoppedBySignal(BaseException):
    """SIGTERM or SIGHUP arrived; raised on the main thread wherever it is."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def raise_on_signals() -> None:
    """Raise KeyboardInterrupt on Ctrl-C, and ``StoppedBySignal`` on the other signals unless they are ignored.

    What some library swallows (a bare ``except`` around an import, say) comes again ``INSIST_S`` later.
    """
    last: list[int] = [signal.SIGINT]

    def stop(number: int, frame: object) -> NoReturn:
        if number in numbers:
            last[0] = number
        again_in(INSIST_S)
        raise KeyboardInterrupt if last[0] == signal.SIGINT else StoppedBySignal(last[0])

    numbers = [signal.SIGINT, *_default_endings()]
    for number in numbers:
        signal.signal(number, stop)
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, stop)


def leave_to_server() -> None:
    """Let SIGTERM end the process at once until the server handles it, as after the server has stopped."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def begin_worker() -> None:
    """Set up a worker process: the process that started it handles Ctrl-C, and ends its workers by SIGTERM."""

    def stop(number: int, frame: object) -> NoReturn:
        raise StoppedBySignal(number)

    for number in _default_endings():
        signal.signal(number, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def end_by(number: int) -> NoReturn:
    """End this process by a signal, as it would have ended without a handler; delete files that are unfinished."""
    again_in(0.0)
    delete_unfinished()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # Windows


def again_in(seconds: float) -> None:
    """Raise the last signal again after this time; 0 is never. Windows has no such timer."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _default_endings() -> list[int]:
    """The signals that end this process: those ignored, such as SIGHUP under ``nohup``, stay so."""
    numbers = [getattr(signal, name) for name in _ENDING if hasattr(signal, name)]
    return [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
