"""Servers of one store as processes, and what is written in it."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from lullwave.errors import StorageUnavailable
from lullwave.segments.reader import SegmentReader
from lullwave.segments.segment import Manifest
from lullwave.storage.objects import open_store

from ..radio.scenes import Served
from ..radio.serving import free_port

STATION = "piano"


class Store(Protocol):
    """Where a store is, and the variables with which it is found."""

    url: str
    environment: dict[str, str]


class Web(Served):
    """A server of the store."""

    def __init__(self, folder: Path, name: str, store: Store, produce: bool, *flags: str) -> None:
        self.name, self.port = name, free_port()
        self.killed = False
        command = ["serve", "--store", store.url, "--port", str(self.port), "--data-dir", str(folder / name), *flags]
        command += ["--produce" if produce else "--no-produce", "--log-level", "info"]
        stations = json.dumps([{"id": STATION}])
        super().__init__(folder / f"{name}.log", *command, LULLWAVE_STATIONS=stations, **store.environment)

    @property
    def produces(self) -> bool:
        """Whether it makes the station's music; False if it does not answer."""
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=10.0) as reply:
            return STATION in json.load(reply)["produces"]
        return False


class Watch:
    """Reads the manifest all the time: how much of the programme is written ahead, and who writes it."""

    def __init__(self, url: str) -> None:
        self._reader = SegmentReader(open_store(url), STATION)
        self.looks: list[tuple[float, int, int, float]] = []  # when, epoch, next segment, seconds ahead
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def manifest(self) -> Manifest:
        assert self._reader.latest is not None
        return self._reader.latest

    def stop(self) -> None:
        self._stopping = True
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            with suppress(StorageUnavailable):
                manifest = self._reader.manifest()
                if manifest is not None:
                    ahead_s = manifest.air(manifest.next) - time.time()
                    self.looks.append((time.monotonic(), manifest.epoch, manifest.next, ahead_s))
            time.sleep(0.1)
