"""A client of a Lullwave server that waits for each reply."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from ..engines.base import Closing
from ..generation import DEFAULT_SECONDS
from . import calls
from .calls import Call, EventReader, ProgressMeter, ServerUnreachable, error_of
from .values import Clip, ClipProgress, EngineListing, Event, HistoryEntry, Station, SteerReceipt

Value = TypeVar("Value")

CONNECT_S = 10.0  # longest wait for a connection
REPLY_S = 600.0  # longest silence of a server that makes a clip: others may be before it
DEFAULT_KBPS = 192  # bit rate of clips in kbit/s, as of the server


class Client(Closing):
    """Talks to ``lullwave serve``. Thread-safe.

    ::

        with Client("http://localhost:8000") as radio:
            print([station.name for station in radio.stations()])
            radio.generate("rainy night piano", seconds=30).save("night.mp3")

    Every method raises:
        ServerUnreachable: no answer, or the connection broke.
        InvalidInput, NotFound, Busy, RequestRefused: the server's reply.
    """

    def __init__(self, server: str, token: str = "", transport: httpx.BaseTransport | None = None) -> None:
        """``token``: the admin token, for what needs it. ``transport``: another way to the server, for tests."""
        self.server = calls.checked_url(server)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        timeout = httpx.Timeout(REPLY_S, connect=CONNECT_S)
        self._http = httpx.Client(base_url=self.server, headers=headers, timeout=timeout, transport=transport)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # ---- clips

    def generate(
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
        with self._opened(call) as response:
            for data in response.iter_bytes():
                parts.append(data)
                if on_progress is not None:
                    on_progress(meter.after(data))
        return Clip(b"".join(parts), format)

    def engines(self) -> list[EngineListing]:
        """The engines that make clips."""
        return self._do(calls.engines())

    # ---- stations

    def stations(self) -> list[Station]:
        """All stations and what they play."""
        return self._do(calls.stations())

    def station(self, id: str) -> Station:
        """One station."""
        return self._do(calls.station(id))

    def steer(self, station: str, prompt: str, listener: str | None = None) -> SteerReceipt:
        """Change the music of a station."""
        return self._do(calls.steer(station, prompt, listener))

    def undo(self, station: str, listener: str | None = None) -> SteerReceipt:
        """Go back to the prompt before."""
        return self._do(calls.undo(station, listener))

    def own_programme(self, station: str, listener: str | None = None) -> SteerReceipt:
        """Go back to the station's own programme."""
        return self._do(calls.own_programme(station, listener))

    def history(self, station: str, limit: int = 50, before: str | None = None) -> list[HistoryEntry]:
        """What a station played, newest first; at most 500 entries."""
        return self._do(calls.history(station, limit, before))

    def replay(self, station: str, at: str, seconds: float = 60.0, format: str = "mp3") -> Clip:
        """A past moment again; ``at`` is that of the history."""
        with self._opened(calls.replay(station, at, seconds, format)) as response:
            return Clip(response.read(), format, response.headers.get("X-Lullwave-Exact") != "no")

    # ---- live

    def listen(self, station: str | None = None, listener: str | None = None) -> Iterator[bytes]:
        """Blocks of the endless MP3 of a station (default: the default one); ends when the caller closes it."""
        with self._opened(calls.live(station, listener)) as response:
            yield from response.iter_bytes()

    def events(self, station: str | None = None, listener: str | None = None) -> Iterator[Event]:
        """What happens at a station, while it happens."""
        reader = EventReader()
        with self._opened(calls.events(station, listener)) as response:
            for line in response.iter_lines():
                if (event := reader.line(line)) is not None:
                    yield event

    def listener_counts(self, listening: bool = False) -> Iterator[int]:
        """How many people listen to the server, at once and at each change; ``listening``: be one of them."""
        try:
            with connect(calls.websocket_url(self.server), proxy=None) as socket:
                if listening:
                    socket.send("listening")
                for message in socket:
                    yield int(message)
        except (OSError, WebSocketException) as error:
            raise ServerUnreachable(f"{self.server}: {error}") from None

    # ---- inside

    def _do(self, call: Call[Value]) -> Value:
        with self._opened(call) as response:
            response.read()
            return call.read(response.json())

    @contextmanager
    def _opened(self, call: Call[Any]) -> Iterator[httpx.Response]:
        """The reply to a call; its body is not read yet.

        Raises:
            LullwaveError: see the class.
        """
        try:
            with self._http.stream(call.method, call.path, json=call.body, params=call.query) as response:
                if response.status_code >= 400:
                    raise error_of(response.status_code, response.read(), response.headers.get("Retry-After"))
                yield response
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise ServerUnreachable(f"{self.server}: {error or type(error).__name__}") from None
