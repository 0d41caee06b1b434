"""Writes what a station plays into the history, on an executor; knows no HTTP."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from ...archive.history import History, SavedState
from ...clock import Clock
from ...errors import StorageUnavailable
from ...settings import Settings
from ...station import RATE, Epoch, Event, PlayoutStep, Station

AIRED_EVERY_S = 2.0  # seconds of music after which it is noted that they were on air, in case the server is killed
PRUNE_EVERY_S = 3600.0  # seconds between two deletions of old entries

log = logging.getLogger(__name__)


class _Run(NamedTuple):
    """A run in the history."""

    id: int
    began: float  # seconds since 1970


class HistoryRecorder:
    """Records one station. Its run in the history begins with the first step of the playout.

    ``_on_step`` and ``_on_event`` run on the station's threads and only queue writes; the executor's one thread writes.
    """

    def __init__(
        self, station: Station, history: History, executor: Executor, settings: Settings, clock: Clock
    ) -> None:
        self._station = station
        self._history = history
        self._executor = executor
        self._settings = settings
        self._clock = clock
        self._run: _Run | None = None
        self._epoch: Epoch | None = None
        self._frame = 0  # first frame of the present step
        self._aired = 0  # frame up to which it was noted that the run was on air
        self._pruned = -PRUNE_EVERY_S  # when, by the clock
        self._failed_at: int | None = None  # the frame from which nothing could be written
        station.subscribe(self._on_step, self._on_event)

    def _on_step(self, step: PlayoutStep) -> None:
        """Queue the states and epoch of a step. Playout thread."""
        self._frame = step.block.frame
        if step.epoch != self._epoch:
            self._epoch = epoch = step.epoch
            self._aired = epoch.frame
            self._later(lambda run: self._history.add_epoch(run, epoch.frame, epoch.wall))
        for state in step.block.restore_points:
            kept = SavedState(
                state.frame,
                state.engine,
                state.snapshot,
                state.skip,
                state.overlap,
                step.block.frame,
                step.master_state,
            )
            self._later(partial(self._keep, kept))
        end = step.block.frame + len(step.block.samples)
        if end >= self._aired + AIRED_EVERY_S * RATE:
            self._aired = end
            self._later(lambda run: self._history.add_aired(run, end))
        if self._clock.now() >= self._pruned + PRUNE_EVERY_S:
            self._pruned, wall = self._clock.now(), self._clock.wall()
            self._later(lambda run: self._history.prune(wall))  # writes may be late: by their time, this run is alive

    def _keep(self, kept: SavedState, run: int) -> None:
        self._history.add_state(run, kept)

    def _on_event(self, event: Event) -> None:
        if event.kind in ("piece", "steer"):
            self._later(lambda run: self._history.add_event(run, event.frame, event.kind, event.data))
        elif event.kind == "state" and event.data["state"] in ("asleep", "stopped") and self._epoch is not None:
            self._later(lambda run: self._history.add_event(run, event.frame, "end", {}))

    def _later(self, write: Callable[[int], None]) -> None:
        frame = self._frame
        with suppress(RuntimeError):  # the executor has been shut down
            self._executor.submit(self._write, write, frame)

    def _write(self, write: Callable[[int], None], frame: int) -> None:
        """Write on the executor. A failure ends the run: what follows the gap belongs to another run."""
        try:
            if self._failed_at is not None:
                self._begin_again(frame)
            if self._run is None:
                self._run = self._begin()
            write(self._run.id)
        except StorageUnavailable as error:
            if self._failed_at is None:
                log.error("station %s: %s; playing goes on", self._station.id, error)
                self._failed_at = frame

    def _begin(self) -> _Run:
        levels = self._settings.loudness_lufs, self._settings.ceiling_dbtp
        wall = self._clock.wall()
        return _Run(self._history.begin_run(self._station.id, wall, RATE, *levels), wall)

    def _begin_again(self, frame: int) -> None:
        """Start a new run after a gap, and end the old one where the gap began."""
        assert self._failed_at is not None
        run = self._begin()
        if self._run is not None:
            self._history.end_run(self._run.id, self._station.id, self._run.began, self._failed_at)
        epoch = self._epoch
        if epoch is not None:
            self._history.add_epoch(run.id, frame, epoch.wall + (frame - epoch.frame) / RATE)
        self._run, self._failed_at = run, None
        log.info("station %s: writing the history again", self._station.id)
