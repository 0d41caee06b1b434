"""Renders a past moment of a station again, sample for sample as it went on air (before encoding).

The history holds engine snapshots and the state of the master. From these the engine renders the same music again,
and the master goes on from its own state. An engine of another version refuses the snapshot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..archive.history import History, SavedState
from ..audio import Audio, Samples, concat
from ..codecs import Tags
from ..engines.base import Engine
from ..errors import SnapshotError, StreamClosed
from ..mastering import Master
from ..redaction import redacted
from .adapter import CHANNELS, RATE, StationStream
from .crossfade import equal_power
from .output import OutputLevels

_STEP = RATE  # frames rendered or mastered at a time


def replay_moment(
    history: History,
    station: str,
    wall: float,
    seconds: float,
    engine: Callable[[str], Engine],
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[Audio, bool]:
    """Render what ``station`` played from ``wall`` on (seconds since 1970); see ``replay``. The sound has its tags.

    It is shorter than ``seconds`` if the station slept or stopped before: what was not on air is not made.

    Raises:
        NotFound: the station was not on air then, or its states were deleted.
        SnapshotError: the engine's version changed, or it has no snapshots.
        StreamClosed: ``stopped()`` was true.
    """
    moment = history.moment(station, wall)
    frames = round(seconds * RATE)
    if moment.left is not None:
        frames = min(frames, moment.left)
    states = history.states(moment, frames + RATE)
    levels = OutputLevels(0, *history.levels(moment.run))
    sound, exact = replay(states, moment.frame, frames, levels, engine, stopped)
    piece = history.piece(moment)
    made_by = engine(next(s for s in reversed(states) if s.frame <= moment.frame).engine).made_by
    tags = Tags.of_generated(str(piece.get("title", "")), str(piece.get("prompt", "")), engine=made_by)
    return replace(sound, tags=tags), exact


def replay(
    states: list[SavedState],
    frame: int,
    frames: int,
    levels: OutputLevels,
    engine: Callable[[str], Engine],
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[Audio, bool]:
    """Render ``frames`` of mastered sound from station frame ``frame`` on; returns it and whether it is exact.

    ``states`` as ``History.states`` returns them. Music of an engine with another sample rate than the station's is
    resampled from another beginning, and so is alike, not equal.

    Raises:
        SnapshotError: the engine's version changed, or it has no snapshots.
        StreamClosed: ``stopped()`` was true; it is asked about once per second of sound.
    """
    master = Master(RATE, CHANNELS, levels.loudness_lufs, levels.ceiling_dbtp)
    anchor = next(s for s in reversed(states) if s.master_frame <= frame)
    master.restore(anchor.master)
    stop = frame + frames + master.latency_frames
    raw, exact = _unmastered(states, anchor.master_frame, stop, engine, stopped)
    out = []
    for at in range(0, len(raw), _STEP):
        _check(stopped)
        out.append(master.process(Audio(raw[at : at + _STEP], RATE)))
    begin = frame - (anchor.master_frame - master.latency_frames)
    return concat(out)[begin : begin + frames], exact


def _unmastered(
    states: list[SavedState], start: int, stop: int, engine: Callable[[str], Engine], stopped: Callable[[], bool]
) -> tuple[Samples, bool]:
    """What left the reserve from ``start`` to ``stop``, (T, 2), and whether all engines have the station's rate."""
    exact = True
    base = states[0].frame
    out = np.zeros((stop - base, CHANNELS), np.float32)
    for state, following in zip(states, [*states[1:], None], strict=True):
        end = stop if following is None else min(stop, following.frame + following.overlap)
        begin = state.frame
        if not state.snapshot:
            raise SnapshotError(
                f"engine {redacted(state.engine)!r} has no snapshots: its music cannot be rendered again"
            )
        restored = engine(state.engine).restore(state.snapshot)
        exact = exact and restored.rate == RATE
        stream = StationStream(restored, begin - state.skip)
        try:
            _read(stream, state.skip, stopped)
            samples = _read(stream, max(0, end - begin), stopped)
        finally:
            stream.close()
        n = min(state.overlap, len(samples))
        if n:
            rise, fall = equal_power(state.overlap)
            mixed = samples[:n] * rise[:n]
            mixed += out[begin - base : begin - base + n] * fall[:n]
            samples = np.concatenate([mixed, samples[n:]])
        out[begin - base : begin - base + len(samples)] = samples
    return out[start - base :], exact


def _read(stream: StationStream, frames: int, stopped: Callable[[], bool]) -> Samples:
    """``frames`` frames, (T, 2), read in steps so that ``stopped`` is asked between them."""
    parts = [np.zeros((0, CHANNELS), np.float32)]
    for at in range(0, frames, _STEP):
        _check(stopped)
        parts.append(stream.read(min(_STEP, frames - at)))
    return np.concatenate(parts)


def _check(stopped: Callable[[], bool]) -> None:
    if stopped():
        raise StreamClosed("the replay was stopped")
