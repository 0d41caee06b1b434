"""Requests to a station's producer through the store, each with a number and an answer.

A request is put at the first free number, so none is lost or doubled. The producer answers them in order. What it does
with one it does before it writes the answer; if it dies in between, its successor does it once more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import StorageUnavailable
from ..storage.objects import ObjectStore
from .segment import Keys

OLD_S = 15.0  # an older request is not carried out: its sender has given up
KEPT = 64  # requests and answers that are kept: senders look for a free number among them
TRIES = 4 * KEPT  # numbers that a sender tries


@dataclass(frozen=True)
class StationRequest:
    """What somebody wants of a station."""

    kind: str  # prompt, undo, own programme, skip, freeze
    wall: float  # when, in seconds since 1970
    data: Mapping[str, Any] = field(default_factory=dict)


def send(store: ObjectStore, station: str, request: StationRequest, since: int) -> int:
    """Put a request at the first free number from ``since`` on; returns the number.

    Raises:
        StorageUnavailable
    """
    keys, data = Keys(station), json.dumps(asdict(request)).encode()
    for number in range(since, since + TRIES):
        if store.put_if_absent(keys.request(number), data) is not None:
            return number
    raise StorageUnavailable(f"{station}: too many requests wait")


def answer_to(store: ObjectStore, station: str, number: int) -> dict[str, Any] | None:
    """The answer to a request; None while there is none.

    Raises:
        StorageUnavailable
    """
    found = store.get(Keys(station).answer(number))
    return None if found is None else dict(_json(found.data))


class RequestReader:
    """The requests to one station, in order, from number ``next`` on. One thread: the producer's."""

    def __init__(self, store: ObjectStore, station: str, next: int) -> None:
        self.next = next
        self._store, self._keys = store, Keys(station)
        self._answered_until = next

    def take(self) -> tuple[int, StationRequest] | None:
        """The next request with its number; None if there is none now.

        Raises:
            StorageUnavailable
        """
        while (found := self._store.get(self._keys.request(self.next))) is not None:
            number, self.next = self.next, self.next + 1
            if self._store.get(self._keys.answer(number)) is not None:
                continue  # the producer before has answered it
            told = _json(found.data)
            try:
                return number, StationRequest(str(told["kind"]), float(told["wall"]), dict(told["data"]))
            except (ValueError, KeyError, TypeError):
                self.answer(number, {"error": "InvalidInput", "message": "the request is not understood"})
        return None

    def answer(self, number: int, answer: Mapping[str, Any]) -> None:
        """Write the answer to a request, and delete those of long ago.

        Raises:
            StorageUnavailable
        """
        self._store.put_if_absent(self._keys.answer(number), json.dumps(dict(answer), default=str).encode())
        if number >= KEPT:
            self._store.delete(self._keys.request(number - KEPT))
            self._store.delete(self._keys.answer(number - KEPT))


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        raise StorageUnavailable(f"a damaged request: {data[:80]!r}") from None
