"""Levels of an endless programme as they are heard: sections near their plan, joins without a step."""

from dataclasses import replace

import numpy as np
import pyloudnorm
import pytest

from lullwave.engines.synth.options import SynthOptions
from lullwave.engines.synth.programme import Programme
from lullwave.engines.synth.score import LOOKAHEAD_S, RATE
from lullwave.engines.synth.sound.instruments.cache import SoundCache
from lullwave.engines.synth.sound.renderer import LATENCY, Renderer, RendererState
from lullwave.request import Request

SEED, PIECES = 11, 13  # a programme in which strings follow a sparse outro
JOINS = 6  # of the last pieces, which are judged
BEFORE, AFTER = 3, 1  # bars that are rendered around a join


@pytest.fixture(scope="module")
def bars():
    """The first pieces of a programme, without crackle, hiss and surroundings."""
    programme = Programme(Request(prompt="", seed=SEED), SynthOptions(crackle=False))
    found = []
    while (bar := programme.next_bar()).piece < PIECES:
        quiet = replace(bar.mix, crackle_db=-120.0, hiss_db=-120.0, ambience_lufs={})
        found.append(replace(bar, mix=quiet))
    return found


@pytest.fixture(scope="module")
def cache():
    return SoundCache(64 << 20)


def rendered(bars, cache):
    frame = bars[0].start_frame
    state = RendererState(frame=frame, music=(frame - round(LOOKAHEAD_S * RATE)) // 2)
    renderer = Renderer(SEED, cache, state)
    return np.concatenate([renderer.render(bar) for bar in bars])


def lufs(samples):
    return pyloudnorm.Meter(RATE, block_size=0.4).integrated_loudness(samples.astype(np.float64))


def test_no_join_has_a_step(bars, cache):
    """The second after each of six joins is within 2 LU of the second before it."""
    steps = []
    for n, bar in enumerate(bars):
        if bar.bar == 0 and bar.piece >= PIECES - JOINS:
            samples = rendered(bars[n - BEFORE : n + AFTER], cache)
            at = bar.start_frame + LATENCY - bars[n - BEFORE].start_frame
            steps.append(lufs(samples[at : at + RATE]) - lufs(samples[at - RATE : at]))
    assert len(steps) == JOINS
    assert np.abs(steps).max() < 2.0, np.round(steps, 2)


def test_sections_are_as_loud_as_planned(bars, cache):
    """Of a piece whose outro would be 4 LU below its other sections, and whose intro would be louder than they are."""
    piece = [bar for bar in bars if bar.piece == PIECES - 2]
    samples, start = rendered(piece, cache), piece[0].start_frame - LATENCY
    off = {}
    for name in dict.fromkeys(bar.section for bar in piece):
        own = [bar for bar in piece if bar.section == name]
        heard = samples[own[0].start_frame - start : own[-1].start_frame + own[-1].frames - start]
        off[name] = lufs(heard) - own[0].mix.music_lufs
    assert max(map(abs, off.values())) < 2.5, off
