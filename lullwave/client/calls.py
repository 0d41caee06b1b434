"""Every call of the HTTP interface as a value, and what its reply means; knows nothing of sockets.

The two clients send these calls and read the replies by the functions here, so that both do the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlsplit

from ..errors import Busy, InvalidInput, LullwaveError, NotFound
from .values import (
    ClipProgress,
    EngineListing,
    Event,
    HistoryEntry,
    Station,
    SteerReceipt,
    read_engine,
    read_entry,
    read_receipt,
    read_station,
)

Value = TypeVar("Value")

RETRY_S = 5.0  # when a busy server does not say when to try again


class ServerUnreachable(LullwaveError):
    """The server does not answer, or broke off."""


class NotConnected(ServerUnreachable):
    """No connection to the server could be made."""


class RequestRefused(LullwaveError):
    """The server refused a request for a reason that no other error tells; ``status`` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


@dataclass(frozen=True)
class Call(Generic[Value]):
    """A request, and how to read the JSON of its reply."""

    method: str
    path: str
    read: Callable[[Any], Value]
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str | int | float] = field(default_factory=dict)


def stations() -> Call[list[Station]]:
    """All stations."""
    return Call("GET", "/api/stations", lambda data: [read_station(one) for one in data["stations"]])


def station(id: str) -> Call[Station]:
    """One station."""
    return Call("GET", _of(id), read_station)


def engines() -> Call[list[EngineListing]]:
    """The engines that make clips."""
    return Call("GET", "/api/engines", lambda data: [read_engine(one) for one in data["engines"]])


def steer(id: str, prompt: str, listener: str | None) -> Call[SteerReceipt]:
    """Change the music of a station."""
    return Call("POST", f"{_of(id)}/prompt", read_receipt, {"prompt": prompt, **_who(listener)})


def undo(id: str, listener: str | None) -> Call[SteerReceipt]:
    """Go back to the prompt before."""
    return Call("POST", f"{_of(id)}/undo", read_receipt, _who(listener))


def own_programme(id: str, listener: str | None) -> Call[SteerReceipt]:
    """Go back to the station's own programme."""
    return Call("POST", f"{_of(id)}/own-programme", read_receipt, _who(listener))


def history(id: str, limit: int, before: str | None) -> Call[list[HistoryEntry]]:
    """What a station played, newest first."""
    query: dict[str, str | int | float] = {"limit": limit, **({"before": before} if before else {})}
    return Call("GET", f"{_of(id)}/history", lambda data: [read_entry(e) for e in data["history"]], None, query)


def replay(id: str, at: str, seconds: float, format: str) -> Call[None]:
    """A past moment; the reply is a file."""
    query: dict[str, str | int | float] = {"at": at, "seconds": seconds, "format": format}
    return Call("GET", f"{_of(id)}/replay", lambda data: None, None, query)


def generate(
    prompt: str,
    seconds: float | None,
    seed: int | None,
    engine: str | None,
    format: str,
    kbps: int | None,
    lufs: float | None,
    options: Mapping[str, Any],
) -> Call[None]:
    """A clip; the reply is a file. What is None is left to the server."""
    chosen = {"duration_s": seconds, "seed": seed, "engine": engine, "kbps": kbps, "lufs": lufs}
    body = {"prompt": prompt, "format": format, "options": dict(options)}
    given = {name: value for name, value in chosen.items() if value is not None}
    return Call("POST", "/api/generate", lambda data: None, {**body, **given})


def live(id: str | None, listener: str | None) -> Call[None]:
    """The endless MP3 of a station."""
    path = "/stream.mp3" if id is None else f"/stations/{quote(id, safe='')}/stream.mp3"
    return Call("GET", path, lambda data: None, None, _who(listener))


def events(id: str | None, listener: str | None) -> Call[None]:
    """The events of a station, while they happen."""
    return Call("GET", "/api/events", lambda data: None, None, {**({"station": id} if id else {}), **_who(listener)})


def checked_url(server: str) -> str:
    """The address of a server without a final slash.

    Raises:
        InvalidInput: it is no http address.
    """
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput("server", server, "an address such as http://localhost:8000")
    return server.rstrip("/")


def websocket_url(server: str) -> str:
    """The address of the websocket that counts listeners."""
    return "ws" + server.removeprefix("http") + "/ws"


def error_of(status: int, body: bytes, retry_after: str | None) -> LullwaveError:
    """The error that a reply of an error status tells, in the classes of the package where one fits."""
    try:
        told = json.loads(body)["error"]
        message, name, allowed = str(told["message"]), told.get("field"), told.get("allowed")
    except (ValueError, LookupError, TypeError):
        return RequestRefused(status, f"the server answered with status {status}")
    if status == 404:
        error: LullwaveError = NotFound(name or "page", "")
        error.args = (message,)
        return error
    if status in (429, 503):
        return Busy(message, _seconds(retry_after))
    if status == 422:
        return InvalidInput(name or "request", None, allowed or "", message)
    return RequestRefused(status, message)


class ProgressMeter:
    """Counts the bytes of a clip as seconds of sound, where the format has a constant bit rate. One thread."""

    def __init__(self, format: str, kbps: int | None, total_s: float) -> None:
        self._bytes_per_s = 125.0 * kbps if format == "mp3" and kbps else None
        self._total_s = total_s
        self._received = 0

    def after(self, data: bytes) -> ClipProgress:
        """The progress after ``data`` has arrived too."""
        self._received += len(data)
        made_s = self._received / self._bytes_per_s if self._bytes_per_s else None
        return ClipProgress(self._received, made_s, self._total_s)


class EventReader:
    """Reads server-sent events line by line. One thread."""

    def __init__(self) -> None:
        self._kind, self._data = "", ""

    def line(self, text: str) -> Event | None:
        """Take a line; the event, if it ends one."""
        if text.startswith("event:"):
            self._kind = text[6:].strip()
        elif text.startswith("data:"):
            self._data += text[5:].strip()
        elif not text and self._data:
            data, kind = json.loads(self._data), self._kind
            self._kind, self._data = "", ""
            return Event(kind, data.get("frame"), data)
        return None


def _of(id: str) -> str:
    return f"/api/stations/{quote(id, safe='')}"


def _who(listener: str | None) -> dict[str, str]:
    return {"listener": listener} if listener else {}


def _seconds(text: str | None) -> float:
    try:
        return float(text or RETRY_S)
    except ValueError:
        return RETRY_S
