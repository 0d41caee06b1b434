"""Writes what a station plays into the history, on an executor; knows no HTTP."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial

from ...archive.history import History, SavedState
from ...clock import Clock
from ...errors import NotFound, StorageUnavailable
from ...settings import Settings
from ...station import RATE, Epoch, Event, PlayoutStep, Station

log = logging.getLogger(__name__)


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
        self._run: int | None = None
        self._epoch: Epoch | None = None
        self._frame = 0  # first frame of the present step
        self._failed_at: int | None = None  # the frame from which nothing could be written
        station.subscribe(self._on_step, self._on_event)

    def _on_step(self, step: PlayoutStep) -> None:
        """Queue the states and epoch of a step. Playout thread."""
        self._frame = step.block.frame
        if step.epoch != self._epoch:
            self._epoch = epoch = step.epoch
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
            write(self._run)
        except StorageUnavailable as error:
            if self._failed_at is None:
                log.error("station %s: %s; playing goes on", self._station.id, error)
                self._failed_at = frame

    def _begin(self) -> int:
        levels = self._settings.loudness_lufs, self._settings.ceiling_dbtp
        return self._history.begin_run(self._station.id, self._clock.wall(), RATE, *levels)

    def _begin_again(self, frame: int) -> None:
        """Start a new run after a gap, and end the old one where the gap began."""
        assert self._failed_at is not None
        run = self._begin()
        if self._run is not None:
            with suppress(NotFound):  # the old run is in another file
                self._history.levels(self._run)
                self._history.add_event(self._run, self._failed_at, "end", {})
        epoch = self._epoch
        if epoch is not None:
            self._history.add_epoch(run, frame, epoch.wall + (frame - epoch.frame) / RATE)
        self._run, self._failed_at = run, None
        log.info("station %s: writing the history again", self._station.id)
