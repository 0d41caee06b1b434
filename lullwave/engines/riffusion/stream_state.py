"""What a stream remembers, and its snapshot as bytes: JSON and arrays, nothing that is executed."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput, SnapshotError
from ...prompt import Prompt
from ...request import Request

MAGIC = b"LWRIFF01"


@dataclass(frozen=True)
class Steer:
    """From ``frame`` on the music turns towards ``prompt``, over ``over_s`` seconds."""

    frame: int
    prompt: str
    over_s: float


@dataclass(frozen=True, eq=False)
class Segment:
    """A stretch of one tile: frames ``start`` to ``stop``.

    ``samples`` goes on beyond ``stop``, for the join with what follows. A change of prompt at frame ``cut_at`` lets a
    segment stop early.
    """

    start: int
    stop: int
    columns: npt.NDArray[np.uint8]  # (bins, columns) of the whole tile, a loop
    samples: npt.NDArray[np.float32]
    cut_at: int | None = None
    full_stop: int | None = None

    def __post_init__(self) -> None:
        if self.full_stop is None:
            object.__setattr__(self, "full_stop", self.stop)

    def whole(self) -> Segment:
        """As it was before a change of prompt cut it short."""
        assert self.full_stop is not None
        return replace(self, stop=self.full_stop, cut_at=None)


def pack(request: Request, position: int, steers: Sequence[Steer], segments: Sequence[Segment]) -> bytes:
    """A snapshot."""
    head = {
        "request": {**asdict_of(request)},
        "position": position,
        "steers": [asdict(steer) for steer in steers],
        "segments": [
            {"start": s.start, "stop": s.stop, "cut_at": s.cut_at, "full_stop": s.full_stop} for s in segments
        ],
    }
    words = json.dumps(head).encode()
    arrays = io.BytesIO()
    values = {f"columns{n}": s.columns for n, s in enumerate(segments)}
    np.savez(arrays, **values, **{f"samples{n}": s.samples for n, s in enumerate(segments)})  # type: ignore[arg-type]
    return MAGIC + len(words).to_bytes(4, "little") + words + arrays.getvalue()


def unpack(snapshot: bytes) -> tuple[Request, int, list[Steer], list[Segment]]:
    """What was packed.

    Raises:
        SnapshotError: of another engine or version, or damaged.
    """
    if snapshot[:8] != MAGIC:
        raise SnapshotError("this is no snapshot of the engine 'riffusion' in this version")
    try:
        size = int.from_bytes(snapshot[8:12], "little")
        head: dict[str, Any] = json.loads(snapshot[12 : 12 + size])
        arrays = np.load(io.BytesIO(snapshot[12 + size :]), allow_pickle=False)
        segments = [
            Segment(columns=arrays[f"columns{n}"], samples=arrays[f"samples{n}"], **one)
            for n, one in enumerate(head["segments"])
        ]
        return (
            Request(**head["request"]),
            int(head["position"]),
            [Steer(**one) for one in head["steers"]],
            segments,
        )
    except (KeyError, TypeError, ValueError, OSError, EOFError, zipfile.BadZipFile, InvalidInput) as error:
        raise SnapshotError(f"the snapshot is damaged: {error}") from error


def asdict_of(request: Request) -> dict[str, Any]:
    """A request as plain data."""
    return {
        "prompt": request.prompt,
        "seed": request.seed,
        "duration_s": request.duration_s,
        "options": dict(request.options),
    }


def piece_title(prompt: str) -> str:
    """A title for people."""
    words = Prompt.parse(prompt).text.split(",")[0].strip()
    return words[:1].upper() + words[1:60] if words else "Riffusion"
