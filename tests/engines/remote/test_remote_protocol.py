"""Binary messages of ``lullwave.v1``: what went in comes out, and nothing else does."""

from __future__ import annotations

import random
import struct
import zlib

import numpy as np
import pytest

from lullwave import Audio
from lullwave.engines.remote import connection, protocol
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


@pytest.mark.parametrize(("peak", "encoding"), [(0.99998, "int16"), (1.0, "float32"), (-1.2, "float32")])
def test_a_block_beyond_full_scale_is_not_clipped(peak, encoding):
    samples = np.full((50, 2), 0.25, np.float32)
    samples[7, 1] = peak
    block = protocol.unpack(protocol.pack_audio(3, 2, 1000, Audio.of(samples, 44100), "int16"))
    assert block.encoding == encoding
    assert np.abs(block.audio().samples - samples).max() <= 0.5 / 32768 + 1e-7


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


ABSURD = [(1, 2), (7999, 2), (192_001, 1), (2**32 - 1, 1), (44100, 0), (44100, 9), (44100, 255)]


@pytest.mark.parametrize(("rate", "channels"), ABSURD)
def test_a_peer_cannot_announce_sound_that_takes_gigabytes(rate, channels):
    with pytest.raises(ProtocolError, match="allowed"):
        protocol.check_sound(rate, channels)
    head = protocol._HEADER.pack(protocol.AUDIO, 1, channels, 0, 1, 0, rate, 0)
    with pytest.raises(ProtocolError):
        protocol.unpack(protocol._with_checksum(head, bytes(4 * max(1, channels)))).audio()
    engine = {"name": "x", "summary": "", "rate": rate, "channels": channels, "rewindable_s": 9.0}
    hello = protocol.pack("hello", protocol=protocol.SUBPROTOCOL, version="1", engine=engine)
    with pytest.raises(ProtocolError):
        connection._parse_hello(hello)


@pytest.mark.parametrize(
    "engine",
    [
        {"rate": 44100.5},
        {"rate": "44100"},
        {"rewindable_s": float("nan")},
        {"rewindable_s": -1},
        {"rewindable_s": None},
        {"lighter": 7},
        {"lighter": {"a": 1}},
    ],
)
def test_a_hello_of_odd_values_is_refused(engine):
    usual = {"name": "x", "summary": "", "rate": 44100, "channels": 2, "rewindable_s": 9.0}
    with pytest.raises(ProtocolError):
        connection._parse_hello(
            protocol.pack("hello", protocol=protocol.SUBPROTOCOL, version="1", engine={**usual, **engine})
        )


def test_a_hello_is_kept_short():
    engine = {"name": "x" * 9999, "summary": "y" * 9999, "rate": 44100, "channels": 2, "rewindable_s": float("inf")}
    engine["lighter"] = [{"n": n} for n in range(500)]
    found = connection._parse_hello(protocol.pack("hello", protocol=protocol.SUBPROTOCOL, version="1", engine=engine))
    assert (len(found.name), len(found.summary), len(found.lighter)) == (400, 400, protocol.MAX_LIGHTER)
    assert found.rewindable_s == protocol.MAX_REWINDABLE_S


@pytest.mark.parametrize(
    "notes",
    [
        {"marks": [{"frame": float("inf"), "kind": "piece", "data": {}}], "beats": []},
        {"marks": [{"frame": -1, "kind": "piece", "data": {}}], "beats": []},
        {"marks": [{"frame": 2**64, "kind": "piece", "data": {}}], "beats": []},
        {"marks": [], "beats": [float("nan")]},
        {"marks": [], "beats": [0] * (protocol.MAX_NOTES + 1)},
        {"marks": 3, "beats": []},
        {"marks": [None], "beats": []},
    ],
)
def test_odd_marks_and_beats_are_refused(notes):
    with pytest.raises(ProtocolError):
        protocol.decode_notes(notes)


def test_long_text_is_refused_before_it_is_parsed_and_a_busy_peer_cannot_ask_for_an_endless_wait():
    with pytest.raises(ProtocolError, match="allowed"):
        protocol.parse('{"op":"' + "x" * protocol.MAX_TEXT_BYTES + '"}')
    for wait in (float("inf"), float("nan"), -1, 1e9, "soon", True):
        error = protocol.decode_error({"error": "Busy", "message": "", "retry_after_s": wait})
        assert error.retry_after_s == 10.0
