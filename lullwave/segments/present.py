"""What a station's producer tells all servers at once: prompt, queue of requests, fallback tier, the latest pieces."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import StorageUnavailable
from ..station import Cause, Event, FailoverStatus, NowPlaying, Tier
from ..storage.objects import ObjectStore
from .segment import Keys


@dataclass(frozen=True)
class Present:
    """The facts of one station. Frames are those of the programme."""

    epoch: int = 0  # of the producer
    prompt: str = ""  # requested last
    steered: bool = False  # it is not the own programme's
    engine: str = ""  # on air
    failover: Mapping[str, Any] = field(default_factory=dict)  # as of `FailoverStatus.data`
    queue: Mapping[str, Any] = field(default_factory=dict)  # of requests, as of the event ``queue``
    earlier: tuple[str, ...] = ()  # prompts that undo leads back to, oldest first
    pieces: tuple[tuple[int, Mapping[str, Any]], ...] = ()  # the latest ones: first frame, data
    dropped: tuple[Mapping[str, Any], ...] = ()  # the latest requests that came to nothing, each with its ``number``
    next_request: int = 0  # number of the request that is answered next

    def encode(self) -> bytes:
        return json.dumps(asdict(self), default=str).encode()

    @classmethod
    def decode(cls, data: bytes) -> Present:
        """Parse what ``encode`` made.

        Raises:
            StorageUnavailable: it is damaged.
        """
        try:
            found: dict[str, Any] = json.loads(data)
            return cls(
                epoch=int(found["epoch"]),
                prompt=str(found["prompt"]),
                steered=bool(found["steered"]),
                engine=str(found["engine"]),
                failover=dict(found["failover"]),
                queue=dict(found["queue"]),
                earlier=tuple(str(one) for one in found["earlier"]),
                pieces=tuple((int(frame), dict(data)) for frame, data in found["pieces"]),
                dropped=tuple(dict(one) for one in found["dropped"]),
                next_request=int(found["next_request"]),
            )
        except (ValueError, KeyError, TypeError):
            raise StorageUnavailable(f"damaged facts of a station: {data[:80]!r}") from None

    @property
    def status(self) -> FailoverStatus | None:
        """What is on air and why; None before anything was."""
        try:
            told = self.failover
            return FailoverStatus(
                Tier(told["rung"]),
                Cause(told["cause"]),
                self.engine,
                str(told["wanted"]),
                str(told["detail"]),
                dict(told["asked"]),
                float(told["stretch_s"]),
            )
        except (ValueError, KeyError, TypeError):
            return None

    def piece_at(self, frame: int) -> NowPlaying | None:
        """The piece that is on air at a frame, if it is among the latest ones."""
        return next((NowPlaying(begin, data) for begin, data in reversed(self.pieces) if begin <= frame), None)


def read_present(store: ObjectStore, station: str) -> Present | None:
    """The facts of a station; None before the first.

    Raises:
        StorageUnavailable
    """
    found = store.get(Keys(station).present)
    return None if found is None else Present.decode(found.data)


class PresentWriter:
    """Writes the facts of one station, as the producer of one epoch. One thread."""

    def __init__(self, store: ObjectStore, station: str) -> None:
        self._store, self._key = store, Keys(station).present
        self._written: Present | None = None
        self._version: str | None = None

    def write(self, facts: Present) -> None:
        """Write facts that have changed. No effect if a producer of a later epoch has written some.

        Raises:
            StorageUnavailable
        """
        if facts == self._written:
            return
        data = facts.encode()
        if self._version is not None:
            self._version = self._store.put_if_matches(self._key, data, self._version)
        if self._version is None:
            found = self._store.get(self._key)
            if found is None:
                self._version = self._store.put_if_absent(self._key, data)
            elif Present.decode(found.data).epoch > facts.epoch:
                return
            else:
                self._version = self._store.put_if_matches(self._key, data, found.version)
        self._written = facts if self._version is not None else None


def is_for_all(event: Event) -> bool:
    """Tell whether an event of the producer's station is one of the programme: the same for all listeners."""
    return event.kind in ("piece", "steer", "programme", "rung")
