"""Titles inside the stream for players that ask for them (``Icy-MetaData: 1``); knows no station.

After every ``METAINT`` bytes of sound comes one byte, the length of a block of text in sixteenths, and the text,
padded with zeros: ``StreamTitle='…';``. A length of 0 says that nothing has changed. The convention is SHOUTcast's;
players take it from Icecast too.
"""

from __future__ import annotations

METAINT = 4000  # at the lowest rate, 64 kbit/s, a title has to wait for half a second
MAX_TITLE_BYTES = 200


def clean(title: str) -> str:
    """A title that cannot end the field that it stands in: no quotes, semicolons, line breaks or controls."""
    kept = "".join(" " if c in "\r\n\t" else c for c in title if c not in "'\";`" and (c >= " " or c in "\r\n\t"))
    text = " ".join(kept.split())
    while len(text.encode()) > MAX_TITLE_BYTES:
        text = text[:-1]
    return text


def block(title: str) -> bytes:
    """The block that names a title."""
    text = f"StreamTitle='{clean(title)}';".encode()
    sixteenths = -(-len(text) // 16)
    return bytes([sixteenths]) + text.ljust(16 * sixteenths, b"\0")


class Interleaver:
    """Sound in, sound with titles out, for one listener."""

    def __init__(self) -> None:
        self._left = METAINT
        self._told = ""

    def feed(self, sound: bytes, title: str) -> bytes:
        """The next sound; ``title`` is what is heard with it."""
        parts: list[bytes] = []
        while len(sound) >= self._left:
            parts += [sound[: self._left], block(title) if title != self._told else b"\0"]
            sound, self._left, self._told = sound[self._left :], METAINT, title
        parts.append(sound)
        self._left -= len(sound)
        return b"".join(parts)
