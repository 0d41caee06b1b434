"""Encodes and decodes audio: WAV, FLAC, MP3, Ogg Vorbis and Opus.

``Mp3Encoder`` is for endless streams, ``StreamEncoder`` for clips that are sent while they are made, ``encode`` and
``write`` for finished clips. ``decode`` returns exactly as many frames as ``encode`` was given.
"""

from .files import encode, fitting_name, write
from .formats import DEFAULT_KBPS, FORMAT_NAMES, FORMATS, Format, format_named, format_of
from .mp3 import FrameSplitter, Mp3Encoder, Mp3Header, mp3_frames, muted
from .reading import blocks_of, decode, read, read_tags, tags_of
from .streaming import StreamEncoder, rate_for
from .tags import Tags, id3

__all__ = [
    "DEFAULT_KBPS",
    "FORMATS",
    "FORMAT_NAMES",
    "Format",
    "FrameSplitter",
    "Mp3Encoder",
    "Mp3Header",
    "StreamEncoder",
    "Tags",
    "blocks_of",
    "decode",
    "encode",
    "fitting_name",
    "format_named",
    "format_of",
    "id3",
    "mp3_frames",
    "muted",
    "rate_for",
    "read",
    "read_tags",
    "tags_of",
    "write",
]
