"""Lullwave: endless, cosy, self-hosted generative music.

::

    import lullwave

    engine = lullwave.load_engine("synth")
    with engine.stream("rainy night piano") as stream:
        for block in stream:  # lullwave.Audio: float32 (T, C) and a sample rate
            ...

Everything except the errors is imported when it is first used, so that ``import lullwave`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    Busy,
    Cancelled,
    CheckpointError,
    CodecError,
    EngineError,
    EngineFailed,
    EngineLost,
    FileMissing,
    InvalidInput,
    LullwaveError,
    MissingExtra,
    NotFound,
    PromptError,
    ProtocolError,
    SettingsError,
    SnapshotError,
    StorageUnavailable,
    StreamClosed,
    UnknownEngine,
    Unsupported,
)

__version__ = "0.2.0"

if TYPE_CHECKING:
    from .audio import Audio as Audio
    from .audio import concat as concat
    from .audio import crossfade as crossfade
    from .engines import engine_names as engine_names
    from .engines import load_engine as load_engine
    from .engines.base import BlockStream as BlockStream
    from .engines.base import Engine as Engine
    from .engines.base import Mark as Mark
    from .engines.base import Stream as Stream
    from .engines.base import Understanding as Understanding
    from .generation import generate as generate
    from .options import option as option
    from .prompt import Prompt as Prompt
    from .request import Request as Request
    from .spectrogram import Spectrogram as Spectrogram
    from .spectrogram import SpectrogramParams as SpectrogramParams

_LAZY = {
    ".audio": (
        "Audio",
        "concat",
        "crossfade",
    ),
    ".engines": (
        "engine_names",
        "load_engine",
    ),
    ".engines.base": (
        "BlockStream",
        "Engine",
        "Mark",
        "Stream",
        "Understanding",
    ),
    ".generation": ("generate",),
    ".options": ("option",),
    ".prompt": ("Prompt",),
    ".request": ("Request",),
    ".spectrogram": (
        "Spectrogram",
        "SpectrogramParams",
    ),
}
_HOMES = {name: home for home, names in _LAZY.items() for name in names}
__all__ = [
    "Audio",
    "BlockStream",
    "Busy",
    "Cancelled",
    "CheckpointError",
    "CodecError",
    "Engine",
    "EngineError",
    "EngineFailed",
    "EngineLost",
    "FileMissing",
    "InvalidInput",
    "LullwaveError",
    "Mark",
    "MissingExtra",
    "NotFound",
    "Prompt",
    "PromptError",
    "ProtocolError",
    "Request",
    "SettingsError",
    "SnapshotError",
    "Spectrogram",
    "SpectrogramParams",
    "StorageUnavailable",
    "Stream",
    "StreamClosed",
    "Understanding",
    "UnknownEngine",
    "Unsupported",
    "__version__",
    "concat",
    "crossfade",
    "engine_names",
    "generate",
    "load_engine",
    "option",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
