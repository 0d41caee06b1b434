"""Brings a finished sound to a target loudness with a single gain, block by block.

The sound is read several times, so that it never has to be in memory as a whole. The limiter turns down the peaks
above the ceiling and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from ..audio import Audio, concat
from .biquads import QUANTUM
from .limiter import Limiter
from .loudness import SILENCE_LUFS, LoudnessMeter
from .master import CEILING_DBTP, check_levels

TOLERANCE_LU = 0.05  # this close to the target, no further pass is needed
PASSES = 5  # at most, to make up for the loudness that the limiter takes


def at_loudness(sound: Callable[[], Iterable[Audio]], target_lufs: float) -> Iterator[Audio]:
    """The blocks of ``sound()``, which must be the same at each call, at ``target_lufs``. Silence stays silence.

    Raises:
        InvalidInput: the target is out of range.
    """
    check_levels(target_lufs)
    gain_db, loudness = 0.0, measured_lufs(sound())
    if loudness <= SILENCE_LUFS:
        yield from sound()
        return
    for _ in range(PASSES):
        error = target_lufs - loudness
        if abs(error) <= TOLERANCE_LU:
            break
        gain_db += error
        loudness = measured_lufs(limited((block.gain(gain_db) for block in sound()), CEILING_DBTP))
    yield from limited((block.gain(gain_db) for block in sound()), CEILING_DBTP)


def measured_lufs(blocks: Iterable[Audio]) -> float:
    """Integrated loudness of all blocks; ``SILENCE_LUFS`` for less than one gating block (400 ms)."""
    meter = None
    for block in blocks:
        meter = meter or LoudnessMeter(block.rate, block.channels)
        meter.feed(block)
    return meter.integrated_lufs() if meter else SILENCE_LUFS


def limited(blocks: Iterable[Audio], ceiling_dbtp: float = 0.0) -> Iterator[Audio]:
    """The sound with no true peak above the ceiling; the length stays the same."""
    limiter: Limiter | None = None
    waiting: list[Audio] = []
    frames = given = late = 0
    for block in blocks:
        if limiter is None:
            limiter = Limiter(block.rate, block.channels, ceiling_dbtp)
            late = limiter.delay_frames
        frames += block.frames
        waiting.append(block)
        held = concat(waiting)
        whole = held.frames // QUANTUM * QUANTUM
        waiting = [held[whole:]]
        made = _passed(limiter, held[:whole])[late:]
        late -= min(late, whole)
        given += made.frames
        yield made
    if limiter is None:
        return
    rest = waiting[0]
    length = -(-(rest.frames + limiter.delay_frames) // QUANTUM) * QUANTUM
    tail = Audio.silence(length - rest.frames, rest.rate, rest.channels)
    yield _passed(limiter, concat([rest, tail]))[late:][: frames - given]


def _passed(limiter: Limiter, audio: Audio) -> Audio:
    """Limit whole quanta."""
    parts = [limiter.process(audio.samples[i : i + QUANTUM]) for i in range(0, audio.frames, QUANTUM)]
    return Audio(np.concatenate(parts) if parts else audio.samples, audio.rate)
