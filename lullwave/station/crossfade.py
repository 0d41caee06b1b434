"""Joins one piece of music to another with an equal-power crossfade. Knows neither engines nor clocks.

Beat falls on beat where both have beats. Among several possible beats, the join is where both are about equally loud.
All functions that read or change a reserve need ``reserve.lock``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..audio import Audio, Samples
from ..engines.base import Mark
from ..mastering import short_term_lufs
from .adapter import RATE
from .reserve import Block, Reserve, RestorePoint

CROSSFADE_S = 2.0  # length of every crossfade
BEAT_REACH_S = 2.0  # look this far for a beat to join on
PIECE_REACH_S = 6.0  # look this far for the end of a piece to join on
CHOICE_S = 3.0  # search window: the join may move this far to match loudness
LEAD_S = 2.0  # other music joins at least this long after the next frame to go on air
COMPARED_S = 3.0  # loudness is compared over this much of both, outside the crossfade
MIN_MUSIC_S = COMPARED_S + CROSSFADE_S  # of the new music, needed before its loudness can be compared
_LU_PER_S = 0.2  # cost of moving the join by one second, in loudness units of mismatch
_DECIMATE = 4  # frames averaged into one before loudness is measured
_HOP = RATE // 10  # frames between two loudness values


@dataclass(frozen=True)
class JoinWindow:
    """Where the current music may end: preferably at station frame ``at``, at the latest or earliest at ``until``."""

    at: int
    until: int


def equal_power(frames: int) -> tuple[Samples, Samples]:
    """The gains of an equal-power crossfade: fade-in (a quarter sine) and fade-out, each (T, 1)."""
    angle = 0.5 * np.pi * (np.arange(frames) + 0.5) / max(frames, 1)
    return np.sin(angle)[:, None].astype(np.float32), np.cos(angle)[:, None].astype(np.float32)


def choose_join(reserve: Reserve, window: JoinWindow, music: Block, skip: int = 0) -> tuple[int, int]:
    """Choose the join: returns (station frame, first frame of ``music`` to use).

    At most ``skip`` frames of ``music`` are dropped.
    """
    default = max(reserve.begin, min(max(_on_beat(reserve, window.at, music), reserve.faded_until), reserve.end))
    low = max(min(window.at, window.until), reserve.faded_until)
    high = min(max(window.at, window.until), reserve.end)
    measured_from = max(reserve.begin, low - round(COMPARED_S * RATE))
    before = _loudness(reserve.samples(measured_from, max(measured_from, high)))
    after = _loudness(music.samples[: skip + round((MIN_MUSIC_S + 0.5) * RATE)])
    candidates = []
    for start in (music.frame, *(b for b in music.beats if music.frame < b <= music.frame + skip)):
        until_beat = next((b - start for b in music.beats if b >= start), 0)
        new = (start - music.frame + round(CROSSFADE_S * RATE)) // _HOP
        near = low + until_beat, high + until_beat + 1
        for beat in reserve.beats(*near) or range(*near, RATE // 2):
            at = beat - until_beat
            old = (at - measured_from - round(COMPARED_S * RATE)) // _HOP
            if 0 <= old < len(before) and new < len(after):
                moved_s = (abs(at - window.at) + start - music.frame) / RATE
                candidates.append((abs(after[new] - before[old]) + _LU_PER_S * moved_s, at, start))
    return min(candidates)[1:] if candidates else (default, music.frame)


def splice(reserve: Reserve, at: int, music: Block, origin: RestorePoint, marks: Sequence[Mark]) -> int:
    """Replace the reserve from station frame ``at`` on by ``music``, crossfaded; returns ``at``.

    ``music`` may be counted from any frame. ``origin`` restores it from its first frame; ``marks`` are set there.
    """
    tail = reserve.cut(at)
    music = music.moved(at - music.frame)
    overlap = 0 if tail is None else min(round(CROSSFADE_S * RATE), len(tail.samples), len(music.samples))
    points = (replace(origin, frame=at, overlap=overlap), *(p for p in music.restore_points if p.frame != at))
    all_marks = (*(replace(mark, frame=at) for mark in marks), *music.marks)
    joined = replace(_crossfaded(tail, music, overlap), restore_points=points, marks=all_marks)
    reserve.append(joined, faded=overlap)
    return at


def latest_join(reserve: Reserve) -> JoinWindow:
    """The window for music that ends: as late as a whole crossfade allows."""
    last = max(reserve.begin, reserve.end - round((CROSSFADE_S + 0.5) * RATE))
    first = reserve.begin + round(COMPARED_S * RATE)
    return JoinWindow(last, min(last, max(first, last - round(CHOICE_S * RATE))))


def earliest_join(reserve: Reserve, lead_s: float, choice_s: float = 0.0) -> JoinWindow:
    """The window for music that could go on: the end of a piece if one is near, else ``lead_s`` from now."""
    end = latest_join(reserve).at
    first = min(reserve.begin + round(lead_s * RATE), end)
    last = min(first + round(PIECE_REACH_S * RATE), end)
    ends = [m.frame for m in reserve.marks() if m.kind == "piece" and first < m.frame - CROSSFADE_S * RATE <= last]
    at = ends[0] - round(CROSSFADE_S * RATE) if ends else first
    return JoinWindow(at, min(at + round(choice_s * RATE), end))


def soon(reserve: Reserve) -> JoinWindow:
    """The window for music that was asked for: as soon as possible."""
    return earliest_join(reserve, LEAD_S)


def at_once(reserve: Reserve) -> JoinWindow:
    """The window for music that follows a skipped piece: the end of that piece does not matter."""
    at = min(reserve.begin + round(LEAD_S * RATE), latest_join(reserve).at)
    return JoinWindow(at, at)


def soon_or_later(reserve: Reserve) -> JoinWindow:
    """The window for better music than a fallback's: soon, where both are about equally loud."""
    return earliest_join(reserve, LEAD_S, CHOICE_S)


def _crossfaded(tail: Block | None, block: Block, overlap: int) -> Block:
    """``block``, its first ``overlap`` frames crossfaded from ``tail``."""
    if tail is None or overlap <= 0:
        return block
    samples = block.samples.copy()
    rise, fall = equal_power(overlap)
    samples[:overlap] *= rise
    samples[:overlap] += tail.samples[:overlap] * fall
    return replace(block, samples=samples)


def _loudness(samples: Samples) -> list[float]:
    """Short-term loudness in LUFS, one value every ``_HOP``, each over ``COMPARED_S``."""
    whole = samples[: len(samples) // _DECIMATE * _DECIMATE]
    coarse = sum((whole[n::_DECIMATE] for n in range(1, _DECIMATE)), whole[::_DECIMATE]) / np.float32(_DECIMATE)
    return [float(level) for level in short_term_lufs(Audio(coarse, RATE // _DECIMATE))]


def _on_beat(reserve: Reserve, at: int, music: Block) -> int:
    """The frame near ``at`` that puts the first beat of ``music`` on a beat of the reserve."""
    reach = round(BEAT_REACH_S * RATE)
    if not music.beats or music.beats[0] - music.frame > reach:
        beats = reserve.beats(at, at + reach)
        return beats[0] if beats else at
    until_beat = music.beats[0] - music.frame
    beats = reserve.beats(at + until_beat, at + until_beat + reach)
    return beats[0] - until_beat if beats else at
