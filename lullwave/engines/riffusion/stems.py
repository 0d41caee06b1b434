"""Splits a mix into drums, bass, vocals, guitar, piano and the rest with ``audio-separator`` (extra ``stems``).

The model is ``htdemucs_6s``; the library downloads it on first use.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...audio import Audio
from ...codecs import decode, write
from ...errors import EngineFailed, InvalidInput, MissingExtra

MODEL = "htdemucs_6s.yaml"
STEMS = ("vocals", "drums", "bass", "guitar", "piano", "other")


def split(audio: Audio) -> dict[str, Audio]:
    """Split ``audio`` into six stems of its own length.

    Raises:
        MissingExtra: the library is not installed.
        EngineFailed: the library did not return every stem.
    """
    try:
        from audio_separator.separator import Separator
    except ModuleNotFoundError as error:
        raise MissingExtra("splitting stems", "stems", error.name or "audio_separator") from None
    with tempfile.TemporaryDirectory(prefix="lullwave-stems-") as folder:
        mix = write(Path(folder) / "mix.wav", audio)
        separator = Separator(output_dir=folder, output_format="WAV")
        separator.load_model(MODEL)
        names = separator.separate(str(mix), {stem.capitalize(): stem for stem in STEMS})
        found = {Path(name).stem: decode(Path(folder) / Path(name).name) for name in names}
    missing = [stem for stem in STEMS if stem not in found]
    if missing:
        raise EngineFailed(
            f"the separator returned no {', '.join(missing)}, only: {', '.join(sorted(found)) or 'nothing'}"
        )
    return {stem: _match(found[stem].resample(audio.rate), audio) for stem in STEMS}


def parse_levels(keep: str, field: str = "keep") -> dict[str, float]:
    """``drums, bass:-6`` → the stems and their levels in dB.

    Raises:
        InvalidInput: a stem does not exist, or a level is no number; the error names ``field``.
    """
    levels = {}
    for part in keep.split(",") if keep.strip() else []:
        name, _, level = part.strip().partition(":")
        try:
            levels[name] = float(level or 0.0)
        except ValueError:
            raise InvalidInput(field, part, "STEM or STEM:DECIBELS") from None
        if name not in STEMS or not math.isfinite(levels[name]):
            raise InvalidInput(field, part, f"{', '.join(STEMS)}; with :DECIBELS, if you like")
    return levels


def mix_stems(stems: Mapping[str, Audio], levels_db: Mapping[str, float]) -> Audio:
    """Mix the stems named in ``levels_db``, each with its gain in dB.

    Raises:
        InvalidInput: a stem does not exist, or none is named.
    """
    for name in levels_db:
        if name not in stems:
            raise InvalidInput("stems", name, "one of " + ", ".join(stems))
    if not levels_db:
        raise InvalidInput("stems", None, "at least one of " + ", ".join(stems))
    parts = [stems[name].gain(level) for name, level in levels_db.items()]
    return Audio(np.sum([part.samples for part in parts], axis=0, dtype=np.float32), parts[0].rate)


def _match(stem: Audio, mix: Audio) -> Audio:
    """Give a stem the length and the channels of the mix."""
    same = stem.to_channels(mix.channels)
    samples = np.zeros_like(mix.samples)
    frames = min(same.frames, mix.frames)
    samples[:frames] = same.samples[:frames]
    return Audio(samples, mix.rate)
