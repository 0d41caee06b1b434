"""A client of a Lullwave server for asyncio: as ``sync_client``, with coroutines."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Self, TypeVar

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from ..generation import DEFAULT_SECONDS
from . import calls
from .calls import Call, EventReader, NotConnected, ProgressMeter, ServerUnreachable, error_of
from .sync_client import CONNECT_S, DEFAULT_KBPS, REPLY_S
from .values import Clip, ClipProgress, EngineListing, Event, HistoryEntry, Station, SteerReceipt

Value = TypeVar("Value")


class AsyncClient:
    """Talks to ``lullwave serve``. One event loop. The methods and errors are those of ``Client``.

    ::

        async with AsyncClient("http://localhost:8000") as radio:
            await radio.steer("piano", "warm synthwave")
            async for event in radio.events("piano"):
                print(event.kind, event.data)
    """

    def __init__(
        self,
        server: str,
        token: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """``token``: the admin token, for what needs it. ``transport``: another way to the server, for tests.

        ``headers`` are sent with every request.
        """
        self.server = calls.checked_url(server)
        sent = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        timeout = httpx.Timeout(REPLY_S, connect=CONNECT_S)
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._http = httpx.AsyncClient(
            base_url=self.server, headers=sent, timeout=timeout, transport=transport, cookies=no_cookies
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    # ---- clips

    async def generate(
        self,
        prompt: str = "",
        *,
        seconds: float = DEFAULT_SECONDS,
        seed: int | None = None,
        engine: str | None = None,
        format: str = "mp3",
        kbps: int = DEFAULT_KBPS,
        lufs: float | None = None,
        options: Mapping[str, Any] | None = None,
        on_progress: Callable[[ClipProgress], None] | None = None,
    ) -> Clip:
        """Have a clip made. ``on_progress`` is called as it arrives; an error in it cancels the clip."""
        call = calls.generate(prompt, seconds, seed, engine, format, kbps, lufs, options or {})
        meter, parts = ProgressMeter(format, kbps, seconds), []
        async with self._opened(call) as response:
            async for data in response.aiter_bytes():
                parts.append(data)
                if on_progress is not None:
                    on_progress(meter.after(data))
        return Clip(b"".join(parts), format)

    async def engines(self) -> list[EngineListing]:
        """The engines that make clips."""
        return await self._do(calls.engines())

    # ---- stations

    async def stations(self) -> list[Station]:
        """All stations and what they play."""
        return await self._do(calls.stations())

    async def station(self, id: str) -> Station:
        """One station."""
        return await self._do(calls.station(id))

    async def steer(self, station: str, prompt: str, listener: str | None = None) -> SteerReceipt:
        """Change the music of a station."""
        return await self._do(calls.steer(station, prompt, listener))

    async def undo(self, station: str, listener: str | None = None) -> SteerReceipt:
        """Go back to the prompt before."""
        return await self._do(calls.undo(station, listener))

    async def own_programme(self, station: str, listener: str | None = None) -> SteerReceipt:
        """Go back to the station's own programme."""
        return await self._do(calls.own_programme(station, listener))

    async def history(self, station: str, limit: int = 50, before: str | None = None) -> list[HistoryEntry]:
        """What a station played, newest first; at most 500 entries."""
        return await self._do(calls.history(station, limit, before))

    async def replay(self, station: str, at: str, seconds: float = 60.0, format: str = "mp3") -> Clip:
        """A past moment again; ``at`` is that of the history."""
        async with self._opened(calls.replay(station, at, seconds, format)) as response:
            return Clip(await response.aread(), format, response.headers.get("X-Lullwave-Exact") != "no")

    # ---- live

    async def listen(self, station: str | None = None, listener: str | None = None) -> AsyncGenerator[bytes]:
        """Blocks of the endless MP3 of a station (default: the default one); ends when the caller closes it."""
        async with self._opened(calls.live(station, listener)) as response:
            async for data in response.aiter_bytes():
                yield data

    async def events(self, station: str | None = None, listener: str | None = None) -> AsyncIterator[Event]:
        """What happens at a station, while it happens."""
        reader = EventReader()
        async with self._opened(calls.events(station, listener)) as response:
            async for line in response.aiter_lines():
                if (event := reader.line(line)) is not None:
                    yield event

    async def listener_counts(self, listening: bool = False) -> AsyncIterator[int]:
        """How many people listen to the server, at once and at each change; ``listening``: be one of them."""
        try:
            async with connect(calls.websocket_url(self.server), proxy=None) as socket:
                if listening:
                    await socket.send("listening")
                async for message in socket:
                    yield int(message)
        except (OSError, WebSocketException) as error:
            raise ServerUnreachable(f"{self.server}: {error}") from None

    # ---- others' requests

    async def pass_on(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send somebody else's request as it is; returns the reply's status, headers and body. Keeps no cookie.

        Raises:
            NotConnected: no connection could be made.
            ServerUnreachable: it failed otherwise.
        """
        try:
            response = await self._http.request(method, path, headers=dict(headers), content=body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise NotConnected(f"{self.server}: {error or type(error).__name__}") from None
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
            raise ServerUnreachable(f"{self.server}: {error or type(error).__name__}") from None
        return response.status_code, response.headers, response.content

    # ---- inside

    async def _do(self, call: Call[Value]) -> Value:
        async with self._opened(call) as response:
            await response.aread()
            return call.read(response.json())

    @asynccontextmanager
    async def _opened(self, call: Call[Any]) -> AsyncIterator[httpx.Response]:
        """The reply to a call; its body is not read yet.

        Raises:
            LullwaveError: see the class.
        """
        try:
            async with self._http.stream(call.method, call.path, json=call.body, params=call.query) as response:
                if response.status_code >= 400:
                    raise error_of(response.status_code, await response.aread(), response.headers.get("Retry-After"))
                yield response
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise ServerUnreachable(f"{self.server}: {error or type(error).__name__}") from None
