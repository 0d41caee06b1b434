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
from .archive_engine import ArchiveEngine
from .crossfade import HEARD_S
from .failover import Tier
from .source import ROOM_S, OpenStream, Source

READY_S = 2.5  # of music before it goes on air
SKIP_S = {Tier.ARCHIVE: CLIP_SKIP_S, Tier.EMBEDDED: 0.0}  # of it that may be left out
AMPLE_S = 6.0  # in reserve: there is time to make as much as can be compared
RETRY_S = 1.0

log = logging.getLogger(__name__)


class Fallbacks:
    """For one station. ``embedded`` is None where the station's own engine is that one."""

    def __init__(
        self,
        station: str,
        seed: int,
        embedded: tuple[str, Callable[[], Engine]] | None,
        archive: ArchiveEngine | None,
        clock: Clock,
        begin: Callable[[str, Callable[[Source], OpenStream], str], Source],
    ) -> None:
        self.clips_over = False  # every clip has been heard since the engine was heard last
        self._station = station
        self._seed = seed
        self._embedded = embedded
        self._archive = archive
        self._clock = clock
        self._begin = begin
        self._readers: dict[Tier, Source] = {}
        self._turns = 0
        self._retry_at = 0.0

    def __getitem__(self, tier: Tier) -> Source:
        return self._readers[tier]

    def wanted(self, played: bool, wish: bool) -> Tier | None:
        """Which one is to be opened; ``played``: the station has been heard with its own engine."""
        clips = self._archive is not None and not self.clips_over and self._archive.clips_left()
        if self._embedded is None:
            return Tier.ARCHIVE if clips and played else None
        return Tier.ARCHIVE if clips and played and not wish else Tier.EMBEDDED

    def open(self, tier: Tier, prompt: str, piece: Mapping[str, Any]) -> float:
        """Open it if it is not; gives the moment at which to call again."""
        self._mourn()
        if tier in self._readers:
            return FOREVER
        if self._clock.now() < self._retry_at:
            return self._retry_at
        self._turns += 1
        seed = (self._seed + 1000 * self._turns) % (MAX_SEED + 1)
        if tier is Tier.ARCHIVE:
            assert self._archive is not None
            archive = self._archive
            how = opening.fresh(lambda: archive, Request(prompt, seed))
            self._readers[tier] = self._begin(archive.name, how, tier.value)
        else:
            assert self._embedded is not None
            name, load = self._embedded
            self._readers[tier] = self._begin(name, opening.in_place_of(load, prompt, seed, piece), tier.value)
        self._readers[tier].give_room(HEARD_S + SKIP_S[tier] + ROOM_S)
        return FOREVER

    def ready(self, on_air: Source | None, reserve_s: float) -> frozenset[Tier]:
        """Those that can be put on air, and the one that is as long as it has not ended."""
        return frozenset(
            tier
            for tier, reader in self._readers.items()
            if (reader is on_air and not reader.ended)
            or (reader.opened and reader.ahead_s >= _enough_s(tier, reserve_s))
        )

    def close(self, but: Source | None = None) -> None:
        """Close all of them, or all but one."""
        for tier, reader in list(self._readers.items()):
            if reader is not but:
                reader.close()
                del self._readers[tier]

    def _mourn(self) -> None:
        """Note which ones ended."""
        for tier, reader in list(self._readers.items()):
            if not reader.ended or reader.ahead_s:
                continue
            del self._readers[tier]
            if tier is Tier.ARCHIVE:
                self.clips_over = True
                log.info("station %s: every clip has been heard: %s", self._station, reader.error)
            else:
                self._retry_at = self._clock.now() + RETRY_S
                log.info("station %s: engine %s failed: %s", self._station, reader.name, reader.error)


def _enough_s(tier: Tier, reserve_s: float) -> float:
    """How much music is to be ready before it goes on air."""
    if tier is Tier.ARCHIVE and reserve_s > AMPLE_S:
        return HEARD_S + SKIP_S[tier]
    return READY_S if reserve_s > READY_S else ROOM_S / 2
