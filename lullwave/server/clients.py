"""The open requests of each address, for the owner to see, and addresses that the owner has shut out for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from starlette.types import Scope

from ..errors import InvalidInput
from ..hosts import client_network, covers, holds, limit_key, network_text

MAX_SHUT_OUT = 1000  # networks: each is compared with the address of every request
SOUND_ENDS = "stream.mp3"  # of the paths that a listener's player keeps open


def client_address(scope: Scope) -> str:
    """The whole address of a request's client; empty if it has none."""
    return scope["client"][0] if scope.get("client") else ""


def client_key(scope: Scope) -> str:
    """A request's client as limits count it: see ``hosts.limit_key``."""
    return limit_key(client_address(scope))


@dataclass(frozen=True, eq=False)
class OpenRequest:
    """A request in progress: an audio connection, an event stream, a socket or anything shorter."""

    address: str
    path: str
    transport: asyncio.Transport | None


class Clients:
    """The open requests, and the networks that are shut out. Event loop only."""

    def __init__(self) -> None:
        self._open: dict[str, set[OpenRequest]] = {}  # by the client's key
        self._shut_out: dict[IPv4Network | IPv6Network, float] = {}  # until, in the event loop's time

    def count(self, key: str) -> int:
        """Open requests of a client, by its key."""
        return len(self._open.get(key, ()))

    @contextmanager
    def request(self, scope: Scope) -> Iterator[None]:
        """Count a request as open while the block runs."""
        key = client_key(scope)
        request = OpenRequest(client_address(scope), scope["path"], scope.get("lullwave.transport"))
        own = self._open.setdefault(key, set())
        own.add(request)
        try:
            yield
        finally:
            own.discard(request)
            if not own and self._open.get(key) is own:
                del self._open[key]

    def shut_out_s(self, address: str) -> float:
        """For how many more seconds an address is shut out; 0 if it is not."""
        return self._left_s(lambda network: holds(network, address)) if self._shut_out else 0.0

    def drop(self, named: str, for_s: float) -> tuple[str, int]:
        """Close the connections of an address or a network and shut it out for ``for_s`` seconds; 0 ends that.

        Returns what was dropped, and how many connections were closed. An IPv6 address means its whole ``/64``.

        Raises:
            InvalidInput: it is neither, or too many are shut out.
        """
        network = client_network(named)
        if network is None:
            allowed = "an IP address such as 203.0.113.9, or a network such as 10.0.0.0/8 or 2001:db8::/64"
            raise InvalidInput("address", named, allowed)
        if for_s > 0:
            self._left_s(lambda past: False)
            if len(self._shut_out) >= MAX_SHUT_OUT and network not in self._shut_out:
                raise InvalidInput("address", named, f"at most {MAX_SHUT_OUT} shut out at a time; drop a network")
            self._shut_out[network] = asyncio.get_running_loop().time() + for_s
        else:
            for inner in [one for one in self._shut_out if covers(network, one)]:
                del self._shut_out[inner]
        own = [one for opened in self._open.values() for one in opened if holds(network, one.address)]
        found = [one.transport for one in own if one.transport is not None]
        for transport in found:
            transport.abort()
        return network_text(network), len(found)

    def data(self) -> list[dict[str, Any]]:
        """Every client with open requests and every network that is shut out; most audio connections first."""
        shut_out = {network_text(network) for network in self._shut_out}
        clients = [self._client(key, self._open.get(key, ())) for key in shut_out.union(self._open)]
        return sorted(clients, key=lambda one: (-one["audio"], -one["requests"], one["address"]))

    def _client(self, key: str, requests: Collection[OpenRequest]) -> dict[str, Any]:
        named = client_network(key)
        left_s = 0.0 if named is None else self._left_s(lambda network: covers(network, named))
        return {
            "address": key,
            "audio": sum(one.path.endswith(SOUND_ENDS) for one in requests),
            "requests": len(requests),
            "shut_out_s": round(left_s, 1),
        }

    def _left_s(self, met: Callable[[IPv4Network | IPv6Network], bool]) -> float:
        """For how many more seconds the networks are shut out that ``met`` accepts; past ones are forgotten."""
        now = asyncio.get_running_loop().time()
        for network in [one for one, until in self._shut_out.items() if until <= now]:
            del self._shut_out[network]
        return max((until - now for network, until in self._shut_out.items() if met(network)), default=0.0)
