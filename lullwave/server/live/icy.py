"""ICY metadata: titles inside the stream, for players that request them (``Icy-MetaData: 1``).

After every ``METAINT`` bytes of audio comes a block: one byte with its length in units of 16 bytes, and the text
``StreamTitle='…';`` padded with zeros. Length 0 means an unchanged title. The convention is SHOUTcast's; Icecast uses
it too.
"""

from __future__ import annotations

METAINT = 4000  # bytes of audio between two blocks: at 64 kbit/s, the lowest rate, a title is at most 0.5 s late
MAX_TITLE_BYTES = 200  # of a title; a block holds at most 255 * 16


def clean(title: str) -> str:
    """Remove what could end the field that holds a title: quotes, semicolons, line breaks, control characters."""
    kept = "".join(" " if c in "\r\n\t" else c for c in title if c not in "'\";`" and (c >= " " or c in "\r\n\t"))
    text = " ".join(kept.split())
    while len(text.encode()) > MAX_TITLE_BYTES:
        text = text[:-1]
    return text


def block(title: str) -> bytes:
    """Encode the block that holds a title."""
    text = f"StreamTitle='{clean(title)}';".encode()
    sixteenths = -(-len(text) // 16)
    return bytes([sixteenths]) + text.ljust(16 * sixteenths, b"\0")


class Interleaver:
    """Puts the titles into the audio of one connection. Event loop only."""

    def __init__(self) -> None:
        self._left = METAINT
        self._sent = ""

    def feed(self, audio: bytes, title: str) -> bytes:
        """The next audio bytes with blocks between them; ``title`` is on air with them."""
        parts: list[bytes] = []
        while len(audio) >= self._left:
            parts += [audio[: self._left], block(title) if title != self._sent else b"\0"]
            audio, self._left, self._sent = audio[self._left :], METAINT, title
        parts.append(audio)
        self._left -= len(audio)
        return b"".join(parts)
