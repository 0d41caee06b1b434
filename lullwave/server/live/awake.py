"""Decides which stations may be awake together: as many as the machine plays without a gap. Knows nothing of HTTP.

A station that sleeps costs nothing; each one that is awake costs the processor its composition, mastering and encoding,
and beyond a limit all of them fall silent together. So a listener wakes a station only while there is room. One place
is the default station's. Private streams take the places that stations leave, and give them up when a station wakes.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from ...audio import Audio
from ...codecs import Mp3Encoder
from ...engines.base import Engine
from ...mastering import Master
from ...request import Request
from ...settings import Settings
from ...station import Event
from ..errors import StationBusy
from .channel import Channel

PROVISIONAL = 4  # stations that may be awake until the limit is measured
WARM_UP_S, MEASURED_S = 6.0, 6.0  # seconds of music that are rendered to measure the limit: the second part counts
PROCESSOR_SHARE = 0.4  # of one processor for music: all who come may come at once, and then every note is new
CLAIM_S = 3.0  # seconds in which a listener that was admitted begins to count as one
STEERED_S = 20.0  # seconds in which a sleeping station that is steered makes its new music
RETRY_S = 20.0  # seconds after which a listener that was refused may ask again
CGROUP_LIMIT = Path("/sys/fs/cgroup/cpu.max")  # what a container may use: "QUOTA PERIOD", or "max PERIOD"

log = logging.getLogger(__name__)


class AwakeStations:
    """Admits listeners to stations. Event loop only.

    ``channels`` are all stations, ``private`` all private streams, oldest first: the present ones at each look.
    ``end_private`` ends one of these.
    """

    def __init__(
        self,
        settings: Settings,
        channels: Mapping[str, Channel],
        private: Mapping[str, Channel],
        end_private: Callable[[str], None],
    ) -> None:
        self.limit = settings.max_awake or PROVISIONAL
        self.refused = 0  # listeners that were told "busy"
        self._default = settings.default_station
        self._channels = channels
        self._private = private
        self._end_private = end_private
        self._claims: dict[str, float] = {}  # station → until, in the event loop's time: its listener is on the way
        self._told: set[str] = set()  # stations whose last event said that they are busy

    @property
    def awake(self) -> list[str]:
        """The stations that are on air, or are about to be."""
        return self._awake_of(self._channels)

    def busy(self, name: str) -> bool:
        """Tell whether a listener of a station, or of a private stream, old or new, would be refused."""
        if name == self._default or self._wanted(name):
            return False
        return self._full(private=name not in self._channels)

    def check(self, name: str) -> None:
        """Refuse to wake a station or a private stream for which there is no room.

        Raises:
            StationBusy
        """
        if self.busy(name):
            self.refused += 1
            if name not in self._channels:
                raise StationBusy(
                    f"this machine already plays as much as it can at once ({self.limit}), and the stations come "
                    "first; try again later",
                    RETRY_S,
                )
            choice = ", ".join(other for other in self._channels if other == self._default or self._wanted(other))
            raise StationBusy(
                f"the station {name} sleeps, and this machine already plays as many stations as it can ({self.limit}); "
                f"choose one of these, or try again later: {choice}",
                RETRY_S,
            )

    def admit(self, name: str, for_s: float = CLAIM_S) -> None:
        """Hold a place for a station whose listener is about to begin, or that has music to make.

        Raises:
            StationBusy: there is no room.
        """
        self.check(name)
        if not self._wanted(name):
            self._make_room(name)
        loop = asyncio.get_running_loop()
        self._claims[name] = max(self._claims.get(name, 0.0), loop.time() + for_s)
        loop.call_later(for_s + 0.1, self.update)  # the listener may be gone before it began
        self.update()

    def measured(self, limit: int) -> None:
        """Take over a measured limit."""
        self.limit = limit
        self.update()

    def update(self) -> None:
        """Publish which stations have become busy, or are not any more. Call it when listeners come or go."""
        for name in list(self._claims):
            channel = self._channel(name)
            if channel is None or channel.wanted:
                del self._claims[name]  # its listener is counted now
        full = self._full()
        busy = {name for name in self._channels if full and name != self._default and not self._wanted(name)}
        for name in busy ^ self._told:
            if name in self._channels:
                channel = self._channels[name]
                channel.events.publish(Event("busy", channel.edge, {"busy": name in busy}))
        self._told = busy

    def _full(self, private: bool = False) -> bool:
        """Whether all places but the default station's are taken; private streams take none from a station."""
        names = [*self._channels, *self._private] if private else self._channels
        return sum(self._wanted(name) for name in names if name != self._default) >= self.limit - 1

    def _channel(self, name: str) -> Channel | None:
        return self._channels.get(name) or self._private.get(name)

    def _wanted(self, name: str) -> bool:
        """Whether a station has listeners, or one is on the way."""
        until = self._claims.get(name, 0.0)
        if until and until < asyncio.get_running_loop().time():
            del self._claims[name]
        channel = self._channel(name)
        return name in self._claims or (channel is not None and channel.wanted)

    def _awake_of(self, channels: Mapping[str, Channel]) -> list[str]:
        return [name for name, one in channels.items() if self._wanted(name) or one.station.state == "on air"]

    def _make_room(self, name: str) -> None:
        """Make room for ``name``: stations that play on without listeners sleep at once; then private streams end.

        The newest ends first, and only for a station.
        """
        reserved = {name, self._default}  # one place each
        private = [other for other in self._awake_of(self._private) if other != name]
        others = [*(other for other in self.awake if other not in reserved), *private]
        too_many = len(others) + len(reserved) - self.limit
        for other in [other for other in others if not self._wanted(other)][: max(0, too_many)]:
            if (channel := self._channel(other)) is not None:
                channel.station.sleep_early()
            too_many -= 1
        if name in self._channels:
            for other in [one for one in reversed(private) if self._wanted(one)][: max(0, too_many)]:
                self._end_private(other)


def measure_limit(engine: Engine, settings: Settings, stopping: threading.Event) -> int | None:
    """How many stations this machine plays at once, from the processor time of a few seconds of music.

    None if ``stopping`` was set meanwhile. ``engine`` is the embedded one: every station may have to fall back to it.
    """
    # music with an end, which the engine does not remember as played
    with engine.stream(Request(settings.stations[0].prompt(), 1, duration_s=60.0)) as stream:
        master = Master(stream.rate, stream.channels, settings.loudness_lufs, settings.ceiling_dbtp)
        encoder = Mp3Encoder(stream.rate, stream.channels, settings.bitrate_kbps)
        began = 0.0
        for n in range(round(2 * (WARM_UP_S + MEASURED_S))):
            if stopping.is_set():
                return None
            if n == round(2 * WARM_UP_S):
                began = time.thread_time()
            block: Audio = stream.read(stream.rate // 2)
            encoder.encode(master.process(block))
        took_s = max(time.thread_time() - began, 1e-4)
    limit = stations_at(took_s / MEASURED_S, processors())
    log.info(
        "one second of music takes %.0f ms of a processor: at most %d stations are awake at once (setting max_awake)",
        1000 * took_s / MEASURED_S,
        limit,
    )
    return limit


def stations_at(cost: float, available: float) -> int:
    """How many stations may be awake, where a second of music costs ``cost`` seconds of one processor.

    ``available``: processors that this process may use; more than one do not help.
    """
    return max(1, int(PROCESSOR_SHARE * min(1.0, available) / cost))


def processors(limit: Path = CGROUP_LIMIT) -> float:
    """The processors that a container's limit allows; infinite without one."""
    with suppress(OSError, ValueError):
        quota, period = limit.read_text().split()
        return float(quota) / float(period)
    return float("inf")
