"""Limits the open connections of one address and of the whole server, idle ones included.

A new connection beyond a limit takes the place of an idle one: of the one that has been open longest without a request
in progress. Only if none is idle is the new connection closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ...hosts import limit_key

SPARE = 64  # idle connections of an address beside its open requests: browsers keep six, and reconnect


@dataclass(frozen=True)
class _Connection:
    key: str  # of its client
    idle: Callable[[], bool]


class ConnectionLimits:
    """The open connections by client (see ``hosts.limit_key``). Event loop only.

    ``per_address`` and ``total`` are the largest numbers; ``exempt(address)`` is true for trusted proxies, which hold
    the connections of many clients: only the total limits them.
    """

    def __init__(self, per_address: int, total: int, exempt: Callable[[str], bool] = lambda address: False) -> None:
        self._per_address = per_address
        self._total = total
        self._exempt = exempt
        self._open: dict[asyncio.Transport, _Connection] = {}
        self._by_address: dict[str, dict[asyncio.Transport, None]] = {}  # in the order in which they were opened

    @property
    def count(self) -> int:
        """All open connections."""
        return len(self._open)

    def add(self, transport: asyncio.Transport, address: str, idle: Callable[[], bool]) -> None:
        """Count a new connection; ``idle()`` tells whether it has no request in progress. May close it at once."""
        exempt = self._exempt(address)
        key = address if exempt else limit_key(address)  # a proxy's connections are not those of its neighbours
        own = self._by_address.setdefault(key, {})
        own[transport] = None
        self._open[transport] = _Connection(key, idle)
        if len(own) > self._per_address and not exempt:
            self._close_one(own, transport)
        if len(self._open) > self._total:
            self._close_one(max(self._by_address.values(), key=len), transport)

    def remove(self, transport: asyncio.Transport) -> None:
        """Forget a connection that has ended."""
        found = self._open.pop(transport, None)
        if found is not None:
            own = self._by_address[found.key]
            del own[transport]
            if not own:
                del self._by_address[found.key]

    def _close_one(self, among: dict[asyncio.Transport, None], new: asyncio.Transport) -> None:
        victim = next((one for one in among if one is not new and self._open[one].idle()), new)
        if victim in self._open:
            self.remove(victim)
        victim.abort()
