"""The file formats that Lullwave writes, as one table; knows nothing of how they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ..errors import InvalidInput

DEFAULT_KBPS = 192  # bit rate of the lossy formats where none is named


@dataclass(frozen=True)
class Format:
    """One file format."""

    name: str
    suffix: str  # with its dot
    media_type: str
    lossy: bool
    major: str  # the names that libsndfile has for it
    subtype: str


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "wav": Format("wav", ".wav", "audio/wav", False, "WAV", "PCM_16"),
        "flac": Format("flac", ".flac", "audio/flac", False, "FLAC", "PCM_16"),
        "mp3": Format("mp3", ".mp3", "audio/mpeg", True, "MP3", "MPEG_LAYER_III"),
        "ogg": Format("ogg", ".ogg", "audio/ogg", True, "OGG", "VORBIS"),
        "opus": Format("opus", ".opus", "audio/ogg; codecs=opus", True, "OGG", "OPUS"),
    }
)


def format_named(name: str) -> Format:
    """The format called ``name``.

    Raises:
        InvalidInput: there is none.
    """
    if name not in FORMATS:
        raise InvalidInput("format", name, "one of " + ", ".join(FORMATS))
    return FORMATS[name]


def format_of(path: str | Path) -> Format:
    """The format that the suffix of ``path`` names.

    Raises:
        InvalidInput: none is known by that suffix.
    """
    suffix = Path(path).suffix.lower()
    for one in FORMATS.values():
        if one.suffix == suffix:
            return one
    raise InvalidInput("path", str(path), "a name that ends in " + ", ".join(f.suffix for f in FORMATS.values()))
