"""What a station tells its subscribers, and the piece that is on air."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """Something that happens at a station frame: to the sound, or to the station while that frame goes on air."""

    kind: str  # piece, steer, programme, state, rung, …
    frame: int
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class NowPlaying:
    """The piece on air."""

    started_frame: int
    data: Mapping[str, Any]
