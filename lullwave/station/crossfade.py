"""Joins one music to another: at equal power, beat on beat where both know theirs; knows neither engine nor clock.

Where there is a choice of beats, the two meet where they are about equally loud.
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

CROSSFADE_S = 2.0
BEAT_REACH_S = 2.0  # a beat this far away is worth waiting for
PIECE_REACH_S = 6.0  # and so is the beginning of a piece
CHOICE_S = 3.0  # so much sooner or later the other music may begin, to be as loud as what it follows
COMPARED_S = 3.0  # of both are compared, without the crossfade
HEARD_S = COMPARED_S + CROSSFADE_S  # of the coming music, from where it begins, before it can be compared
_LU_PER_S = 0.2  # a second away from the place that was asked for is worth so much of a step
_COARSE = 4  # frames that are taken as one to compare
_HOP = RATE // 10  # of the loudness that is compared


@dataclass(frozen=True)
class JoinWindow:
    """Where to leave what is in the reserve: best at station frame ``at``, or anywhere from there to ``until``."""

    at: int
    until: int


def choose_join(reserve: Reserve, place: JoinWindow, music: Block, skip: int = 0) -> tuple[int, int]:
    """At which station frame ``music`` is to begin, and with which of its frames, up to ``skip`` later than its first.

    Beat on beat, and where both are about equally loud. Holding the reserve's lock.
    """
    first = max(reserve.begin, min(max(_on_beat(reserve, place.at, music), reserve.faded_until), reserve.end))
    low, high = max(min(place.at, place.until), reserve.faded_until), min(max(place.at, place.until), reserve.end)
    heard = max(reserve.begin, low - round(COMPARED_S * RATE))
    before = _levels(reserve.samples(heard, max(heard, high)))
    after = _levels(music.samples[: skip + round((HEARD_S + 0.5) * RATE)])
    found = []
    for start in (music.frame, *(b for b in music.beats if music.frame < b <= music.frame + skip)):
        until_beat = next((b - start for b in music.beats if b >= start), 0)
        coming = (start - music.frame + round(CROSSFADE_S * RATE)) // _HOP
        near = low + until_beat, high + until_beat + 1
        for beat in reserve.beats(*near) or range(*near, RATE // 2):
            at = beat - until_beat
            going = (at - heard - round(COMPARED_S * RATE)) // _HOP
            if 0 <= going < len(before) and coming < len(after):
                away_s = (abs(at - place.at) + start - music.frame) / RATE
                found.append((abs(after[coming] - before[going]) + _LU_PER_S * away_s, at, start))
    return min(found)[1:] if found else (first, music.frame)


def splice(reserve: Reserve, at: int, music: Block, state: RestorePoint, marks: Sequence[Mark]) -> int:
    """Put ``music`` (from any frame on) into the reserve in place of what is there from ``at`` on.

    ``state`` is what it can be made from again, of its first frame. ``marks`` are set where it begins. Gives the
    station frame of the first one. Holding the reserve's lock.
    """
    tail = reserve.cut(at)
    music = music.moved(at - music.frame)
    overlap = 0 if tail is None else min(round(CROSSFADE_S * RATE), len(tail.samples), len(music.samples))
    states = (replace(state, frame=at, overlap=overlap), *(s for s in music.restore_points if s.frame != at))
    told = (*(replace(mark, frame=at) for mark in marks), *music.marks)
    reserve.append(replace(crossfaded(tail, music, overlap), restore_points=states, marks=told))
    reserve.faded_until = at + overlap
    return at


def latest_join(reserve: Reserve) -> JoinWindow:
    """Where to leave music that ends: about as late as its crossfade allows."""
    last = max(reserve.begin, reserve.end - round((CROSSFADE_S + 0.5) * RATE))
    soonest = reserve.begin + round(COMPARED_S * RATE)
    return JoinWindow(last, min(last, max(soonest, last - round(CHOICE_S * RATE))))


def earliest_join(reserve: Reserve, lead_s: float, choice_s: float = 0.0) -> JoinWindow:
    """Where to leave music that goes on: at a piece's end if one is near, else at a beat after the lead."""
    end = latest_join(reserve).at
    first = min(reserve.begin + round(lead_s * RATE), end)
    last = min(first + round(PIECE_REACH_S * RATE), end)
    ends = [m.frame for m in reserve.marks() if m.kind == "piece" and first < m.frame - CROSSFADE_S * RATE <= last]
    at = ends[0] - round(CROSSFADE_S * RATE) if ends else first
    return JoinWindow(at, min(at + round(choice_s * RATE), end))


def crossfaded(tail: Block | None, block: Block, overlap: int) -> Block:
    """``block`` with the first ``overlap`` frames of what was to be heard fading out underneath, at equal power."""
    if tail is None or overlap <= 0:
        return block
    samples = block.samples.copy()
    angle = 0.5 * np.pi * (np.arange(overlap) + 0.5) / overlap
    samples[:overlap] *= np.sin(angle)[:, None].astype(np.float32)
    samples[:overlap] += tail.samples[:overlap] * np.cos(angle)[:, None].astype(np.float32)
    return replace(block, samples=samples)


def _levels(samples: Samples) -> list[float]:
    """Loudness of each ``COMPARED_S``, one every ``_HOP``."""
    whole = samples[: len(samples) // _COARSE * _COARSE]
    coarse = sum((whole[n::_COARSE] for n in range(1, _COARSE)), whole[::_COARSE]) / np.float32(_COARSE)
    return [float(level) for level in short_term_lufs(Audio(coarse, RATE // _COARSE))]


def _on_beat(reserve: Reserve, at: int, music: Block) -> int:
    """The frame near ``at`` from which the first beat of ``music`` falls on a beat of the reserve's."""
    reach = round(BEAT_REACH_S * RATE)
    if not music.beats or music.beats[0] - music.frame > reach:
        beats = reserve.beats(at, at + reach)
        return beats[0] if beats else at
    until_beat = music.beats[0] - music.frame
    beats = reserve.beats(at + until_beat, at + until_beat + reach)
    return beats[0] - until_beat if beats else at
