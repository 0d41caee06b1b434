"""Writes what a station airs into the history, off the air thread; knows no HTTP."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial

from ..clock import Clock
from ..history import History, KeptState
from ..settings import Settings
from ..station import RATE, Aired, Epoch, Event, Station

log = logging.getLogger(__name__)


class Recorder:
    """Listens to one station. Its run begins with the first thing that it airs."""

    def __init__(
        self, station: Station, history: History, executor: Executor, settings: Settings, clock: Clock
    ) -> None:
        self._station = station
        self._history = history
        self._executor = executor
        self._settings = settings
        self._clock = clock
        self._run: int | None = None
        self._epoch: Epoch | None = None
        self._failed = False
        station.subscribe(self._aired, self._event)

    def _aired(self, aired: Aired) -> None:
        """On the air thread: hand over what is to be kept."""
        if aired.epoch != self._epoch:
            self._epoch = epoch = aired.epoch
            self._later(lambda run: self._history.epoch(run, epoch.frame, epoch.wall))
        for state in aired.block.states:
            kept = KeptState(
                state.frame,
                state.engine,
                state.snapshot,
                state.skip,
                state.overlap,
                aired.block.frame,
                aired.master_state,
            )
            self._later(partial(self._keep, kept))

    def _keep(self, kept: KeptState, run: int) -> None:
        self._history.state(run, kept)

    def _event(self, event: Event) -> None:
        if event.kind in ("piece", "steer"):
            self._later(lambda run: self._history.event(run, event.frame, event.kind, event.data))
        elif event.kind == "state" and event.data["state"] in ("asleep", "stopped") and self._epoch is not None:
            self._later(lambda run: self._history.event(run, event.frame, "end", {}))

    def _later(self, write: Callable[[int], None]) -> None:
        with suppress(RuntimeError):  # the executor has ended
            self._executor.submit(self._write, write)

    def _write(self, write: Callable[[int], None]) -> None:
        try:
            if self._run is None:
                levels = self._settings.loudness_lufs, self._settings.ceiling_dbtp
                self._run = self._history.begin(self._station.id, self._clock.wall(), RATE, *levels)
            write(self._run)
        except sqlite3.Error as error:
            if not self._failed:
                log.error("station %s: the history cannot be written: %s", self._station.id, error)
            self._failed = True
