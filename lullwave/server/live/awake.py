"""Decides which stations may be awake together: as many as the machine plays without a gap. Knows nothing of HTTP.

A station that sleeps costs nothing; each one that is awake costs the processor its composition, mastering and encoding,
and beyond a limit all of them fall silent together. So a listener wakes a station only while there is room. One place
is the default station's. Private streams take the places that stations leave, and give them up when a station wakes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from ...settings import Settings
from ...station import Event
from ..errors import StationBusy
from .capacity import PROVISIONAL, Capacity, processors
from .channel import Channel

CLAIM_S = 3.0  # seconds in which a listener that was admitted begins to count as one
STEERED_S = 20.0  # seconds in which a sleeping station that is steered makes its new music
RETRY_S = 20.0  # seconds after which a listener that was refused may ask again


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
        self.capacity = Capacity(settings.max_awake or PROVISIONAL, processors=processors())
        self.refused = 0  # listeners that were told "busy"
        self._default = settings.default_station
        self._channels = channels
        self._private = private
        self._end_private = end_private
        self._claims: dict[str, float] = {}  # station → until, in the event loop's time: its listener is on the way
        self._told: set[str] = set()  # stations whose last event said that they are busy

    @property
    def limit(self) -> int:
        """How many stations may be awake at once."""
        return self.capacity.stations

    @property
    def private_limit(self) -> int:
        """How many private streams may play beside the stations that are awake."""
        return self.capacity.private(len({self._default, *filter(self._wanted, self._channels)}))

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

    def measured(self, capacity: Capacity) -> None:
        """Take over what was measured."""
        self.capacity = capacity
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
        if private:
            return sum(map(self._wanted, self._private)) >= self.private_limit
        return sum(self._wanted(name) for name in self._channels if name != self._default) >= self.limit - 1

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
        stations = {self._default, *self.awake} | ({name} & self._channels.keys())
        private = [name, *self._awake_of(self._private)] if name in self._private else self._awake_of(self._private)
        private = list(dict.fromkeys(private))

        def too_many() -> bool:
            return len(stations) > self.limit or len(private) > self.capacity.private(len(stations))

        def idle(names: Iterable[str]) -> list[str]:
            return [one for one in names if one not in (name, self._default) and not self._wanted(one)]

        for other in [*idle(self.awake), *idle(private)]:
            if not too_many():
                return
            if (channel := self._channel(other)) is not None:
                channel.station.sleep_early()
            stations.discard(other)
            if other in private:
                private.remove(other)
        if name in self._channels:
            for other in [one for one in reversed(private) if self._wanted(one)]:
                if too_many():
                    self._end_private(other)
                    private.remove(other)
