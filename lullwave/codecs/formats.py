"""The table of the file formats that Lullwave writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ..errors import InvalidInput

DEFAULT_KBPS = 192  # default bit rate of the lossy formats


@dataclass(frozen=True)
class Format:
    """One file format."""

    name: str
    suffix: str  # with its dot
    media_type: str
    lossy: bool
    major: str  # libsndfile's name of the container
    subtype: str  # libsndfile's name of the encoding


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "wav": Format("wav", ".wav", "audio/wav", False, "WAV", "PCM_16"),
        "flac": Format("flac", ".flac", "audio/flac", False, "FLAC", "PCM_16"),
        "mp3": Format("mp3", ".mp3", "audio/mpeg", True, "MP3", "MPEG_LAYER_III"),
        "ogg": Format("ogg", ".ogg", "audio/ogg", True, "OGG", "VORBIS"),
        "opus": Format("opus", ".opus", "audio/ogg; codecs=opus", True, "OGG", "OPUS"),
    }
)
FORMAT_NAMES = " or ".join([", ".join([*FORMATS][:-1]), [*FORMATS][-1]])  # for help texts: wav, flac, … or opus


def format_named(name: str) -> Format:
    """The format called ``name``.

    Raises:
        InvalidInput: there is no such format.
    """
    if name not in FORMATS:
        raise InvalidInput("format", name, "one of " + ", ".join(FORMATS))
    return FORMATS[name]


def format_of(path: str | Path) -> Format:
    """The format that the suffix of ``path`` names.

    Raises:
        InvalidInput: no format has that suffix.
    """
    suffix = Path(path).suffix.lower()
    for one in FORMATS.values():
        if one.suffix == suffix:
            return one
    raise InvalidInput("path", str(path), "a name that ends in " + ", ".join(f.suffix for f in FORMATS.values()))
