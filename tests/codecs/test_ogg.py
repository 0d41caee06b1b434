"""Ogg pages with a serial number of our own: the same bytes every time, and whole for other readers."""

import numpy as np
import pytest

from lullwave.audio import Audio
from lullwave.codecs import decode, encode
from lullwave.codecs.ogg import SERIAL, Reserialized, checksum

NOISE = Audio.of(0.2 * np.random.default_rng(1).standard_normal((96000, 2)), 48000)


def pages(data: bytes) -> list[bytes]:
    starts = [at for at in range(len(data)) if data[at : at + 4] == b"OggS"]
    return [data[start:stop] for start, stop in zip(starts, [*starts[1:], None], strict=True)]


def test_the_checksum_is_that_of_the_format():
    """The polynomial by hand, bit by bit (RFC 3533, 6)."""

    def slow(data: bytes) -> int:
        register = 0
        for byte in data:
            register ^= byte << 24
            for _ in range(8):
                register = (register << 1 ^ (0x04C11DB7 if register >> 31 else 0)) & 0xFFFFFFFF
        return register

    for data in (b"", b"\0", b"OggS", bytes(range(256)) * 3):
        assert checksum(data) == slow(data)


@pytest.mark.parametrize("name", ["ogg", "opus"])
def test_the_same_sound_is_the_same_bytes(name):
    data = encode(NOISE, name)
    assert encode(NOISE, name) == data
    assert {page[14:18] for page in pages(data)} == {SERIAL.to_bytes(4, "little")}
    for page in pages(data):
        assert int.from_bytes(page[22:26], "little") == checksum(page[:22] + bytes(4) + page[26:])
    assert decode(data).frames == NOISE.frames


@pytest.mark.parametrize("size", [1, 100, 100_000])
def test_pieces_of_any_size_make_the_same_pages(size):
    data = encode(NOISE, "ogg")
    again = Reserialized()
    assert b"".join(again.feed(data[at : at + size]) for at in range(0, len(data), size)) == data
