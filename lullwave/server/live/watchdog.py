"""Restarts the stations that fell silent or lost a thread, each by itself, inside the process. Knows nothing of HTTP.

A station whose restarts have failed for GIVEN_UP_S makes ``/healthz`` fail, so that whatever runs the process starts a
new one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

from ...clock import Clock
from ...station import Station

CHECK_S = 1.0  # seconds between two looks at the stations
SILENT_S = 8.0  # seconds without music on air after which a station counts as silent
STARTING_S = 60.0  # the same for a station that has not played yet: a slow machine loads its engine
RETRY_S, LONGEST_RETRY_S = 10.0, 160.0  # seconds from one restart of a station to the next: doubled each time
GIVEN_UP_S = 30.0  # seconds of failed restarts after which only a new process helps

log = logging.getLogger(__name__)


class Watchdog:
    """Looks after ``stations`` on a thread of its own. Thread-safe."""

    def __init__(self, stations: Mapping[str, Station], clock: Clock) -> None:
        self._stations = stations  # the present ones at each look
        self._clock = clock
        self._since: dict[str, float] = {}  # when a station was first seen broken; replaced as a whole
        self._retry_at: dict[str, float] = {}
        self._waits_s: dict[str, float] = {}  # before the next restart
        self._stopping = threading.Event()
        self._waiter = clock.waiter()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    @property
    def silent(self) -> list[str]:
        """The stations that are silent, or have lost a thread, and are being restarted."""
        return list(self._since)

    @property
    def given_up(self) -> list[str]:
        """The stations that restarts have not helped for GIVEN_UP_S; all of them if this thread has died."""
        if not self._thread.is_alive() and not self._stopping.is_set():
            return list(self._stations)
        now = self._clock.now()
        return [name for name, since in self._since.items() if now - since >= GIVEN_UP_S]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._waiter.wake()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._since = {name: since for name, since in self._since.items() if name in self._stations}
                for name, station in list(self._stations.items()):
                    self._look(name, station)
                self._waiter.wait_until(self._clock.now() + CHECK_S)
        finally:
            self._waiter.close()

    def _look(self, name: str, station: Station) -> None:
        """Restart a station that was broken at the last look too, unless its last restart was a moment ago."""
        now = self._clock.now()
        if station.alive and station.silent_s < (SILENT_S if station.edge else STARTING_S):
            if name in self._since:
                log.warning("station %s: plays again", name)
                self._since = {other: since for other, since in self._since.items() if other != name}
            return
        if name not in self._since:
            self._since = {name: now, **self._since}
            self._retry_at[name], self._waits_s[name] = now + CHECK_S, RETRY_S  # a computer that wakes needs a moment
        if now < self._retry_at[name]:
            return
        self._retry_at[name] = now + self._waits_s[name]
        self._waits_s[name] = min(2 * self._waits_s[name], LONGEST_RETRY_S)
        log.error("station %s: no music for %.0f s; restarting the station", name, station.silent_s)
        try:
            station.restart()
        except Exception:  # the other stations must not lose their watchdog
            log.exception("station %s: the restart failed", name)
