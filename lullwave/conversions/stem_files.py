"""Encodes the parts of music that an engine can make one by one."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..audio import Audio, Samples
from ..blocks import stream_tags
from ..codecs import FORMATS, Format, Tags, encode
from ..engines.base import Engine
from ..request import Request

STEM_PEAK = 0.9  # of full scale: the loudest sample of the stems and of their sum, where they would exceed it
_AT_ONCE = 1 << 20  # frames that are measured at a time


def stem_files(engine: Engine, request: Request, format: Format) -> tuple[dict[str, bytes], float]:
    """Make each part a lossless, unmastered file with tags; return the files by name and their common gain in dB.

    The gain is 0, or low enough that neither a stem nor their sum clips. The sum of the stems is the engine's music
    before the mastering.

    Raises:
        EngineError: the engine writes no stems.
    """
    stems = engine.stems(request)
    with engine.stream(request) as opening:  # its first block has the title
        opening.read(1)
        tags = stream_tags(opening, engine.made_by)
    gain = _common_gain([audio.samples for audio in stems.values()])
    files = {
        Path(name).name: _encoded(name, audio.samples, audio.rate, gain, format, tags) for name, audio in stems.items()
    }
    return files, 20.0 * math.log10(gain)


def write_stems_archive(file: BinaryIO, stems: Mapping[str, Samples], rate: int, tags: Tags) -> float:
    """Write a ZIP archive with each part, (T, C), as a FLAC file; return their common gain in dB, as ``stem_files``."""
    gain = _common_gain(list(stems.values()))
    flac = FORMATS["flac"]
    with zipfile.ZipFile(file, "w") as archive:
        for name, samples in stems.items():
            entry = zipfile.ZipInfo(f"{Path(name).name}{flac.suffix}")
            archive.writestr(entry, _encoded(name, samples, rate, gain, flac, tags))
    return 20.0 * math.log10(gain)


def _common_gain(stems: Sequence[Samples]) -> float:
    """The gain at which neither a stem nor their sum exceeds ``STEM_PEAK``, at most 1."""
    peak = 0.0
    for at in range(0, max(map(len, stems), default=0), _AT_ONCE):
        parts = [samples[at : at + _AT_ONCE] for samples in stems]
        peak = max(peak, *(float(np.abs(one).max(initial=0.0)) for one in (*parts, sum(parts, np.zeros(1)))))
    return min(1.0, STEM_PEAK / max(peak, 1e-9))


def _encoded(name: str, samples: Samples, rate: int, gain: float, format: Format, tags: Tags) -> bytes:
    return encode(
        Audio(samples * np.float32(gain), rate), format.name, tags=replace(tags, title=f"{tags.title} ({name})")
    )
