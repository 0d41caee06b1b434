"""The state of a stream, and its snapshot as bytes: JSON and arrays, safe to read from strangers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput, SnapshotError
from ...prompt import Prompt
from ...request import Request
from ...storage.packing import Arrays, pack_state, unpack_state
from ..steers import Steer

MAGIC = b"LWRIFF01"  # format and version of a snapshot


@dataclass(frozen=True, eq=False)
class Segment:
    """A part of one tile: frames ``start`` to ``stop``.

    ``samples`` reaches beyond ``stop``, for the crossfade with the next segment. A change of prompt at frame
    ``cut_at`` ends a segment before ``full_stop``.
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
        """The segment as it was before a change of prompt shortened it."""
        assert self.full_stop is not None
        return replace(self, stop=self.full_stop, cut_at=None)


def pack(request: Request, position: int, steers: Sequence[Steer], segments: Sequence[Segment]) -> bytes:
    """Write a snapshot."""
    head = {
        "request": request.values(),
        "position": position,
        "steers": [asdict(steer) for steer in steers],
        "segments": [
            {"start": s.start, "stop": s.stop, "cut_at": s.cut_at, "full_stop": s.full_stop} for s in segments
        ],
    }
    arrays: Arrays = {f"columns{n}": s.columns for n, s in enumerate(segments)}
    arrays |= {f"samples{n}": s.samples for n, s in enumerate(segments)}
    return pack_state(MAGIC, head, arrays)


def unpack(snapshot: bytes) -> tuple[Request, int, list[Steer], list[Segment]]:
    """Read a snapshot: request, position, changes of prompt, segments.

    Raises:
        SnapshotError: it is damaged, or of another engine or version.
    """
    head, arrays = unpack_state(MAGIC, snapshot, "riffusion")
    try:
        segments = [
            Segment(columns=arrays[f"columns{n}"], samples=arrays[f"samples{n}"], **one)
            for n, one in enumerate(head["segments"])
        ]
        _check(int(head["position"]), segments)
        return (
            Request(**head["request"]),
            int(head["position"]),
            [Steer(**one) for one in head["steers"]],
            segments,
        )
    except SnapshotError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError, InvalidInput) as error:
        raise SnapshotError(f"the snapshot is damaged: {error}") from error


def _check(position: int, segments: Sequence[Segment]) -> None:
    """Check that the segments hold what they state and reach to ``position``.

    Raises:
        SnapshotError
    """
    for one in segments:
        assert one.full_stop is not None
        held = one.columns.ndim == 2 and one.columns.dtype == np.uint8 and one.samples.dtype == np.float32
        if not held or one.samples.shape != (len(one.samples),) or not 0 <= one.start < one.stop <= one.full_stop:
            raise SnapshotError("snapshot: a segment of another form")
        if one.full_stop - one.start > len(one.samples):
            raise SnapshotError(f"snapshot: a segment of {one.full_stop - one.start} frames has {len(one.samples)}")
    if not 0 <= position <= (segments[-1].stop if segments else 0):
        raise SnapshotError(f"snapshot: position {position} lies outside of its segments")


def piece_title(prompt: str) -> str:
    """The title of a piece, from the beginning of its prompt."""
    words = Prompt.parse(prompt).text.split(",")[0].strip()
    return words[:1].upper() + words[1:60] if words else "Riffusion"
