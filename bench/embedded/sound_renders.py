"""Renders clips, solos and stems of the embedded engine for ``bench.embedded.sound``, cached until its code changes."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections import defaultdict
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.embedded.ears import rms_db

Samples = npt.NDArray[np.float32]

_PACKAGE = Path(__file__).parents[2] / "lullwave"
_SOUNDING = ("engines/synth", "mastering", "codecs/files.py", "audio.py", "prompt.py")  # the code that clips depend on
_KEPT_VERSIONS = 3  # versions of the engine's code whose clips stay in the cache
_SOLO_BPM = 76.0
_BAR_FRAMES = round(4 * 60 / _SOLO_BPM * 44100)

# Phrases of four beats a bar: (beat from the beginning, beats, steps of a major scale above the instrument's centre).
_TUNE = (
    (0, 1.5, 0), (1.5, 0.5, 1), (2, 2, 2), (4, 1, 4), (5, 1, 3), (6, 2, 2), (8, 1.5, 5), (9.5, 0.5, 4), (10, 1, 2),
    (11, 1, 1), (12, 4, 0), (16, 1, 2), (17, 1, 4), (18, 1.5, 7), (19.5, 0.5, 6), (20, 2, 5), (22, 2, 4), (24, 1, 3),
    (25, 1, 2), (26, 1, 1), (27, 1, -1), (28, 3.5, 0),
)  # fmt: skip
_SLOW = ((0, 4, 0), (4, 4, 4), (8, 3, 2), (11, 1, 3), (12, 4, 4), (16, 4, 5), (20, 4, 2), (24, 4, 1), (28, 4, 0))
_ROOTS = (0, 5, 3, 4, 0, 5, 1, 0)  # scale steps of the chords, one per bar
_BROKEN = tuple(
    (4 * bar + 0.5 * k, 2.0, root - 7 + (0, 4, 7, 9, 11, 9, 7, 4)[k])
    for bar, root in enumerate(_ROOTS)
    for k in range(8)
)
_HELD = tuple((4 * bar, 3.9, root - 7 + step) for bar, root in enumerate(_ROOTS) for step in (0, 4, 7, 9))
_OPEN = tuple((8 * bar, 7.9, root - 7 + step) for bar, root in enumerate(_ROOTS[:4]) for step in (0, 4, 9, 13))
_WALK = tuple((2 * k, 1.8, step) for k, step in enumerate((0, 4, 5, 4, 3, 0, 4, 1, 0, 4, 5, 2, 1, 4, 0, 0)))
_SIXTEENTHS = tuple(
    (0.25 * k, 0.24, (0, -2, -4, 2)[k // 32] + (0, 7, 4, 7, 9, 7, 4, 11)[k % 8]) for k in range(128)
)  # arpeggios, as sequencers play them
_FIGURES = tuple(
    (4 * bar + 0.25 * k, 0.3, root - 7 + (0, 4, 7, 9, 11, 9, 7, 4)[k % 8])
    for bar, root in enumerate(_ROOTS)
    for k in range(16)
)  # broken chords in sixteenths
_PENTATONIC = tuple(
    (0.5 * k, 2.5, (0, 1, 2, 4, 5)[n % 5] + 7 * (n // 5))
    for k, n in enumerate(
        (0, 3, 5, 4, 3, 2, 1, 0, -2, -1, 0, 2, 3, 2, 0, -1, 3, 4, 6, 7, 8, 6, 4, 3, 2, 1, 0, -1, -2, -1, 1, 0) * 2
    )
)  # figures that ring into one another
_SEQUENCE = tuple(
    (0.25 * k, 0.24, (0, 5, 3, 4)[k // 16 % 4] + (0, 4, 2, 4, 7, 4)[k % 6]) for k in range(128)
)  # the tones of a chord in turn, another chord in each bar
_DRIVING = tuple((0.5 * k, 0.46, (0, -2, -4, 4)[k // 8 % 4] - 7 * (k // 8 % 4 == 3)) for k in range(64))  # eighths
_LEAPING = tuple((beat, beats, step + 7 * (k % 2)) for k, (beat, beats, step) in enumerate(_DRIVING))  # in octaves
_LOCKED = tuple(
    (4 * bar + beat, beats, root - 7 * (root > 3) + step)
    for bar, root in enumerate(_ROOTS)
    for beat, beats, step in ((0, 1.4, 0), (1.5, 0.5, 0), (2.5, 0.9, 7), (3.5, 0.5, 4))
)  # a bass that moves with the kick
_SINGLE = ("flute", "trumpet", "sax", "clarinet", "violin", "cello", "slide_guitar")  # monophonic instruments
_CENTRES = {
    "bass": 36,
    "808": 36,
    "cello": 50,
    "violin": 69,
    "flute": 72,
    "music_box": 76,
    "pad": 60,
    "harpsichord": 60,
    "harp": 72,
    "koto": 67,
    "sitar": 61,
}  # else C4


def clip(prompt: str, seed: int, seconds: float) -> tuple[Samples, int]:
    """A mastered clip (T, 2) with crackle on, and its rate."""
    import soundfile

    from lullwave.codecs import write
    from lullwave.engines import load_engine
    from lullwave.mastering import master
    from lullwave.request import Request

    path = cached("clip", prompt, seed, seconds, ending=".flac")
    if not path.exists():
        with (
            load_engine("synth") as engine,
            engine.stream(Request(prompt=prompt, seed=seed, duration_s=seconds)) as stream,
        ):
            made = master(stream.read(round(seconds * stream.rate)))
        write(path, made)
    return soundfile.read(path, dtype="float32", always_2d=True)


def instruments() -> tuple[str, ...]:
    """Every pitched instrument of the engine."""
    from lullwave.engines.synth.catalogue.instruments import INSTRUMENTS

    return tuple(INSTRUMENTS)


def phrases_of(instrument: str) -> tuple[tuple[tuple[float, float, int], ...], ...]:
    """Three phrases in the idiom of an instrument: a melody; then held and broken chords, sequences, or more lines.

    What the engine never gives to an instrument is not asked of it: a synth lead plays sequences, pads hold chords.
    """
    if instrument == "synth_bass":
        return _DRIVING, _LEAPING, _WALK
    if instrument == "bass_808":
        return _LOCKED, tuple((beat, beats, step + 3) for beat, beats, step in _LOCKED), _SLOW
    if "bass" in instrument:
        return _TUNE, _SLOW, _WALK
    if "lead" in instrument:
        return _SIXTEENTHS, tuple((beat, beats, step + 3) for beat, beats, step in _SIXTEENTHS), _SEQUENCE
    if "pad" in instrument:
        return _HELD, tuple((beat, beats, step + 3) for beat, beats, step in _HELD), _OPEN
    if any(part in instrument for part in ("synth", "pluck")):
        return _TUNE, _SIXTEENTHS, tuple((beat, beats, step + 3) for beat, beats, step in _SIXTEENTHS)
    if "sitar" in instrument:
        drone = tuple((beat, 3, step - 7) for beat in range(32) for step in ((0, 4) if beat % 2 == 0 else (7,)))
        return _TUNE + drone, _SLOW + drone, tuple((beat, beats, -step) for beat, beats, step in _TUNE) + drone
    if "harpsichord" in instrument:
        return _FIGURES, tuple((beat, beats, step + 3) for beat, beats, step in _FIGURES), _BROKEN
    if any(part in instrument for part in ("harp", "koto")):
        return _PENTATONIC, tuple((beat, beats, step + 4) for beat, beats, step in _PENTATONIC), _BROKEN
    if any(part in instrument for part in _SINGLE):
        return _TUNE, _SLOW, tuple((beat, beats, -step) for beat, beats, step in _TUNE)
    return _TUNE, _HELD, _BROKEN


def solos(instrument: str) -> list[tuple[Samples, int]]:
    """The three solo phrases of an instrument, each (T, 2), and their rate."""
    centre = next((pitch for part, pitch in _CENTRES.items() if part in instrument), 60)
    return [(_solo(instrument, phrase, centre), 44100) for phrase in phrases_of(instrument)]


def _solo(instrument: str, phrase: tuple[tuple[float, float, int], ...], centre: int) -> Samples:
    from lullwave.engines.synth.catalogue.instruments import INSTRUMENTS
    from lullwave.engines.synth.score import Bar, Mix, Note, Track
    from lullwave.engines.synth.sound.instruments.cache import SoundCache
    from lullwave.engines.synth.sound.renderer import Renderer

    scale = (0, 2, 4, 5, 7, 9, 11)
    beat_s = 60.0 / _SOLO_BPM
    seat = INSTRUMENTS[instrument].seat  # type: ignore[index]
    track = Track(instrument, **vars(seat) | {"level_db": 0.0})  # type: ignore[arg-type]
    mix = Mix({"solo": track}, wow=0.0, warmth=0.0)
    renderer = Renderer(1, SoundCache(40_000_000), only="solo")
    bends = "bend" in INSTRUMENTS[instrument].articulations  # type: ignore[index]
    blocks = []
    for bar in range(8):
        notes = tuple(
            Note(
                "solo",
                (beat - 4 * bar) * beat_s,
                beats * beat_s * 0.97,
                pitch,
                0.62 + 0.08 * (beat % 4 == 0),
                slide_from=pitch - 2 if bends and beats in (1.5, 2, 4) else None,
            )
            for beat, beats, step in sorted(phrase)
            if 4 * bar <= beat < 4 * bar + 4
            for pitch in [centre + 12 * (step // 7) + scale[step % 7]]
        )
        blocks.append(
            renderer.render(Bar(bar * _BAR_FRAMES, _BAR_FRAMES, 4, notes, (), mix, (), 0, bar, "A", _SOLO_BPM))
        )
    samples = np.concatenate(blocks)
    return np.asarray(samples * np.float32(0.1 / (np.sqrt(np.mean(samples**2)) + 1e-9)), np.float32)


def melodic_levels(prompt: str, seed: int, seconds: float) -> dict[str, float]:
    """RMS in dB of the melodic stems (all but bass, drums, ambience and noise), by instrument."""
    from lullwave.engines import load_engine
    from lullwave.engines.synth.options import SynthOptions
    from lullwave.engines.synth.programme import Programme
    from lullwave.request import Request

    request = Request(prompt=prompt, seed=seed, duration_s=seconds)
    programme = Programme(request, SynthOptions())
    played: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    while (bar := programme.next_bar()) is not None:
        for note in bar.notes:
            played[note.part][bar.mix.tracks[note.part].instrument] += note.length_s
    with load_engine("synth") as engine:
        stems: dict[str, Any] = engine.stems(request)  # type: ignore[attr-defined]
    levels: dict[str, float] = {}
    for part, share in played.items():
        if part != "bass":
            instrument = max(share, key=share.__getitem__)
            levels[instrument] = max(levels.get(instrument, -120.0), rms_db(stems[part].samples))
    return levels


def cached(*key: object, ending: str) -> Path:
    """The cache directory for ``key`` and the engine's present code."""
    name = hashlib.sha256(repr(key).encode()).hexdigest()[:24]
    return _folder() / f"{name}{ending}"


@lru_cache(maxsize=1)
def _folder() -> Path:
    home = Path(tempfile.gettempdir()) / "lullwave-bench-sound"
    folder = home / code_hash()
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    ages = {}
    for one in home.iterdir():
        with suppress(FileNotFoundError):  # another process removes it, too
            ages[one] = one.stat().st_mtime
    for old in sorted(ages, key=lambda one: -ages[one])[_KEPT_VERSIONS:]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


@lru_cache(maxsize=1)
def code_hash() -> str:
    """A hash of the code that a clip's samples depend on."""
    made = hashlib.sha256()
    for name in _SOUNDING:
        place = _PACKAGE / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            made.update(file.read_bytes())
    return made.hexdigest()[:16]
