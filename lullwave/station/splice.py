"""Joins one music to another: at equal power, beat on beat where both know theirs; knows neither engine nor clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..engines.base import Mark
from .feed import RATE
from .reserve import Block, Reserve, State, join

CROSSFADE_S = 2.0
BEAT_REACH_S = 2.0  # a beat this far away is worth waiting for
PIECE_REACH_S = 6.0  # and so is the beginning of a piece


def splice(reserve: Reserve, at: int, blocks: list[Block], state: State, marks: Sequence[Mark]) -> int:
    """Put ``blocks`` (from any frame on) into the reserve in place of what is there from about ``at`` on.

    ``state`` is what they can be made from again, of their first frame. ``marks`` are set where they begin. Gives the
    station frame of the first one. Holding the reserve's lock.
    """
    music = join(blocks)
    at = max(reserve.begin, min(max(_on_beat(reserve, at, music), reserve.faded_until), reserve.end))
    tail = reserve.cut(at)
    music = music.moved(at - music.frame)
    overlap = 0 if tail is None else min(round(CROSSFADE_S * RATE), len(tail.samples), len(music.samples))
    states = (replace(state, frame=at, overlap=overlap), *(s for s in music.states if s.frame != at))
    told = (*(replace(mark, frame=at) for mark in marks), *music.marks)
    reserve.append(replace(crossfaded(tail, music, overlap), states=states, marks=told))
    reserve.faded_until = at + overlap
    return at


def end_of_reserve(reserve: Reserve) -> int:
    """Where to leave music that ends: as late as its crossfade allows."""
    return max(reserve.begin, reserve.end - round((CROSSFADE_S + 0.5) * RATE))


def soon(reserve: Reserve, lead_s: float) -> int:
    """Where to leave music that goes on: at a piece's end if one is near, else at a beat after the lead."""
    first = min(reserve.begin + round(lead_s * RATE), end_of_reserve(reserve))
    last = min(first + round(PIECE_REACH_S * RATE), end_of_reserve(reserve))
    ends = [m.frame for m in reserve.marks() if m.kind == "piece" and first < m.frame - CROSSFADE_S * RATE <= last]
    return ends[0] - round(CROSSFADE_S * RATE) if ends else first


def crossfaded(tail: Block | None, block: Block, overlap: int) -> Block:
    """``block`` with the first ``overlap`` frames of what was to be heard fading out underneath, at equal power."""
    if tail is None or overlap <= 0:
        return block
    samples = block.samples.copy()
    angle = 0.5 * np.pi * (np.arange(overlap) + 0.5) / overlap
    samples[:overlap] *= np.sin(angle)[:, None].astype(np.float32)
    samples[:overlap] += tail.samples[:overlap] * np.cos(angle)[:, None].astype(np.float32)
    return replace(block, samples=samples)


def _on_beat(reserve: Reserve, at: int, music: Block) -> int:
    """The frame near ``at`` from which the first beat of ``music`` falls on a beat of the reserve's."""
    reach = round(BEAT_REACH_S * RATE)
    if not music.beats or music.beats[0] - music.frame > reach:
        beats = reserve.beats(at, at + reach)
        return beats[0] if beats else at
    until_beat = music.beats[0] - music.frame
    beats = reserve.beats(at + until_beat, at + until_beat + reach)
    return beats[0] - until_beat if beats else at
