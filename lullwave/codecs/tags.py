"""Tags of audio files: title, artist and comment, written here for MP3 and WAV, by libsndfile for other formats.

The comment of generated music is a JSON object with ``"generated": true``, the same in every format. Sound that was
only converted keeps the tags of its source.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, replace

from .. import __version__

ARTIST = "Lullwave"
MAX_TITLE = 200  # characters that players still show
MAX_PROMPT = 2000  # characters; two of them, escaped, fit a comment
MAX_BYTES = {"title": 1000, "artist": 1000, "comment": 40_000}  # libsndfile cannot read its own Opus files beyond 50 kB
_ID3_FRAMES = {b"TIT2": "title", b"TPE1": "artist", b"COMM": "comment"}
_ID3_ENCODINGS = {0: "latin-1", 1: "utf-16", 2: "utf-16-be", 3: "utf-8"}


@dataclass(frozen=True)
class Tags:
    """The tags of one file; empty ones are not written. Characters that no format can hold are replaced.

    What exceeds ``MAX_BYTES`` is cut.
    """

    title: str = ""
    artist: str = ""
    comment: str = ""

    def __post_init__(self) -> None:
        for name, most in MAX_BYTES.items():
            object.__setattr__(self, name, _storable(getattr(self, name), most))

    @classmethod
    def of_generated(
        cls,
        title: str,
        prompt: str,
        seed: int | None = None,
        engine: str | None = None,
        **more: str | float | None,
    ) -> Tags:
        """Tags for music that an engine made. They hold no date, so that the same music gives the same bytes.

        ``more``: further fields of the comment; those that are None are left out. Long text is cut.
        """
        facts = {"generated": True, "prompt": prompt, "seed": seed, **more, "engine": engine, "version": __version__}
        known = {
            name: _cut(value, MAX_PROMPT) if isinstance(value, str) else value
            for name, value in facts.items()
            if value is not None
        }
        return cls(_cut(title or prompt or "Untitled", MAX_TITLE), ARTIST, json.dumps(known))

    def titled(self, title: str) -> Tags:
        """These tags, with ``title`` where they have none."""
        return self if self.title else replace(self, title=title)


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
    return 10 + _of_synchsafe(data[6:10])


def tags_of_id3(data: bytes) -> Tags:
    """The tags in an ID3v2.3 or 2.4 tag at the beginning of ``data``; empty ones where it is damaged or older."""
    found: dict[str, str] = {}
    at, version = 10, data[3]
    while version in (3, 4) and at + 10 <= len(data) and data[at : at + 4].strip(b"\0"):
        name, size = data[at : at + 4], data[at + 4 : at + 8]
        length = _of_synchsafe(size) if version == 4 else int.from_bytes(size, "big")
        body = data[at + 10 : at + 10 + length]
        if name in _ID3_FRAMES and body:
            start = 4 if name == b"COMM" else 1  # after the encoding and the language
            text = body[start:].decode(_ID3_ENCODINGS.get(body[0], "latin-1"), errors="replace")
            described, _, comment = text.partition("\0")
            if name != b"COMM":
                found.setdefault(_ID3_FRAMES[name], text.strip("\0"))
            elif not described:  # comments with a description hold other programs' numbers
                found.setdefault("comment", comment.strip("\0\ufeff"))
        at += 10 + length
    return Tags(**found)


def info_chunk(tags: Tags) -> bytes:
    """A LIST chunk of type INFO for WAV (Multimedia Programming Interface 1.0, 2-14)."""
    body = b"".join(
        _riff_chunk(name, text.encode() + b"\0")
        for name, text in ((b"INAM", tags.title), (b"IART", tags.artist), (b"ICMT", tags.comment))
        if text
    )
    return _riff_chunk(b"LIST", b"INFO" + body) if body else b""


def _cut(text: str, most: int) -> str:
    """At most ``most`` characters; what was cut ends with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _storable(text: str, most: int) -> str:
    """``text`` without null characters, which end a string, and lone surrogates, which UTF-8 lacks; cut at ``most``."""
    return text.replace("\0", " ").encode(errors="replace")[:most].decode(errors="ignore")


def _id3_frame(name: bytes, body: bytes) -> bytes:
    return name + _synchsafe(len(body)) + b"\0\0" + body


def _synchsafe(number: int) -> bytes:
    """A number in four bytes of seven bits each (ID3v2.4, 6.2)."""
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def _of_synchsafe(size: bytes) -> int:
    return sum((byte & 0x7F) << shift for byte, shift in zip(size, (21, 14, 7, 0), strict=True))


def _riff_chunk(name: bytes, body: bytes) -> bytes:
    """Name, size and body, padded to an even length."""
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
