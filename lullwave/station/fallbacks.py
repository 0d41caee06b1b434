"""What is heard while a station's engine is not: clips of the library, or the embedded engine; knows no reserve.

A stand-in is opened when there is reason to worry and put on air only when it has music. All calls from the producer's
thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from ..clock import FOREVER, Clock
from ..engines.base import Engine
from ..request import MAX_SEED, Request
from . import opening
from .archive_engine import SKIP_S as CLIP_SKIP_S
from .archive_engine import Recycler
from .crossfade import HEARD_S
from .failover import Rung
from .source import ROOM_S, Opened, Reader

READY_S = 2.5  # of music before it goes on air
SKIP_S = {Rung.RECYCLED: CLIP_SKIP_S, Rung.EMBEDDED: 0.0}  # of it that may be left out
AMPLE_S = 6.0  # in reserve: there is time to make as much as can be compared
RETRY_S = 1.0

log = logging.getLogger(__name__)


class StandIns:
    """For one station. ``embedded`` is None where the station's own engine is that one."""

    def __init__(
        self,
        station: str,
        seed: int,
        embedded: tuple[str, Callable[[], Engine]] | None,
        recycler: Recycler | None,
        clock: Clock,
        begin: Callable[[str, Callable[[Reader], Opened], str], Reader],
    ) -> None:
        self.clips_over = False  # every clip has been heard since the engine was heard last
        self._station = station
        self._seed = seed
        self._embedded = embedded
        self._recycler = recycler
        self._clock = clock
        self._begin = begin
        self._readers: dict[Rung, Reader] = {}
        self._turns = 0
        self._retry_at = 0.0

    def __getitem__(self, rung: Rung) -> Reader:
        return self._readers[rung]

    def wanted(self, played: bool, wish: bool) -> Rung | None:
        """Which one is to be opened; ``played``: the station has been heard with its own engine."""
        clips = self._recycler is not None and not self.clips_over and self._recycler.clips_left()
        if self._embedded is None:
            return Rung.RECYCLED if clips and played else None
        return Rung.RECYCLED if clips and played and not wish else Rung.EMBEDDED

    def open(self, rung: Rung, prompt: str, piece: Mapping[str, Any]) -> float:
        """Open it if it is not; gives the moment at which to call again."""
        self._mourn()
        if rung in self._readers:
            return FOREVER
        if self._clock.now() < self._retry_at:
            return self._retry_at
        self._turns += 1
        seed = (self._seed + 1000 * self._turns) % (MAX_SEED + 1)
        if rung is Rung.RECYCLED:
            assert self._recycler is not None
            recycler = self._recycler
            how = opening.fresh(lambda: recycler, Request(prompt, seed))
            self._readers[rung] = self._begin(recycler.name, how, rung.value)
        else:
            assert self._embedded is not None
            name, load = self._embedded
            self._readers[rung] = self._begin(name, opening.in_place_of(load, prompt, seed, piece), rung.value)
        self._readers[rung].give_room(HEARD_S + SKIP_S[rung] + ROOM_S)
        return FOREVER

    def ready(self, on_air: Reader | None, reserve_s: float) -> frozenset[Rung]:
        """Those that can be put on air, and the one that is as long as it has not ended."""
        return frozenset(
            rung
            for rung, reader in self._readers.items()
            if (reader is on_air and not reader.ended)
            or (reader.opened and reader.ahead_s >= _enough_s(rung, reserve_s))
        )

    def close(self, but: Reader | None = None) -> None:
        """Close all of them, or all but one."""
        for rung, reader in list(self._readers.items()):
            if reader is not but:
                reader.close()
                del self._readers[rung]

    def _mourn(self) -> None:
        """Note which ones ended."""
        for rung, reader in list(self._readers.items()):
            if not reader.ended or reader.ahead_s:
                continue
            del self._readers[rung]
            if rung is Rung.RECYCLED:
                self.clips_over = True
                log.info("station %s: every clip has been heard: %s", self._station, reader.error)
            else:
                self._retry_at = self._clock.now() + RETRY_S
                log.info("station %s: engine %s failed: %s", self._station, reader.name, reader.error)


def _enough_s(rung: Rung, reserve_s: float) -> float:
    """How much music is to be ready before it goes on air."""
    if rung is Rung.RECYCLED and reserve_s > AMPLE_S:
        return HEARD_S + SKIP_S[rung]
    return READY_S if reserve_s > READY_S else ROOM_S / 2
