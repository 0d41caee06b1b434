"""Tags of audio files: title, artist and comment, written here for MP3 and WAV, by libsndfile for other formats.

The comment of generated music is a JSON object with ``"generated": true``, the same in every format.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass

from .. import __version__

ARTIST = "Lullwave"


@dataclass(frozen=True)
class Tags:
    """The tags of one file; empty ones are not written."""

    title: str = ""
    artist: str = ""
    comment: str = ""

    @classmethod
    def of_generated(cls, title: str, prompt: str, seed: int | None = None, engine: str | None = None) -> Tags:
        """Tags for music that an engine made. They hold no date, so that the same music gives the same bytes."""
        facts = {"generated": True, "prompt": prompt, "seed": seed, "engine": engine, "version": __version__}
        known = {name: value for name, value in facts.items() if value is not None}
        return cls(title or prompt or "Untitled", ARTIST, json.dumps(known))


def id3(tags: Tags) -> bytes:
    """An ID3v2.4 tag (https://id3.org/id3v2.4.0-structure) with text in UTF-8."""
    frames = [
        _id3_frame(b"TIT2", b"\x03" + tags.title.encode()) if tags.title else b"",
        _id3_frame(b"TPE1", b"\x03" + tags.artist.encode()) if tags.artist else b"",
        _id3_frame(b"COMM", b"\x03eng\0" + tags.comment.encode()) if tags.comment else b"",
    ]
    body = b"".join(frames)
    return b"ID3\x04\x00\x00" + _synchsafe(len(body)) + body if body else b""


def id3_size(data: bytes) -> int:
    """The size in bytes of the ID3v2 tag at the beginning of ``data``; 0 if there is none."""
    if len(data) < 10 or data[:3] != b"ID3":
        return 0
    return 10 + sum(byte << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))


def info_chunk(tags: Tags) -> bytes:
    """A LIST chunk of type INFO for WAV (Multimedia Programming Interface 1.0, 2-14)."""
    body = b"".join(
        _riff_chunk(name, text.encode() + b"\0")
        for name, text in ((b"INAM", tags.title), (b"IART", tags.artist), (b"ICMT", tags.comment))
        if text
    )
    return _riff_chunk(b"LIST", b"INFO" + body) if body else b""


def _id3_frame(name: bytes, body: bytes) -> bytes:
    return name + _synchsafe(len(body)) + b"\0\0" + body


def _synchsafe(number: int) -> bytes:
    """A number in four bytes of seven bits each (ID3v2.4, 6.2)."""
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def _riff_chunk(name: bytes, body: bytes) -> bytes:
    """Name, size and body, padded to an even length."""
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
