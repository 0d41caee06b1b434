"""Makes a past moment of a station again, to the sample as it went on air (before encoding); knows no clock.

The engine's states go on air with the music; between two of them the engine makes what it made. The master goes on
from its own state. Another version of an engine refuses its snapshot, and says so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..archive.history import SavedState
from ..audio import Audio, Samples, concat
from ..engines.base import Engine
from ..errors import SnapshotError
from ..mastering import Master
from .adapter import CHANNELS, RATE, StationStream
from .playout import OutputLevels

_STEP = RATE  # frames


def replay(
    states: list[SavedState], frame: int, frames: int, levels: OutputLevels, engine: Callable[[str], Engine]
) -> tuple[Audio, bool]:
    """``frames`` of mastered sound from station frame ``frame`` on, and whether they are exact.

    ``states`` as ``History.states`` gives them. Streams of another rate than the station's come out alike, not equal.

    Raises:
        SnapshotError: the engine is another one than it was, or had no snapshots.
    """
    master = Master(RATE, CHANNELS, levels.loudness_lufs, levels.ceiling_dbtp)
    anchor = next(s for s in reversed(states) if s.master_frame <= frame)
    master.restore(anchor.master)
    stop = frame + frames + master.latency_frames
    raw, exact = _unmastered(states, anchor.master_frame, stop, engine)
    out = [master.process(Audio(raw[at : at + _STEP], RATE)) for at in range(0, len(raw), _STEP)]
    begin = frame - (anchor.master_frame - master.latency_frames)
    return concat(out)[begin : begin + frames], exact


def _unmastered(
    states: list[SavedState], start: int, stop: int, engine: Callable[[str], Engine]
) -> tuple[Samples, bool]:
    """What came out of the reserve from ``start`` to ``stop``, and whether no stream was of another rate."""
    exact = True
    made = np.zeros((stop - states[0].frame, CHANNELS), np.float32)
    base = states[0].frame
    for state, following in zip(states, [*states[1:], None], strict=True):
        end = stop if following is None else min(stop, following.frame + following.overlap)
        begin = state.frame
        if not state.snapshot:
            raise SnapshotError(f"engine {state.engine!r} has no snapshots: its music cannot be made again")
        stream = engine(state.engine).restore(state.snapshot)
        exact = exact and stream.rate == RATE
        feed = StationStream(stream, begin - state.skip)
        try:
            feed.read(state.skip)
            samples = feed.read(max(0, end - begin))
        finally:
            feed.close()
        n = min(state.overlap, len(samples))
        if n:
            angle = 0.5 * np.pi * (np.arange(n) + 0.5) / state.overlap
            mixed = samples[:n] * np.sin(angle)[:, None].astype(np.float32)
            mixed += made[begin - base : begin - base + n] * np.cos(angle)[:, None].astype(np.float32)
            samples = np.concatenate([mixed, samples[n:]])
        made[begin - base : begin - base + len(samples)] = samples
    return made[start - base :], exact
