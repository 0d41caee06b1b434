"""Gives the pages of an Ogg file a fixed serial number, so that the same sound gives the same bytes.

libsndfile draws a random serial number for each file.
"""

from __future__ import annotations

import zlib

SERIAL = int.from_bytes(b"lull", "little")
_HEAD = 27  # bytes of a page before its segment table (RFC 3533, 6)
_SUM = 22  # where the checksum stands
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Reserialized:
    """Splits the bytes of one logical stream, in pieces of any size, into whole pages that carry ``SERIAL``."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The pages that are complete now."""
        data = self._rest + data
        at, pages = 0, []
        while (size := _page_size(data, at)) is not None:
            page = bytearray(data[at : at + size])
            page[14:18] = SERIAL.to_bytes(4, "little")
            page[22:26] = bytes(4)
            page[22:26] = checksum(page).to_bytes(4, "little")
            pages.append(page)
            at += size
        self._rest = data[at:]
        return b"".join(pages)


def checksum(page: bytes | bytearray) -> int:
    """CRC-32 with polynomial 0x04C11DB7, initial value 0, not reflected (RFC 3533, 6); zlib's is reflected."""
    reflected = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{reflected:032b}"[::-1], 2)


def is_intact(page: bytes) -> bool:
    """Tell whether the checksum in a page is that of its bytes."""
    return checksum(page[:_SUM] + bytes(4) + page[_SUM + 4 :]) == int.from_bytes(page[_SUM : _SUM + 4], "little")


def _page_size(data: bytes, at: int) -> int | None:
    """The size in bytes of the page at ``at``; None if it is incomplete."""
    if len(data) < at + _HEAD:
        return None
    assert data[at : at + 4] == b"OggS", "pages follow one another"
    segments = data[at + 26]
    lengths = data[at + _HEAD : at + _HEAD + segments]
    size = _HEAD + segments + sum(lengths)
    return size if len(lengths) == segments and len(data) >= at + size else None
