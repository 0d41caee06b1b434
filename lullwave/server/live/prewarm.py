"""Has the first seconds of every station made ahead of its first listener, who then need not wait for them.

Only where the embedded engine makes them: a neural model is not set to work for nobody. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio

from ...station.producer import EMBEDDED
from .channel import OnAirs

WARM_S = 4.0  # of music: the burst that a station begins with, and a little more
LOOK_S = 0.25
PATIENCE_S = 30.0  # for one station; the next is not to wait for its trouble


class Warming:
    """One station after the other, when the default one has all that it wants. On the event loop."""

    def __init__(self, onairs: OnAirs) -> None:
        self._onairs = onairs
        self._warm: set[str] = set()
        onairs.audience.watch(self._heard)
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        default = self._onairs.default.station
        await self._until_ready(default.id, 0.9 * self._onairs.settings.reserve_s)
        for name, onair in self._onairs.stations.items():
            station = onair.station
            if station is default or station.engine_name != EMBEDDED or self._onairs.audience.people(name):
                continue
            self._warm.add(name)
            station.start(WARM_S)
            await self._until_ready(name, WARM_S)

    async def _until_ready(self, name: str, reserve_s: float) -> None:
        """Return when a station has so much music ready, or when it takes too long."""
        for _ in range(round(PATIENCE_S / LOOK_S)):
            if self._onairs.stations[name].station.reserve_s >= reserve_s:
                return
            await asyncio.sleep(LOOK_S)

    def _heard(self, name: str, people: int) -> None:
        if people and name in self._warm:
            self._warm.discard(name)
            self._onairs.stations[name].station.fill_reserve()
