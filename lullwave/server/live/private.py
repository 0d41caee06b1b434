"""Private streams: forks of stations, each heard and steered by one listener alone. Knows nothing of HTTP.

A private stream is a station like the others, but nothing of it is kept or listed: no history, no clips, no prompt for
the next start. Its id cannot be guessed; a client that has it may listen and steer. It ends soon after its last
connection, and when a station needs its place.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

from ...clock import Clock
from ...engines.base import Engine
from ...errors import Busy, EngineFailed
from ...refused_words import RefusedWords
from ...settings import Settings
from ...settings.stations import StationSettings
from ...station import Event, Fork, Station
from ...station.output import OpenOutput
from ...station.producer import EMBEDDED
from ..errors import Full
from .audience import Audience
from .channel import Channel
from .prompt_queue import PromptQueue

ID_BYTES = 16  # of randomness in an id
OTHER_ENGINES = 8  # private streams of engines whose speed here was not measured, unless a setting tells
PER_ADDRESS = 2  # private streams of an address other than the owner's, as many as clips
CLAIM_S = 15.0  # seconds from the first music on in which the first connection has to come
GONE_S = 6.0  # seconds without any connection after which it ends: a page that reloads comes back sooner
PAUSED_S = 900.0  # seconds for which a page that is open may pause
CLOSING_S = 0.2  # seconds in which the last event is sent before the connections are closed
RESERVE_S = 8.0  # buffer: less than a station's, since many begin together, and steering drops it
RETRY_S = 30.0  # seconds after which a refused listener may ask again
BEGINNING = 2  # private streams that begin at once: each renders many seconds in a hurry, and stations come first
TURN_S = 30.0  # how long one waits for its turn to begin
STEERED = 2  # private streams that are steered at once, for the same reason
READY_S, POLL_S = 20.0, 0.05  # longest wait for the first music, and between two looks

Reason = Literal["busy", "paused"]  # a station needed its place; it was paused for too long

log = logging.getLogger(__name__)


@dataclass(eq=False)
class PrivateStation:
    """One private stream."""

    channel: Channel
    queue: PromptQueue
    address: str  # of the client that asked for it, as limits count it
    origin: str  # id of the station that was forked
    begins: int  # frame of that station with which it begins
    continues: bool = False  # it goes on with that station's music; else a new stream of its prompt began
    ends: asyncio.TimerHandle | None = None


class PrivateStations:
    """All private streams of a server. Event loop only, except for ``stop``, which blocks.

    ``engines`` returns the engine of a private stream by its id and the engine's name, ``outputs`` what opens its
    output; ``release`` is called, on any thread, when the stream needs both no longer.
    """

    def __init__(
        self,
        settings: Settings,
        engines: Callable[[str, str], Engine],
        outputs: Callable[[str], OpenOutput],
        release: Callable[[str], None],
        clock: Clock,
        audience: Audience,
        refused: RefusedWords,
    ) -> None:
        self.channels: dict[str, Channel] = {}  # by id, oldest first
        self._settings = settings
        self._own_settings = settings.model_copy(update={"reserve_s": min(RESERVE_S, settings.reserve_s)})
        self._engines, self._outputs = engines, outputs
        self._clock = clock
        self._release = release
        self._audience = audience
        self._refused = refused
        self._private: dict[str, PrivateStation] = {}
        self._turns = asyncio.Semaphore(BEGINNING)
        self._steers = asyncio.Semaphore(STEERED)
        self._ending: set[Station] = set()  # their threads have not ended yet
        audience.watch(self._heard)

    def __contains__(self, id: str) -> bool:
        return id in self._private

    def __iter__(self) -> Iterator[str]:
        return iter(self._private)

    def __len__(self) -> int:
        return len(self._private)

    def __getitem__(self, id: str) -> PrivateStation:
        return self._private[id]

    def check(self, address: str, owner: bool, engine: str) -> None:
        """Refuse one more private stream of ``engine`` where that would be too many.

        Raises:
            Busy: the address has its share.
            Full: the server has as many as it may have.
        """
        if not owner and sum(one.address == address for one in self._private.values()) >= PER_ADDRESS:
            raise Busy(f"your address has {PER_ADDRESS} private streams, as many as it may have", RETRY_S)
        most = self._settings.max_private
        if most == 0:
            raise Full("this server has no private streams (setting max_private)", RETRY_S)
        if most is not None and len(self._private) >= most:
            raise Full(f"{len(self._private)} private streams play, as many as this server has", RETRY_S)
        others = sum(one.channel.station.engine_name != EMBEDDED for one in self._private.values())
        if most is None and engine != EMBEDDED and others >= OTHER_ENGINES:
            raise Full(f"{others} private streams of neural engines play, as many as this server has", RETRY_S)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until another private stream may begin; it begins within the block.

        Raises:
            Full: its turn did not come within ``TURN_S``.
        """
        try:
            async with asyncio.timeout(TURN_S):
                await self._turns.acquire()
        except TimeoutError:
            raise Full("too many private streams begin now", RETRY_S) from None
        try:
            yield
        finally:
            self._turns.release()

    def add(self, id: str, origin: StationSettings, fork: Fork, address: str, owner: bool) -> None:
        """Add a private stream that goes on with the music of the station ``origin`` from ``fork`` on.

        It ends unless it has a connection within ``CLAIM_S`` after it is ``ready``.

        Raises:
            Busy, Full: see ``check``.
        """
        self.check(address, owner, origin.engine or self._settings.engine)
        config = origin.model_copy(update={"id": id, "policy": "everyone", "seed": None, "always_on": False})
        engine, output = partial(self._engines, id), self._outputs(id)
        station = Station(config, self._own_settings, engine, self._clock, forked=fork, output=output)
        channel = Channel(station, self._settings, hls=False)
        queue = PromptQueue(channel, self._settings, self._steers)
        queue.refused = self._refused
        private = PrivateStation(channel, queue, address, origin.id, fork.frame)
        self._private[id], self.channels[id] = private, channel
        self._audience.add(id)
        channel.on_replies = lambda: self._update_end(id)
        private.ends = asyncio.get_running_loop().call_later(READY_S + CLAIM_S, self.end, id)
        station.start()

    async def ready(self, id: str) -> PrivateStation:
        """Wait for the first music of a private stream.

        Raises:
            EngineFailed: there was none within ``READY_S``, or the stream has ended.
        """
        for _ in range(round(READY_S / POLL_S)):
            if id not in self._private:
                break
            private = self._private[id]
            station = private.channel.station
            if station.reserve_s or station.edge:
                private.continues = station.resumed
                if private.ends is not None and not private.channel.replies:
                    private.ends.cancel()
                    private.ends = asyncio.get_running_loop().call_later(CLAIM_S, self.end, id)
                return private
            await asyncio.sleep(POLL_S)
        self.end(id)
        raise EngineFailed("the private stream has no music; try again later")

    def end(self, id: str, reason: Reason | None = None) -> None:
        """End a private stream and its connections; ``reason`` is told to its listener. Does not wait."""
        private = self._private.pop(id, None)
        if private is None:
            return
        if private.ends is not None:
            private.ends.cancel()
        station = self.channels.pop(id).station
        private.channel.on_replies = lambda: None
        self._audience.remove(id)
        private.queue.close()
        loop = asyncio.get_running_loop()
        if reason:
            ended = {"station": private.origin, "reason": reason}
            private.channel.events.publish(Event("ended", station.edge, ended))
            loop.call_later(CLOSING_S, private.channel.close)
        else:
            private.channel.close()
        station.stop()
        self._ending.add(station)
        loop.run_in_executor(None, self._finish, station)
        log.info("a private stream of station %s has ended; %d left", private.origin, len(self._private))

    def refuse(self, words: RefusedWords) -> None:
        """Refuse prompts that have one of the words from now on."""
        self._refused = words
        for private in self._private.values():
            private.queue.refuse(words)

    def release(self) -> None:
        """End all of them."""
        for id in list(self._private):
            self.end(id)

    def stop(self) -> None:
        """Wait for the threads of those that have ended. Blocks."""
        for station in list(self._ending):
            self._finish(station)

    def _finish(self, station: Station) -> None:
        """On an executor's thread."""
        station.join()
        self._release(station.id)
        self._ending.discard(station)

    def _heard(self, id: str, count: int) -> None:
        if id in self._private:
            self._private[id].channel.set_listeners(count)
            self._update_end(id)

    def _update_end(self, id: str) -> None:
        """Let a private stream end some time after its last connection, or after it was last heard."""
        private = self._private[id]
        if private.ends is not None:
            private.ends.cancel()
            private.ends = None
        after_s = GONE_S if not private.channel.replies else None if private.channel.wanted else PAUSED_S
        if after_s is not None:
            reason: Reason | None = "paused" if private.channel.replies else None
            private.ends = asyncio.get_running_loop().call_later(after_s, self.end, id, reason)
