"""Sound decoded by FFmpeg's libraries (PyAV): other decoders than those that the project uses."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest


def decoded(source: bytes | Path, form: str | None = None) -> np.ndarray:
    """(frames, channels) float32; fails where FFmpeg has something to complain of."""
    av = pytest.importorskip("av")
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as complaints:
            opened = io.BytesIO(source) if isinstance(source, bytes) else str(source)
            with av.open(opened, format=form) as container:
                resampler = av.AudioResampler(format="fltp")
                frames = [made for frame in container.decode(audio=0) for made in resampler.resample(frame)]
            frames += resampler.resample(None)
    finally:
        av.logging.set_level(before)
    assert complaints == []
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1).T
