"""Has the first seconds of every station made ahead of its first listener, who then need not wait for them.

Only where the embedded engine makes them: a neural model is not set to work for nobody. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio

from ...station.producer import EMBEDDED
from .channels import Channels

WARM_S = 4.0  # of music: the burst that a station begins with, and a little more
LOOK_S = 0.25
PATIENCE_S = 30.0  # for one station; the next is not to wait for its trouble


class Prewarmer:
    """One station after the other, when the default one has all that it wants. On the event loop."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self._warm: set[str] = set()
        channels.audience.watch(self._heard)
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        default = self._channels.default.station
        await self._until_ready(default.id, 0.9 * self._channels.settings.reserve_s)
        for name, channel in self._channels.stations.items():
            station = channel.station
            if station is default or station.engine_name != EMBEDDED or self._channels.audience.people(name):
                continue
            self._warm.add(name)
            station.start(WARM_S)
            await self._until_ready(name, WARM_S)

    async def _until_ready(self, name: str, reserve_s: float) -> None:
        """Return when a station has so much music ready, or when it takes too long."""
        for _ in range(round(PATIENCE_S / LOOK_S)):
            if self._channels.stations[name].station.reserve_s >= reserve_s:
                return
            await asyncio.sleep(LOOK_S)

    def _heard(self, name: str, people: int) -> None:
        if people and name in self._warm:
            self._warm.discard(name)
            self._channels.stations[name].station.fill_reserve()
