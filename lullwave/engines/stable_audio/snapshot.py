"""The state of a stream as bytes, safe to read from strangers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ...errors import InvalidInput, SnapshotError
from ...request import Request
from ...storage.packing import pack_state, unpack_state
from ..steers import Steer
from .options import MAX_STEPS
from .track import Window
from .windows import Lengths

MAGIC = b"LWSTAU01"  # format and version of a snapshot


@dataclass(frozen=True, eq=False)
class State:
    """What a stream consists of at a frame."""

    model: str  # weights, precision, kernels and kind of device
    request: Request
    position: int
    lengths: Lengths
    first_steps: int  # denoising steps of first windows
    steers: Sequence[Steer]
    windows: Sequence[Window]
    trimmed: bool  # whether latents from the beginning of the stream are absent


def pack(state: State) -> bytes:
    """Write a snapshot."""
    values = {
        "model": state.model,
        "request": state.request.values(),
        "position": state.position,
        "lengths": asdict(state.lengths),
        "first_steps": state.first_steps,
        "steers": [asdict(steer) for steer in state.steers],
        "windows": [{"start": w.start, "stop": w.stop, "steers": w.steers, "cut_at": w.cut_at} for w in state.windows],
        "trimmed": state.trimmed,
    }
    return pack_state(MAGIC, values, {f"latents{n}": window.latents for n, window in enumerate(state.windows)})


def unpack(snapshot: bytes, model: str, channels: int, hop: int) -> State:
    """Read a snapshot.

    Raises:
        SnapshotError: it is damaged, or of another engine, version or model.
    """
    values, arrays = unpack_state(MAGIC, snapshot, "stable-audio")
    if values.get("model") != model:
        raise SnapshotError(
            f"the snapshot is of model {values.get('model')!r}, but {model!r} is loaded "
            "(weights, precision, kernels and kind of device must be the same)"
        )
    try:
        state = State(
            model=model,
            request=Request(**values["request"]),
            position=int(values["position"]),
            lengths=Lengths.restored(values["lengths"]),
            first_steps=int(values["first_steps"]),
            steers=[Steer(**one) for one in values["steers"]],
            windows=[Window(latents=arrays[f"latents{n}"], **one) for n, one in enumerate(values["windows"])],
            trimmed=bool(values["trimmed"]),
        )
        _check(state, channels, hop)
    except SnapshotError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError, InvalidInput) as error:
        raise SnapshotError(f"the snapshot is damaged: {error}") from error
    return state


def _check(state: State, channels: int, hop: int) -> None:
    """Check that the windows follow one another, hold what they state and reach to the position.

    Raises:
        SnapshotError
    """
    made = state.windows[0].start if state.windows else 0
    for window in state.windows:
        held = window.latents
        if held.dtype != np.float32 or held.ndim != 2 or held.shape[0] != channels:
            raise SnapshotError(f"snapshot: latents of shape {held.shape} and type {held.dtype}")
        if window.start != made or not 0 < window.stop - window.start <= held.shape[1]:
            raise SnapshotError(f"snapshot: a window from latent {window.start} to {window.stop} after {made}")
        made = window.stop
    if not 1 <= state.first_steps <= MAX_STEPS:
        raise SnapshotError(f"snapshot: {state.first_steps} steps; allowed: 1 to {MAX_STEPS}")
    if not state.steers or not 0 <= state.position <= max(0, made) * hop:
        raise SnapshotError(f"snapshot: position {state.position} lies outside of its windows")
