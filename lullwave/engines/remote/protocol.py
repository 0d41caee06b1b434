"""The protocol ``lullwave.v1`` as text and bytes, for both of its ends; knows nothing of sockets, streams or threads.

Text messages are JSON objects with an ``op``. Binary messages are a header of 28 bytes and what it announces: a block
of samples, or a snapshot. ``docs/how/inference-protocol.md`` describes who sends what, and when.

=======  ======  ===========================================================================
offset   type    meaning (little-endian)
=======  ======  ===========================================================================
0        u8      kind: 1 audio, 2 snapshot
1        u8      encoding of the samples: 0 float32, 1 int16 (of a snapshot: of its stream)
2        u8      channels
3        u8      flags: 1 the last block of music that ends
4        u32     stream
8        u32     epoch of the stream; in a snapshot, the id of the request
12       u32     rate in Hz
16       u64     the stream's frame at which the block begins
24       u32     CRC-32 (that of zip files) of the 24 bytes before it and of all that follows it
=======  ======  ===========================================================================
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...audio import Audio
from ...errors import (
    Busy,
    CheckpointError,
    EngineError,
    EngineFailed,
    InvalidInput,
    LullwaveError,
    PromptError,
    ProtocolError,
    SnapshotError,
    StreamClosed,
)
from ..base import Mark, Understanding

FAMILY = "lullwave."
SUBPROTOCOL = FAMILY + "v1"
MAX_TEXT_BYTES = 256 * 1024
MAX_MESSAGE_BYTES = 32 * 1024 * 1024  # a snapshot of a long song
LOUDEST = 64.0  # of a sample, nominally 1: what is beyond it is no music
MAX_STREAM = 2**32 - 1  # of stream numbers, epochs and ids

# why a connection is closed, besides the codes of RFC 6455
JUNK, WRONG_VERSION, SILENT = 4400, 4406, 4408
TOO_BIG, TRY_LATER, GOING_AWAY = 1009, 1013, 1001

AUDIO, SNAPSHOT = 1, 2
ENCODINGS = ("float32", "int16")
_LAST = 1
_HEAD = struct.Struct("<BBBBIIIQ")
_SEAL = struct.Struct("<I")
_SIZE = _HEAD.size + _SEAL.size
_ERRORS: Mapping[str, type[LullwaveError]] = {
    kind.__name__: kind
    for kind in (EngineError, EngineFailed, StreamClosed, SnapshotError, CheckpointError, ProtocolError)
}
_INPUT_ERRORS: Mapping[str, type[InvalidInput]] = {"InvalidInput": InvalidInput, "PromptError": PromptError}


@dataclass(frozen=True)
class Binary:
    """A binary message, taken apart."""

    kind: int
    encoding: str
    channels: int
    last: bool
    stream: int
    epoch: int
    rate: int
    frame: int
    body: bytes

    def audio(self) -> Audio:
        """The samples of a block.

        Raises:
            ProtocolError: they are not whole frames of numbers that can be sound.
        """
        dtype = "<f4" if self.encoding == "float32" else "<i2"
        if self.kind != AUDIO or not self.channels or not self.rate:
            raise ProtocolError("a binary message that is no block of samples")
        if len(self.body) % (np.dtype(dtype).itemsize * self.channels):
            raise ProtocolError(f"a block of {len(self.body)} bytes, which are no whole frames")
        samples = np.frombuffer(self.body, dtype).reshape(-1, self.channels)
        # One sample of 1e30 would make whoever follows the loudness turn the music down for minutes.
        if dtype == "<f4" and not (np.abs(samples) <= LOUDEST).all():
            raise ProtocolError(f"a block with samples that are no numbers, or beyond {LOUDEST:g} times full scale")
        return Audio.of(samples.astype(np.int16 if dtype == "<i2" else np.float32), self.rate)


def pack_audio(stream: int, epoch: int, frame: int, audio: Audio, encoding: str, last: bool = False) -> bytes:
    """One block of samples as a message."""
    head = _HEAD.pack(AUDIO, ENCODINGS.index(encoding), audio.channels, _LAST * last, stream, epoch, audio.rate, frame)
    if encoding == "int16":
        return _sealed(head, audio.to_int16().astype("<i2", copy=False).tobytes())
    return _sealed(head, audio.samples.astype("<f4", copy=False).tobytes())


def pack_snapshot(stream: int, id: int, snapshot: bytes, encoding: str = ENCODINGS[0]) -> bytes:
    """A snapshot as a message: the reply to ``snapshot``, or the wish to ``restore`` as stream ``stream``."""
    return _sealed(_HEAD.pack(SNAPSHOT, ENCODINGS.index(encoding), 0, 0, stream, id, 0, 0), snapshot)


def unpack(message: bytes) -> Binary:
    """A binary message, taken apart.

    Raises:
        ProtocolError: it is none, or not as it was sent.
    """
    if len(message) < _SIZE:
        raise ProtocolError(f"a binary message of {len(message)} bytes; its header alone has {_SIZE}")
    body = message[_SIZE:]
    if _SEAL.unpack_from(message, _HEAD.size)[0] != _checksum(message[: _HEAD.size], body):
        raise ProtocolError("a binary message that is not what its checksum says")
    kind, encoding, channels, flags, stream, epoch, rate, frame = _HEAD.unpack_from(message)
    if kind not in (AUDIO, SNAPSHOT) or encoding >= len(ENCODINGS):
        raise ProtocolError(f"a binary message of kind {kind} and encoding {encoding}; there is none")
    return Binary(kind, ENCODINGS[encoding], channels, bool(flags & _LAST), stream, epoch, rate, frame, body)


def pack(op: str, **fields: Any) -> str:
    """A JSON message."""
    return json.dumps({"op": op, **fields}, separators=(",", ":"))


def parse(text: str) -> dict[str, Any]:
    """A JSON message.

    Raises:
        ProtocolError: it is none.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise ProtocolError("a text message that is no JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("op"), str):
        raise ProtocolError("a text message that is no JSON object with an op")
    return message


def whole(message: Mapping[str, Any], name: str, low: int = 0, high: int = MAX_STREAM) -> int:
    """A whole number of a message.

    Raises:
        ProtocolError: it is absent or something else.
    """
    value = message.get(name)
    if type(value) is not int or not low <= value <= high:
        raise ProtocolError(f"{message.get('op')}: {name} must be a whole number from {low} to {high}")
    return value


def words(message: Mapping[str, Any], name: str) -> str:
    """A text of a message.

    Raises:
        ProtocolError: it is absent or something else.
    """
    value = message.get(name)
    if not isinstance(value, str):
        raise ProtocolError(f"{message.get('op')}: {name} must be text")
    return value


def error_out(error: Exception) -> dict[str, Any]:
    """What a reply says of an error."""
    if isinstance(error, InvalidInput):
        kind = "PromptError" if isinstance(error, PromptError) else "InvalidInput"
        return {"error": kind, "field": error.field, "value": _plain(error.value), "allowed": error.allowed}
    if isinstance(error, Busy):
        return {"error": "Busy", "message": str(error), "retry_after_s": error.retry_after_s}
    if isinstance(error, LullwaveError):
        kind = next((c.__name__ for c in type(error).__mro__ if c.__name__ in _ERRORS), "EngineError")
        return {"error": kind, "message": str(error)}
    return {"error": "EngineFailed", "message": f"the engine broke: {type(error).__name__}: {error}"}


def error_in(message: Mapping[str, Any]) -> LullwaveError:
    """The error that a reply speaks of."""
    kind, said = str(message.get("error")), str(message.get("message"))
    if kind in _INPUT_ERRORS:
        return _INPUT_ERRORS[kind](str(message.get("field")), message.get("value"), str(message.get("allowed")))
    if kind == "Busy":
        after_s = message.get("retry_after_s")
        return Busy(said, float(after_s) if isinstance(after_s, (int, float)) else 10.0)
    return _ERRORS.get(kind, EngineError)(said)


def notes_out(marks: Sequence[Mark], beats: Sequence[int]) -> dict[str, Any]:
    """Marks and beats as JSON knows them."""
    return {
        "marks": [{"frame": mark.frame, "kind": mark.kind, "data": dict(mark.data)} for mark in marks],
        "beats": [int(beat) for beat in beats],
    }


def notes_in(message: Mapping[str, Any]) -> tuple[list[Mark], list[int]]:
    """Marks and beats of a message.

    Raises:
        ProtocolError: they are none.
    """
    try:
        marks = [Mark(int(one["frame"]), one["kind"], dict(one["data"])) for one in message["marks"]]
        return marks, [int(beat) for beat in message["beats"]]
    except (KeyError, TypeError, ValueError):
        raise ProtocolError("marks or beats that are none") from None


def understanding_out(understanding: Understanding) -> dict[str, Any]:
    """An understanding as JSON knows it."""
    return {
        "text": understanding.text,
        "understood": dict(understanding.understood),
        "ignored": list(understanding.ignored),
    }


def understanding_in(message: Any) -> Understanding:
    """An understanding of a message; what is not there is empty."""
    if not isinstance(message, dict):
        raise ProtocolError("an understanding that is none")
    understood = message.get("understood")
    ignored = message.get("ignored")
    return Understanding(
        str(message.get("text", "")),
        understood if isinstance(understood, dict) else {},
        tuple(map(str, ignored)) if isinstance(ignored, list) else (),
    )


def _sealed(head: bytes, body: bytes) -> bytes:
    return head + _SEAL.pack(_checksum(head, body)) + body


def _checksum(head: bytes, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(head))


def _plain(value: object) -> Any:
    """A value as JSON knows it, for messages about it."""
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return repr(value)[:200]
    return value
