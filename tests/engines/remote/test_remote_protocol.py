"""Binary messages of ``lullwave.v1``: what went in comes out, and nothing else does."""

from __future__ import annotations

import random
import struct
import zlib

import numpy as np
import pytest

from lullwave import Audio
from lullwave.engines.remote import protocol
from lullwave.errors import ProtocolError


def message(encoding: str = "float32") -> bytes:
    audio = Audio(np.random.default_rng(1).uniform(-0.5, 0.5, (50, 2)).astype(np.float32), 44100)
    return protocol.pack_audio(3, 2, 1000, audio, encoding, last=True)


@pytest.mark.parametrize("encoding", protocol.ENCODINGS)
def test_a_block_comes_out_as_it_went_in(encoding):
    block = protocol.unpack(message(encoding))
    assert (block.kind, block.stream, block.epoch, block.frame, block.rate) == (protocol.AUDIO, 3, 2, 1000, 44100)
    assert (block.encoding, block.channels, block.last) == (encoding, 2, True)
    wanted = np.random.default_rng(1).uniform(-0.5, 0.5, (50, 2)).astype(np.float32)
    assert np.abs(block.audio().samples - wanted).max() <= (0 if encoding == "float32" else 1 / 32767)


def test_the_checksum_is_where_and_what_the_documentation_says():
    sent = message()
    assert struct.unpack_from("<I", sent, 24)[0] == zlib.crc32(sent[:24] + sent[28:])


@pytest.mark.parametrize("sent", [message(), message("int16"), protocol.pack_snapshot(5, 9, b"a state")])
def test_one_flipped_bit_anywhere_is_refused(sent):
    protocol.unpack(sent)
    for bit in range(8 * len(sent)):
        flipped = bytearray(sent)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProtocolError):
            protocol.unpack(bytes(flipped))


def test_missing_swapped_and_overwritten_bytes_are_refused():
    sent, draw = message(), random.Random(5)
    for _ in range(500):
        at = draw.randrange(len(sent) - 8)
        other = sent[:at] + draw.randbytes(8) + sent[at + 8 :]
        for bad in (other, sent[:at] + sent[at + 1 :], sent[:at]):
            if bad != sent:
                with pytest.raises(ProtocolError):
                    protocol.unpack(bad)
