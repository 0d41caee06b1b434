"""What a server tells, as frozen values; fields that this version does not know are in ``data``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..audio import Audio
from ..codecs import decode

LONGEST_S = 3600.0  # of a clip, seconds


@dataclass(frozen=True)
class Event:
    """Something that happened at a station; ``frame`` is the stream frame at which it is heard."""

    kind: str  # "piece", "steer", "listeners", …: see the documentation of /api/events
    frame: int | None
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Piece:
    """The piece that is on air."""

    title: str
    prompt: str
    tempo_bpm: float | None
    key: str | None
    data: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Station:
    """A station: what it is and what it plays now."""

    id: str
    name: str
    prompt: str
    engine: str
    state: str  # "starting", "on air", "asleep", "stopped"
    listeners: int
    steered: bool  # whether it plays something else than its own programme
    now: Piece | None
    data: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class SteerReceipt:
    """The reply to a request to steer a station."""

    state: str  # "turning", "queued", "voted" or "ignored"
    frame: int | None  # stream frame at which it is heard, where that is known
    heard_in_s: float
    understood: str
    ignored: tuple[str, ...]  # words that had no effect
    suggestions: Mapping[str, tuple[str, ...]]
    data: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class HistoryEntry:
    """A piece or a change of prompt that was heard."""

    at: str  # local time, as ``replay`` takes it
    kind: str
    title: str | None
    prompt: str | None
    frame: int
    until: int | None  # frame at which the next piece began or the station ended
    data: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class EngineListing:
    """An engine of a server."""

    name: str
    available: bool
    summary: str  # or the reason why it is not available
    options: Mapping[str, Any] = field(repr=False)  # a JSON schema


@dataclass(frozen=True)
class ClipProgress:
    """How much of a clip has arrived."""

    received_bytes: int
    made_s: float | None  # seconds of sound in them; None where the format's bit rate varies
    total_s: float

    @property
    def share(self) -> float | None:
        """From 0 to 1, where ``made_s`` is known."""
        return None if self.made_s is None else min(1.0, self.made_s / self.total_s)


@dataclass(frozen=True)
class Clip:
    """A file of sound that a server made."""

    file: bytes = field(repr=False)
    format: str
    exact: bool = True  # False: a replayed moment that is only similar

    def audio(self) -> Audio:
        """Decode the file."""
        return decode(self.file, LONGEST_S)

    def save(self, path: str | Path) -> None:
        """Write the file as it arrived."""
        Path(path).write_bytes(self.file)


def read_station(data: Mapping[str, Any]) -> Station:
    """A station from the server's JSON."""
    now = data.get("now")
    piece = None
    if now:
        piece = Piece(now.get("title") or "", now.get("prompt") or "", now.get("tempo_bpm"), now.get("key"), now)
    return Station(
        data["id"],
        data["name"],
        data["prompt"],
        data["engine"],
        data["state"],
        data["listeners"],
        bool(data.get("steered")),
        piece,
        data,
    )


def read_receipt(data: Mapping[str, Any]) -> SteerReceipt:
    """The reply to a request to steer, from the server's JSON."""
    understood = data["understood"]
    suggestions = {word: tuple(known) for word, known in understood.get("suggestions", {}).items()}
    return SteerReceipt(
        data["state"],
        data["frame"],
        data["heard_in_s"],
        understood["text"],
        tuple(understood["ignored"]),
        suggestions,
        data,
    )


def read_entry(data: Mapping[str, Any]) -> HistoryEntry:
    """An entry of the history from the server's JSON."""
    return HistoryEntry(
        data["at"], data["kind"], data.get("title"), data.get("prompt"), data["frame"], data.get("until"), data
    )


def read_engine(data: Mapping[str, Any]) -> EngineListing:
    """An engine from the server's JSON."""
    said = data.get("summary") or data.get("why") or ""
    return EngineListing(data["name"], data["available"], said, data.get("options") or {})
