"""Lullwave: endless, cosy, self-hosted generative music.

::

    import lullwave

    engine = lullwave.load_engine("synth")
    with engine.stream(lullwave.Request(prompt="rainy night piano", seed=7)) as stream:
        for block in stream:          # lullwave.Audio: float32 (T, C) and a sample rate
            ...

The public names below are imported when they are first used, so that ``import lullwave`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .audio import Audio as Audio
    from .engines import engine_names as engine_names
    from .engines import load_engine as load_engine
    from .engines.base import Engine as Engine
    from .engines.base import Stream as Stream
    from .errors import LullwaveError as LullwaveError
    from .prompt import Prompt as Prompt
    from .request import Request as Request
    from .spectrogram import Spectrogram as Spectrogram
    from .spectrogram import SpectrogramParams as SpectrogramParams

_HOMES = {
    "Audio": ".audio",
    "Engine": ".engines.base",
    "LullwaveError": ".errors",
    "Prompt": ".prompt",
    "Request": ".request",
    "Spectrogram": ".spectrogram",
    "SpectrogramParams": ".spectrogram",
    "Stream": ".engines.base",
    "engine_names": ".engines",
    "load_engine": ".engines",
}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
