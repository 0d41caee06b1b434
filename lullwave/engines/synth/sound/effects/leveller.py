"""The levels of sections: one slow gain brings each to the loudness that is planned for it, and joins are evened out.

An arrangement of strings is 8 dB louder than one of a koto, and an intro for two players softer than a full band. The
first bar of a section sets the gain, later bars move it by little, and within a bar the music keeps its dynamics. Knows
neither notes nor instruments.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .....audio import Samples
from .....mastering.loudness import k_weighting, lufs
from ...score import RATE

MOST_UP_DB, MOST_DOWN_DB = 8.0, 10.0  # largest gains
_FREE_LU = 1.0  # a section this close to its plan is left as it is
_FREE_FIRST_LU = 0.5  # the same at its first bar
_STEP_DB = 0.75  # most that the gain moves in a later bar
_REST_LU = 8.0  # a bar this far below the bars before it is a rest or a tail, and counts for nothing
_SILENT_LUFS = -50.0  # so does a bar below this
_JOIN_LU = (-0.8, 1.8)  # steps at a join that are left
_MOST_EVENED_DB = 8.0
_BLOCK = 8192  # frames that are transformed at once


@dataclass(frozen=True)
class LevelState:
    """The gain at the end of the last bar, and what it was found from."""

    gain_db: float = 0.0
    section: str = ""
    power: float = 0.0  # mean over the section so far, before the gain
    frames: int = 0  # of the section that were counted
    ending: float = 0.0  # power of the last second, after the gain


def level(
    music: Samples, meet: int, state: LevelState, section: str, planned_lufs: float | None, begins: bool
) -> tuple[Samples, LevelState]:
    """Gain (T,) for a bar of music (2, T) whose first note lies at frame ``meet``, and the state after it.

    ``begins``: the bar is the first of a piece. Without ``planned_lufs`` the gain stays, but for joins.
    """
    frames = music.shape[1]
    power, counted = (0.0, 0) if begins or section != state.section else (state.power, state.frames)
    first, gain_db, before_db = counted == 0, state.gain_db, state.gain_db
    here = weighted_power(music)
    if planned_lufs is not None and lufs(here) > max(_SILENT_LUFS, lufs(power) - _REST_LU):
        power = (power * counted + here * frames) / (counted + frames)
        counted += frames
        wanted_db = planned_lufs - lufs(power)
        free_lu = 0.0 if begins else _FREE_FIRST_LU if first else _FREE_LU
        near_db = min(max(gain_db, wanted_db - free_lu), wanted_db + free_lu)
        near_db = min(max(near_db, -MOST_DOWN_DB), MOST_UP_DB)
        gain_db = near_db if first else gain_db + min(max(near_db - gain_db, -_STEP_DB), _STEP_DB)
    if begins and state.ending == 0.0:
        before_db = gain_db
    start, end = 10 ** (before_db / 20), 10 ** (gain_db / 20)
    curve = np.full(frames, end, np.float32)
    if start != end:
        reached = min(meet, frames) if first else frames
        curve[:reached] = np.linspace(start, end, reached, dtype=np.float32)
    if begins and state.ending > 0.0 and frames > meet + RATE:
        after = heard_power(music[:, meet : meet + RATE] * curve[meet : meet + RATE])
        curve = curve * level_join(frames, meet, state.ending, after)
    ending = heard_power(music[:, -RATE:] * curve[-RATE:]) if frames >= RATE else 0.0
    return curve, LevelState(gain_db, section, power, counted, ending)


def level_join(frames: int, meet: int, before: float, after: float) -> Samples:
    """Gain (T,) for a block in which another piece begins at ``meet``: it comes as loud as the one before it ended.

    ``before`` and ``after`` are the powers of a second on either side. Small steps are left; what is corrected is given
    back in the course of the block.
    """
    step_db = 10 * np.log10((after + 1e-9) / (before + 1e-9))
    wrong_db = float(np.clip(step_db - np.clip(step_db, *_JOIN_LU), -_MOST_EVENED_DB, _MOST_EVENED_DB))
    hold = min(frames, meet + RATE)
    points = np.array([0, meet, hold, frames])
    return np.asarray(10 ** (-np.interp(np.arange(frames), points, [0, wrong_db, wrong_db, 0]) / 20), np.float32)


def heard_power(second: Samples) -> float:
    """Power of a second (2, RATE) as a loudness meter takes it: its blocks of 400 ms overlap, so the edges count less
    than the middle."""
    return weighted_power(second * _overlap(second.shape[1]))


def weighted_power(stereo: Samples) -> float:
    """K-weighted power (BS.1770) of (2, T) at the full rate, both channels together."""
    frames = stereo.shape[1]
    blocks = -(-frames // _BLOCK)
    padded = np.zeros((2, blocks * _BLOCK), np.float32)
    padded[:, :frames] = stereo
    spectrum = np.fft.rfft(padded.reshape(2 * blocks, _BLOCK), axis=1)
    power = np.einsum("bf,bf->f", spectrum.real, spectrum.real) + np.einsum("bf,bf->f", spectrum.imag, spectrum.imag)
    return float(np.dot(power, _weights()) * (2.0 / _BLOCK / max(1, frames)))


@lru_cache(maxsize=2)
def _overlap(frames: int) -> Samples:
    """(T,): amplitudes whose squares are the share of each frame in overlapping blocks, one on average."""
    shares = np.interp((np.arange(frames) + 0.5) / frames, [0.0, 0.35, 0.65, 1.0], [0.125, 1.0, 1.0, 0.125])
    return np.asarray(np.sqrt(shares / shares.mean()), np.float32)


@lru_cache(maxsize=1)
def _weights() -> npt.NDArray[np.float64]:
    """(BLOCK / 2 + 1,): gain of power of the K-weighting at the frequencies of a transform."""
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(_BLOCK))
    gains = np.ones(len(turn))
    for b0, b1, b2, a1, a2 in k_weighting(RATE):
        gains *= np.abs((b0 + b1 * turn + b2 * turn**2) / (1.0 + a1 * turn + a2 * turn**2)) ** 2
    gains[0] = 0.0
    gains[-1] /= 2.0  # once in a whole transform, as the others are twice
    return gains
