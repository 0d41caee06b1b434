"""Requests to change a station's music, and the replies to them. Knows nothing of HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ...engines.base import Understanding
from ...errors import Busy
from ...ring import Ring
from ...station import Event, Station


class NothingToUndo(Busy):
    """The station plays its first prompt."""

    def __init__(self) -> None:
        super().__init__("there is nothing to undo", 60.0)


@dataclass(frozen=True)
class PromptReceipt:
    """The reply to a request."""

    state: str  # "turning" (steered now), "queued", "voted" or "ignored" (nothing was understood; nothing changes)
    understanding: Understanding
    frame: int | None = None  # first frame that is steered, once known
    heard_in_s: float = 0.0  # seconds until it is on air; an estimate while the request waits
    votes: Mapping[str, int] = field(default_factory=dict)  # prompt → votes
    undone_to: str | None = None  # of an undo: the prompt that it goes back to, as far as is known now


@dataclass(frozen=True)
class Requester:
    """The client that sends a request: its address, and its listener id if that listener has an audio connection."""

    address: str
    listener: str | None = None

    @property
    def key(self) -> str:
        """What has one place in the queue and one vote."""
        return self.listener or self.address


@dataclass(frozen=True)
class PromptRequest:
    """A request that waits or is carried out."""

    prompt: str
    requester: Requester
    undo: bool = False


class Steered(Protocol):
    """A station with the events that its listeners get."""

    station: Station
    events: Ring[Event]
