"""A mix taken apart into drums, bass, voice, guitar, piano and the rest, by a maintained library; knows no model.

The library is ``audio-separator`` (extra ``stems``) with the model ``htdemucs_6s``, which it downloads once.
"""

from __future__ import annotations

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
    """The six stems, each as long as ``audio``.

    Raises:
        MissingExtra: the library is not installed.
        EngineFailed: it did not give every stem.
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
            f"the separator gave no {', '.join(missing)}; it gave {', '.join(sorted(found)) or 'nothing'}"
        )
    return {stem: _fitted(found[stem].resample(audio.rate), audio) for stem in STEMS}


def recombined(stems: Mapping[str, Audio], levels_db: Mapping[str, float]) -> Audio:
    """A mix of the stems that ``levels_db`` names, each louder by its level.

    Raises:
        InvalidInput: a stem that is not there, or none at all.
    """
    for name in levels_db:
        if name not in stems:
            raise InvalidInput("stems", name, "of " + ", ".join(stems))
    if not levels_db:
        raise InvalidInput("stems", None, "at least one of " + ", ".join(stems))
    parts = [stems[name].gain(level) for name, level in levels_db.items()]
    return Audio(np.sum([part.samples for part in parts], axis=0, dtype=np.float32), parts[0].rate)


def _fitted(stem: Audio, mix: Audio) -> Audio:
    """A stem at exactly the length and channels of the mix."""
    same = stem.to_channels(mix.channels)
    samples = np.zeros_like(mix.samples)
    frames = min(same.frames, mix.frames)
    samples[:frames] = same.samples[:frames]
    return Audio(samples, mix.rate)
