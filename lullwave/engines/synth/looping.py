"""Clips that repeat without a seam: whole bars, with the tails of the end under the beginning.

The bars are rendered twice in a row and the second time is kept, so its beginning carries what still sounds of the
end. Tape, crackle and surroundings do not repeat with the bars, so the beginning fades in from a third time: the music,
which is nearly the same there, evenly, and surroundings, which are not, with equal power.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...audio import Samples
from .programme import Programme
from .score import RATE, Bar
from .sound.instruments.cache import SoundCache
from .sound.renderer import Renderer, RendererState

_FADE_FRAMES = RATE // 2  # over which what follows the end becomes the beginning


def loop_bars(programme: Programme) -> list[Bar]:
    """All bars of a loop; the programme itself stays at its beginning."""
    copy = Programme.restore(programme.state())
    bars: list[Bar] = []
    while (bar := copy.next_bar()) is not None:
        bars.append(bar)
    return bars


def render_loop(bars: Sequence[Bar], seed: int, cache: SoundCache) -> Samples:
    """The loop, (T, 2): its last sample is followed by its first."""
    length = sum(bar.frames for bar in bars)
    renderer = Renderer(seed, cache, RendererState())
    for bar in bars:
        renderer.render(bar)
    out = np.concatenate([renderer.render(replace(b, start_frame=b.start_frame + length)) for b in bars])
    after: list[Samples] = []
    for bar in bars:
        after.append(renderer.render(replace(bar, start_frame=bar.start_frame + 2 * length)))
        if sum(map(len, after)) >= _FADE_FRAMES:
            break
    fade = min(_FADE_FRAMES, length)
    rising = ((np.arange(fade, dtype=np.float32) + 0.5) / fade)[:, None]
    out[:fade] = out[:fade] * rising + np.concatenate(after)[:fade] * (1.0 - rising)
    for start, share in ((length, rising), (2 * length, 1.0 - rising)):
        out[:fade] += _surroundings(bars, start, fade, seed, cache) * (np.sqrt(share) - share)
    return out


def _surroundings(bars: Sequence[Bar], start: int, frames: int, seed: int, cache: SoundCache) -> Samples:
    """Ambience, crackle and hiss alone, (``frames``, 2), at the beginning of the round from frame ``start`` on."""
    sound = np.zeros((frames, 2), np.float32)
    for stem in ("ambience", "noise"):
        renderer = Renderer(seed, cache, RendererState.at(start, bars[-1].mix), only=stem)
        made = 0
        for bar in bars:
            part = renderer.render(replace(bar, start_frame=bar.start_frame + start))[: frames - made]
            sound[made : made + len(part)] += part
            made += len(part)
            if made == frames:
                break
    return sound
