"""Strokes that only some kits have: drum machines, hands on skins, and things of the household.

A kit's other strokes are those of ``drums``, with the kit's numbers. Attacks are as soft as there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from .....audio import Samples
from ...catalogue.drums import DrumName, KitName
from ..synthesis import MUSIC_RATE, decay, generator, modes, phase_of, rise, shaped, sine, swell
from .stroke import Stroke


def _frames(seconds: float) -> int:
    return round(seconds * MUSIC_RATE)


def _long_kick(s: Stroke) -> Samples:
    """The boom of an 808: a sine that falls into its pitch and rings."""
    frames = _frames(0.95)
    t = np.arange(frames) / MUSIC_RATE
    sweep = (s.kit.kick_hz + (s.kit.kick_from_hz - s.kit.kick_hz) * np.exp(-t / 0.014)) * s.pitch
    body = np.tanh(1.7 * sine(phase_of(sweep, frames))) * decay(frames, s.kit.kick_s * 1.4 * s.length)
    return np.asarray(body * rise(frames, 0.012), np.float32)


def _machine_snare(s: Stroke) -> Samples:
    """Two tuned shells and noise far brighter than that of a skin."""
    frames = _frames(s.kit.snare_s * s.length + 0.06)
    hz = s.kit.snare_hz * s.pitch
    shells = modes(frames, [hz, 1.8 * hz], [0.7, 0.35], [0.16, 0.1]) * rise(frames, 0.006)
    wires = shaped(
        s.noise(len(shells) / MUSIC_RATE, "wires"), low_hz=s.kit.snare_bright_hz * s.tilt, high_hz=1200.0, order=2
    )
    wires *= decay(frames, s.kit.snare_s * s.length * (0.8 + 0.4 * s.hard)) * swell(frames, 0.06)
    return np.asarray(shells + wires * np.float32(s.kit.snare_noise * (0.5 + 0.5 * s.hard)), np.float32)


def _cowbell(s: Stroke) -> Samples:
    frames = _frames(0.3)
    freqs = np.array([540.0, 800.0, 1080.0, 1620.0]) * s.pitch
    return modes(frames, freqs, [0.7, 1.0, 0.2, 0.2], np.array([0.28, 0.25, 0.1, 0.09]) * s.length) * rise(
        frames, 0.012
    )


def _skin(hz: float, t60_s: float, slap: float) -> Callable[[Stroke], Samples]:
    """A hand on a skin: the modes of a membrane, and ``slap`` of fingers."""

    def made(s: Stroke) -> Samples:
        frames = _frames(0.4)
        freqs = hz * s.pitch * np.array([1.0, 1.59, 2.14, 2.65])
        body = modes(frames, freqs, [1.0, 0.4, 0.25, 0.12], t60_s * s.length * np.array([1.0, 0.6, 0.45, 0.3]))
        fingers = shaped(s.noise(0.4, "fingers"), low_hz=2600.0 * s.tilt, high_hz=700.0, order=2) * decay(frames, 0.08)
        fingers *= swell(frames, 0.046)
        return np.asarray(body * rise(frames, 0.015) + np.float32(slap * (0.5 + s.hard)) * fingers, np.float32)

    return made


def _tambourine(s: Stroke) -> Samples:
    frames = _frames(0.3)
    spread = generator("jingles", *s.key)
    jingles = modes(
        frames, spread.uniform(4800, 9400, 20), 0.2, s.length * spread.uniform(0.06, 0.22, 20), spread.uniform(0, 6, 20)
    )
    rush = shaped(s.noise(0.3, "rush"), high_hz=5500.0) * decay(frames, 0.12 * s.length)
    return np.asarray((jingles + 0.5 * rush) * swell(frames, 0.042, 40.0), np.float32)


def _knock(s: Stroke) -> Samples:
    """A fist on a table."""
    frames = _frames(0.25)
    freqs = np.array([88.0, 146.0, 262.0, 510.0]) * s.pitch
    table = modes(frames, freqs, [1.0, 0.6, 0.35, 0.2], np.array([0.2, 0.13, 0.08, 0.05]) * s.length)
    return table * rise(frames, 0.012)


def _keys(s: Stroke) -> Samples:
    """A bunch of keys, or a spoon in a cup."""
    frames = _frames(0.15)
    spread = generator("keys", *s.key)
    freqs, t60 = spread.uniform(2600, 7800, 8), s.length * spread.uniform(0.03, 0.1, 8)
    return modes(frames, freqs, 1.0, t60, spread.uniform(0, 6, 8)) * rise(frames, 0.012)


def _paper(s: Stroke) -> Samples:
    frames = _frames(0.2)
    spread = generator("paper", *s.key)
    folds = np.abs(spread.standard_normal(26)) * np.exp(-np.linspace(0, 3, 26))
    envelope = np.interp(np.arange(frames), np.linspace(0, frames, 26), folds)
    wave = shaped(s.noise(0.2, "paper"), low_hz=8500.0, high_hz=2200.0)
    return np.asarray(wave * envelope * rise(frames, 0.015), np.float32)


OWN_STROKES: Mapping[KitName, Mapping[DrumName, Callable[[Stroke], Samples]]] = {
    "808": {"kick": _long_kick, "snare": _machine_snare, "ride": _cowbell},
    "606": {"snare": _machine_snare},
    "foley": {
        "kick": _knock, "rim": _skin(330.0, 0.08, 0.3), "hat": _paper, "pedal_hat": _paper,
        "open_hat": _keys, "ride": _keys, "tom_low": _knock, "tom_high": _skin(280.0, 0.1, 0.4),
    },
    "hand": {
        "kick": _skin(98.0, 0.34, 0.15), "snare": _skin(235.0, 0.14, 0.9), "rim": _skin(410.0, 0.14, 0.3),
        "hat": _tambourine, "pedal_hat": _tambourine, "open_hat": _tambourine, "ride": _tambourine,
        "tom_low": _skin(196.0, 0.3, 0.2), "tom_high": _skin(290.0, 0.2, 0.25),
    },
}  # fmt: skip
