"""The server whose stations a relay passes on: its facts, files and live streams. Knows nothing of stations' clocks."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import LullwaveError

if TYPE_CHECKING:
    from ...client import Event

ANSWER_S = 5.0  # longest wait for facts and files; a past moment that is made again takes longer
MADE_S = 120.0
AWAY_S = 2.0  # after no connection could be made, requests are not tried for this long
CACHE_BYTES = 32 << 20  # bytes of files kept
NEVER_PASSED = frozenset(  # headers that concern one connection (RFC 9110, 7.6.1), or that this server sets itself
    {
        "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-authenticate",
        "proxy-authorization", "content-length", "content-encoding", "set-cookie", "date", "server",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """A whole reply of the origin."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Origin:
    """Another Lullwave. Event loop only.

    Its own requests carry no token: only what a visitor sends is passed on with theirs. ``Via`` tells the origin that
    they come through a relay, so it never takes them for its owner's, and shows a relay that asks itself.

    Raises:
        MissingExtra: httpx is not installed.
    """

    def __init__(self, address: str) -> None:
        from ...client import AsyncClient

        self.via = f"1.1 lullwave-{secrets.token_hex(6)}"
        self._client = AsyncClient(address, headers={"Via": self.via})
        self._away_until = 0.0  # in the event loop's time
        self._files: OrderedDict[str, tuple[float, bytes]] = OrderedDict()  # until, in the loop's time; content
        self._cached_bytes = 0
        self._fetching: dict[str, asyncio.Task[Answer | None]] = {}

    async def close(self) -> None:
        """Close the connections."""
        for task in self._fetching.values():
            task.cancel()
        await self._client.close()

    def listen(self, station: str, listener: str) -> AsyncGenerator[bytes]:
        """The endless MP3 of a station.

        Raises:
            ServerUnreachable, RequestRefused, NotFound, Busy
        """
        return self._client.listen(station, listener)

    def events(self, station: str, listener: str) -> AsyncIterator[Event]:
        """The events of a station.

        Raises:
            ServerUnreachable, RequestRefused, NotFound, Busy
        """
        return self._client.events(station, listener)

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer | None:
        """The reply to a request; None if the origin does not answer."""
        from ...client.calls import NotConnected

        loop = asyncio.get_running_loop()
        if loop.time() < self._away_until:
            return None
        try:
            async with asyncio.timeout(MADE_S if "/replay" in path else ANSWER_S):
                status, named, data = await self._client.pass_on(method, path, headers or {}, body)
        except NotConnected:
            self._away_until = loop.time() + AWAY_S
            return None
        except (LullwaveError, TimeoutError):  # of this request alone: it is slow, or broken
            return None
        kept = {name: value for name, value in named.items() if name.lower() not in NEVER_PASSED}
        return Answer(status, kept, data)

    async def facts(self, path: str, headers: Mapping[str, str] | None = None) -> Any:
        """The JSON of a reply of status 200; None if there is none."""
        answer = await self.ask("GET", path, headers)
        if answer is not None and answer.status == 200:
            with suppress(ValueError):
                return json.loads(answer.body)
        return None

    async def file(self, path: str, kept_s: float) -> bytes | None:
        """A file, kept for a while; requests for it at the same time are one.

        None if the origin has none, or does not answer.
        """
        if (kept := self.kept(path)) is not None:
            return kept
        now = asyncio.get_running_loop().time()
        if path not in self._fetching:
            self._fetching[path] = asyncio.create_task(self.ask("GET", path))
            self._fetching[path].add_done_callback(lambda _: self._fetching.pop(path, None))
        answer = await asyncio.shield(self._fetching[path])
        if answer is None or answer.status != 200:
            return None
        self._keep(path, now + kept_s, answer.body)
        return answer.body

    def kept(self, path: str) -> bytes | None:
        """A file that is kept here; None if the origin has to be asked."""
        until, data = self._files.get(path, (0.0, b""))
        if until <= asyncio.get_running_loop().time():
            return None
        self._files.move_to_end(path)
        return data

    def _keep(self, path: str, until: float, data: bytes) -> None:
        _, before = self._files.pop(path, (0.0, b""))
        self._files[path] = until, data
        self._cached_bytes += len(data) - len(before)
        while self._cached_bytes > CACHE_BYTES:
            _, (_, oldest) = self._files.popitem(last=False)
            self._cached_bytes -= len(oldest)
