"""Encodes the parts of a clip that an engine can make one by one."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..audio import Audio
from ..blocks import stream_tags
from ..codecs import Format, encode
from ..engines.base import Engine
from ..request import Request

STEM_PEAK = 0.9  # of full scale: the loudest sample of the stems and of their sum, where they would exceed it


def stem_files(engine: Engine, request: Request, format: Format) -> tuple[dict[str, bytes], float]:
    """Make each part a lossless, unmastered file with tags; return the files by name and their common gain in dB.

    The gain is 0, or low enough that neither a stem nor their sum clips. The sum of the stems is the engine's mix
    before everything that works on all parts together, such as a bus compressor or the mastering.

    Raises:
        EngineError: the engine writes no stems.
    """
    stems = engine.stems(request)
    with engine.stream(request) as opening:  # its first block has the title
        opening.read(1)
        tags = stream_tags(opening, engine.made_by)
    every = [audio.samples for audio in stems.values()]
    peak = max((float(np.abs(samples).max(initial=0.0)) for samples in (*every, sum(every, np.zeros(1)))), default=0.0)
    gain = min(1.0, STEM_PEAK / max(peak, 1e-9))
    files = {
        Path(name).name: encode(
            Audio(audio.samples * np.float32(gain), audio.rate),
            format.name,
            tags=replace(tags, title=f"{tags.title} ({name})"),
        )
        for name, audio in stems.items()
    }
    return files, 20.0 * math.log10(gain)
