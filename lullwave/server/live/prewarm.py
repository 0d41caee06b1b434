"""Prepares the first seconds of every station after the start, so that its first listener need not wait for them.

Only stations that play the embedded engine: a neural model does not work without listeners. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio

from ...station.producer import EMBEDDED
from .channels import Channels

WARM_S = 4.0  # seconds of music to prepare: the burst of a new listener, and a little more
POLL_S = 0.25  # seconds between two looks at a station's buffer
TIMEOUT_S = 30.0  # seconds for one station; then the next one begins


class Prewarmer:
    """Prepares one station after the other, once the default station's buffer is full. Event loop only."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self._warm: set[str] = set()
        channels.audience.watch(self._heard)
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """Prepare no further stations."""
        self._task.cancel()

    async def _run(self) -> None:
        default = self._channels.default.station
        await self._until_ready(default.id, 0.9 * self._channels.settings.reserve_s)
        for name, channel in list(self._channels.stations.items()):
            station = channel.station
            gone = name not in self._channels.stations
            if gone or station is default or station.engine_name != EMBEDDED or self._channels.audience.people(name):
                continue
            self._warm.add(name)
            station.start(WARM_S)
            await self._until_ready(name, WARM_S)

    async def _until_ready(self, name: str, reserve_s: float) -> None:
        """Return when a station has ``reserve_s`` seconds in its buffer, or after ``TIMEOUT_S``."""
        for _ in range(round(TIMEOUT_S / POLL_S)):
            channel = self._channels.stations.get(name)
            if channel is None or channel.station.reserve_s >= reserve_s:
                return
            await asyncio.sleep(POLL_S)

    def _heard(self, name: str, people: int) -> None:
        if people and name in self._warm and name in self._channels.stations:
            self._warm.discard(name)
            self._channels.stations[name].station.fill_reserve()
