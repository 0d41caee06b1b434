"""The open requests of each address, for the owner to see, and addresses that the owner has shut out for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from starlette.types import Scope

SOUND_ENDS = "stream.mp3"  # of the paths that a listener's player keeps open


@dataclass(frozen=True, eq=False)
class OpenRequest:
    """A request in progress: an audio connection, an event stream, a socket or anything shorter."""

    address: str
    path: str
    transport: asyncio.Transport | None


class Clients:
    """Event loop only."""

    def __init__(self) -> None:
        self._open: dict[str, set[OpenRequest]] = {}
        self._shut_out: dict[str, float] = {}  # address → until, in the event loop's time

    def count(self, address: str) -> int:
        """Open requests of an address."""
        return len(self._open.get(address, ()))

    @contextmanager
    def request(self, address: str, scope: Scope) -> Iterator[None]:
        """Count a request as open while the block runs."""
        request = OpenRequest(address, scope["path"], scope.get("lullwave.transport"))
        own = self._open.setdefault(address, set())
        own.add(request)
        try:
            yield
        finally:
            own.discard(request)
            if not own and self._open.get(address) is own:
                del self._open[address]

    def shut_out_s(self, address: str) -> float:
        """For how many more seconds an address is shut out; 0 if it is not."""
        left_s = self._shut_out.get(address, 0.0) - asyncio.get_running_loop().time()
        if left_s <= 0:
            self._shut_out.pop(address, None)
        return max(0.0, left_s)

    def drop(self, address: str, for_s: float) -> int:
        """Close the connections of an address and shut it out for ``for_s`` seconds; returns how many were closed."""
        if for_s > 0:
            self._shut_out[address] = asyncio.get_running_loop().time() + for_s
        else:
            self._shut_out.pop(address, None)
        found = [one.transport for one in self._open.get(address, ()) if one.transport is not None]
        for transport in found:
            transport.abort()
        return len(found)

    def data(self) -> list[dict[str, Any]]:
        """Every address with open requests or shut out; the one with most audio connections first."""
        addresses = {
            address: {
                "address": address,
                "audio": sum(one.path.endswith(SOUND_ENDS) for one in self._open.get(address, ())),
                "requests": self.count(address),
                "shut_out_s": round(self.shut_out_s(address), 1),
            }
            for address in {**self._open, **self._shut_out}
        }
        return sorted(addresses.values(), key=lambda one: (-one["audio"], -one["requests"], one["address"]))
