"""The sources that play while a station's engine cannot: clips from the archive, then the embedded engine.

A fallback is opened as soon as it may be needed, and goes on air only once it has music.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from ..clock import FOREVER, Clock
from ..engines.base import Engine
from ..request import MAX_SEED, Request
from .archive_engine import SKIP_S as CLIP_SKIP_S
from .archive_engine import ArchiveEngine
from .crossfade import MIN_MUSIC_S
from .failover import Tier
from .programme import MAX_BREAKS, PLAIN
from .source import LOOKAHEAD_S, Opener, Source, fresh, stand_in

READY_S = 2.5  # music that a fallback needs to go on air
SKIP_S = {Tier.ARCHIVE: CLIP_SKIP_S, Tier.EMBEDDED: 0.0}  # music that may be dropped at its beginning
AMPLE_S = 6.0  # with more than this in reserve there is time to compare the loudness of a clip
RETRY_S = 1.0  # wait before a failed fallback is opened again

log = logging.getLogger(__name__)


class Fallbacks:
    """The fallbacks of one station. Producer thread only.

    ``embedded`` is None where the station's own engine is the embedded one. ``begin`` makes a source of an engine's
    name, an opener and a tag.
    """

    def __init__(
        self,
        station: str,
        seed: int,
        embedded: tuple[str, Callable[[], Engine]] | None,
        archive: ArchiveEngine | None,
        clock: Clock,
        begin: Callable[[str, Opener, str], Source],
    ) -> None:
        self.clips_over = False  # every clip has been played since the engine was last on air
        self._station = station
        self._seed = seed
        self._embedded = embedded
        self._archive = archive
        self._clock = clock
        self._begin = begin
        self._sources: dict[Tier, Source] = {}
        self._opened = 0  # fallbacks so far: each gets its own seed
        self._retry_at = 0.0
        self._prompt = ""  # of the embedded engine's last stream
        self._breaks = 0  # failures of the embedded engine with that prompt

    def __getitem__(self, tier: Tier) -> Source:
        return self._sources[tier]

    def preferred(self, played: bool, steer_waiting: bool) -> Tier | None:
        """The fallback to open. ``played``: the station has been on air with its own engine."""
        clips = self._archive is not None and not self.clips_over and self._archive.clips_left()
        if self._embedded is None:
            return Tier.ARCHIVE if clips and played else None
        return Tier.ARCHIVE if clips and played and not steer_waiting else Tier.EMBEDDED

    def open(self, tier: Tier, prompt: str, piece: Mapping[str, Any]) -> float:
        """Open a fallback unless it is open; returns when to call again."""
        self._drop_ended()
        if tier in self._sources:
            return FOREVER
        if self._clock.now() < self._retry_at:
            return self._retry_at
        self._opened += 1
        seed = (self._seed + 1000 * self._opened) % (MAX_SEED + 1)
        if tier is Tier.ARCHIVE:
            assert self._archive is not None
            archive = self._archive
            self._sources[tier] = self._begin(archive.name, fresh(lambda: archive, Request(prompt, seed)), tier.value)
        else:
            assert self._embedded is not None
            name, load = self._embedded
            if prompt != self._prompt:
                self._prompt, self._breaks = prompt, 0
            if self._breaks >= MAX_BREAKS:
                prompt = PLAIN
            self._sources[tier] = self._begin(name, stand_in(load, prompt, seed, piece), tier.value)
        self._sources[tier].set_lookahead(MIN_MUSIC_S + SKIP_S[tier] + LOOKAHEAD_S)
        return FOREVER

    def ready(self, on_air: Source | None, reserve_s: float) -> frozenset[Tier]:
        """The fallbacks that can go on air now, including the one that is on air."""
        return frozenset(
            tier
            for tier, source in self._sources.items()
            if (source is on_air and not source.ended)
            or (source.opened and source.ahead_s >= _needed_s(tier, reserve_s))
        )

    def close(self, keep: Source | None = None) -> None:
        """Close all of them but ``keep``."""
        for tier, source in list(self._sources.items()):
            if source is not keep:
                source.close()
                del self._sources[tier]

    def _drop_ended(self) -> None:
        """Forget the fallbacks that ended and have no music left."""
        for tier, source in list(self._sources.items()):
            if not source.ended or source.ahead_s:
                continue
            del self._sources[tier]
            if tier is Tier.ARCHIVE:
                self.clips_over = True
                log.info("station %s: all clips have been played: %s", self._station, source.error)
            else:
                self._retry_at = self._clock.now() + RETRY_S
                self._breaks += 1
                log.info("station %s: fallback engine %s failed: %s", self._station, source.name, source.error)


def _needed_s(tier: Tier, reserve_s: float) -> float:
    """Seconds of music that a fallback needs to go on air: less if the reserve is nearly out."""
    if tier is Tier.ARCHIVE and reserve_s > AMPLE_S:
        return MIN_MUSIC_S + SKIP_S[tier]
    return READY_S if reserve_s > READY_S else LOOKAHEAD_S / 2
