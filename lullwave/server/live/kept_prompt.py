"""Keeps the prompt that a station was steered to in a file, so that the station plays it again after a restart.

The file is removed when the station plays its own programme again, and counts only while the station's prompts and
hours in the settings are what they were. Knows nothing of HTTP.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...clock import Clock
from ...errors import PromptError
from ...prompt import Prompt
from ...settings.stations import StationSettings, minute_of_day
from ...station import Event, Station
from ...storage.atomic_files import read_json, write_json

log = logging.getLogger(__name__)


class KeptPrompt:
    """The file of one station. ``read`` before the station is made; then ``follow`` it."""

    def __init__(self, path: Path, clock: Clock, executor: Executor) -> None:
        self._path = path
        self._clock = clock
        self._executor = executor

    def read(self, config: StationSettings) -> str | None:
        """The prompt that a station was steered to before the restart; None if it plays its own programme."""
        try:
            kept = read_json(self._path)
            if kept is None or kept["own"] != self._own(config):
                return None
            return Prompt.parse(str(kept["prompt"])).source
        except (OSError, ValueError, KeyError, TypeError, RecursionError, PromptError) as error:
            log.warning("%s was not read, so station %s plays its own programme: %s", self._path, config.id, error)
            return None

    def follow(self, station: Station) -> None:
        """Write the file whenever ``station`` is steered, on the executor. Before the station starts."""

        def on_event(event: Event) -> None:
            if event.kind == "programme":
                kept = {"own": self._own(station.config), "prompt": event.data["prompt"]}
                with suppress(RuntimeError):  # the executor has been shut down
                    self._executor.submit(self._write, kept if event.data["steered"] else None)

        station.subscribe(on_event=on_event)

    def _own(self, config: StationSettings) -> dict[str, Any]:
        return config.programme(minute_of_day(self._clock.wall()))

    def _write(self, kept: Mapping[str, Any] | None) -> None:
        """Replace the file, or remove it. An error is logged: the music goes on."""
        try:
            if kept is None:
                self._path.unlink(missing_ok=True)
            else:
                write_json(self._path, kept)
        except OSError as error:
            log.warning("%s was not written, so a restart forgets what the station plays: %s", self._path, error)
