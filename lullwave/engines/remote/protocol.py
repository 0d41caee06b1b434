"""Encodes and decodes the messages of the protocol ``lullwave.v1``, for the client and the server.

Text messages are JSON objects with an ``op``. Binary messages are a header of 28 bytes and a body: a block of samples
or a snapshot. ``docs/how/inference-protocol.md`` describes the exchange of messages. Knows nothing of sockets, streams
or threads.

=======  ======  ===========================================================================
offset   type    meaning (little-endian)
=======  ======  ===========================================================================
0        u8      kind: 1 audio, 2 snapshot
1        u8      encoding of the samples: 0 float32, 1 int16 (of a snapshot: of its stream)
2        u8      channels
3        u8      flags: 1 the last block of a finite stream
4        u32     stream
8        u32     epoch of the stream; in a snapshot, the id of the request
12       u32     rate in Hz
16       u64     first frame of the block in its stream
24       u32     CRC-32 (as in zip files) of the 24 bytes before it and of the body
=======  ======  ===========================================================================
"""

from __future__ import annotations

import json
import math
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
MAX_MESSAGE_BYTES = 32 * 1024 * 1024  # room for the snapshot of a long song
MAX_SAMPLE = 64.0  # largest allowed sample (full scale is 1); a larger one is an error of the sender
MIN_RATE, MAX_RATE = 8000, 192_000  # Hz; resampling from a rate far below takes gigabytes
MAX_CHANNELS = 8  # 7.1
MAX_REWINDABLE_S = 3600.0  # how far back a peer's engine may claim to go
MAX_LIGHTER = 16  # steps of lighter options that a peer may offer
MAX_NOTES = 4096  # marks and beats in one message, and marks that a stream keeps
MAX_RETRY_S = 3600.0  # longest wait that a busy peer may ask for
MAX_FRAME = 2**63 - 1
MAX_ID = 2**32 - 1  # largest stream number, epoch or call id

# close codes: our own, then those of RFC 6455
BAD_MESSAGE, WRONG_VERSION, TIMED_OUT = 4400, 4406, 4408
TOO_LARGE = 1009

AUDIO, SNAPSHOT = 1, 2
ENCODINGS = ("float32", "int16")
_MAX_INT16 = 32767.5 / 32768  # what is above it has no number of 16 bits
_LAST = 1
_HEADER = struct.Struct("<BBBBIIIQ")
_CHECKSUM = struct.Struct("<I")
_HEADER_BYTES = _HEADER.size + _CHECKSUM.size
_ERRORS: Mapping[str, type[LullwaveError]] = {
    kind.__name__: kind
    for kind in (EngineError, EngineFailed, StreamClosed, SnapshotError, CheckpointError, ProtocolError)
}
_INPUT_ERRORS: Mapping[str, type[InvalidInput]] = {"InvalidInput": InvalidInput, "PromptError": PromptError}


@dataclass(frozen=True)
class BinaryMessage:
    """A decoded binary message. ``epoch`` of a snapshot is the id of the call that it answers."""

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
        """The samples of an audio message.

        Raises:
            ProtocolError: not an audio message, a rate or channels out of range, not whole frames, not finite, or
                beyond ``MAX_SAMPLE``.
        """
        dtype = "<f4" if self.encoding == "float32" else "<i2"
        if self.kind != AUDIO:
            raise ProtocolError("a binary message that is not a block of samples")
        check_sound(self.rate, self.channels)
        if len(self.body) % (np.dtype(dtype).itemsize * self.channels):
            raise ProtocolError(f"a block of {len(self.body)} bytes is not a whole number of frames")
        samples = np.frombuffer(self.body, dtype).reshape(-1, self.channels)
        # One sample of 1e30 would make the mastering turn the music down for minutes.
        if dtype == "<f4" and not (np.abs(samples) <= MAX_SAMPLE).all():
            raise ProtocolError(f"a block with samples that are not finite or beyond {MAX_SAMPLE:g} times full scale")
        return Audio.of(samples.astype(np.int16 if dtype == "<i2" else np.float32), self.rate)


def pack_audio(stream: int, epoch: int, frame: int, audio: Audio, encoding: str, last: bool = False) -> bytes:
    """Encode a block of samples that begins at ``frame``; one beyond full scale as float32, as int16 would clip it."""
    if encoding == "int16" and np.abs(audio.samples).max(initial=0.0) > _MAX_INT16:
        encoding = "float32"
    head = _HEADER.pack(
        AUDIO, ENCODINGS.index(encoding), audio.channels, _LAST * last, stream, epoch, audio.rate, frame
    )
    if encoding == "int16":
        return _with_checksum(head, audio.to_int16().astype("<i2", copy=False).tobytes())
    return _with_checksum(head, audio.samples.astype("<f4", copy=False).tobytes())


def pack_snapshot(stream: int, id: int, snapshot: bytes, encoding: str = ENCODINGS[0]) -> bytes:
    """Encode a snapshot: the reply to ``snapshot``, or the request to restore it as stream ``stream``."""
    return _with_checksum(_HEADER.pack(SNAPSHOT, ENCODINGS.index(encoding), 0, 0, stream, id, 0, 0), snapshot)


def unpack(message: bytes) -> BinaryMessage:
    """Decode a binary message.

    Raises:
        ProtocolError: too short, of an unknown kind, or with a wrong checksum.
    """
    if len(message) < _HEADER_BYTES:
        raise ProtocolError(f"a binary message of {len(message)} bytes; the header alone has {_HEADER_BYTES}")
    body = message[_HEADER_BYTES:]
    if _CHECKSUM.unpack_from(message, _HEADER.size)[0] != _checksum(message[: _HEADER.size], body):
        raise ProtocolError("a binary message with a wrong checksum")
    kind, encoding, channels, flags, stream, epoch, rate, frame = _HEADER.unpack_from(message)
    if kind not in (AUDIO, SNAPSHOT) or encoding >= len(ENCODINGS):
        raise ProtocolError(f"a binary message of unknown kind {kind} or encoding {encoding}")
    return BinaryMessage(kind, ENCODINGS[encoding], channels, bool(flags & _LAST), stream, epoch, rate, frame, body)


def pack(op: str, **fields: Any) -> str:
    """Encode a text message."""
    return json.dumps({"op": op, **fields}, separators=(",", ":"))


def parse(text: str) -> dict[str, Any]:
    """Decode a text message.

    Raises:
        ProtocolError: too long, or not a JSON object with an ``op``.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise ProtocolError(f"a text message of {len(text)} characters; allowed: {MAX_TEXT_BYTES}")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise ProtocolError("a text message that is not JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("op"), str):
        raise ProtocolError("a text message that is not a JSON object with an op")
    return message


def int_field(message: Mapping[str, Any], name: str, low: int = 0, high: int = MAX_ID) -> int:
    """Return the integer field ``name`` of a message.

    Raises:
        ProtocolError: the field is absent, not an integer or out of range.
    """
    value = message.get(name)
    if type(value) is not int or not low <= value <= high:
        raise ProtocolError(f"{message.get('op', 'hello')}: {name} must be a whole number from {low} to {high}")
    return value


def str_field(message: Mapping[str, Any], name: str) -> str:
    """Return the text field ``name`` of a message.

    Raises:
        ProtocolError: the field is absent or not text.
    """
    value = message.get(name)
    if not isinstance(value, str):
        raise ProtocolError(f"{message.get('op')}: {name} must be text")
    return value


def float_field(message: Mapping[str, Any], name: str, low: float, high: float) -> float:
    """Return the number in the field ``name`` of a message.

    Raises:
        ProtocolError: the field is absent, not a number or out of range.
    """
    value: Any = message.get(name)
    if type(value) not in (int, float) or not low <= value <= high:
        raise ProtocolError(f"{message.get('op', 'hello')}: {name} must be a number from {low:g} to {high:g}")
    return float(value)


def check_sound(rate: int, channels: int) -> None:
    """Check the rate and the channels that a peer announces.

    Raises:
        ProtocolError
    """
    if not MIN_RATE <= rate <= MAX_RATE or not 1 <= channels <= MAX_CHANNELS:
        raise ProtocolError(
            f"sound of {rate} Hz and {channels} channels; allowed: {MIN_RATE} to {MAX_RATE} Hz, 1 to {MAX_CHANNELS}"
        )


def encode_error(error: Exception) -> dict[str, Any]:
    """The fields of a reply that reports ``error``."""
    if isinstance(error, InvalidInput):
        kind = "PromptError" if isinstance(error, PromptError) else "InvalidInput"
        return {"error": kind, "field": error.field, "value": _json_value(error.value), "allowed": error.allowed}
    if isinstance(error, Busy):
        return {"error": "Busy", "message": str(error), "retry_after_s": error.retry_after_s}
    if isinstance(error, LullwaveError):
        kind = next((c.__name__ for c in type(error).__mro__ if c.__name__ in _ERRORS), "EngineError")
        return {"error": kind, "message": str(error)}
    return {"error": "EngineFailed", "message": f"the engine failed: {type(error).__name__}: {error}"}


def decode_error(message: Mapping[str, Any]) -> LullwaveError:
    """The error that a reply reports."""
    kind, said = str(message.get("error")), str(message.get("message"))
    if kind in _INPUT_ERRORS:
        return _INPUT_ERRORS[kind](str(message.get("field")), message.get("value"), str(message.get("allowed")))
    if kind == "Busy":
        after_s: Any = message.get("retry_after_s")
        known = type(after_s) in (int, float) and 0 <= after_s <= MAX_RETRY_S
        return Busy(said, float(after_s) if known else 10.0)
    return _ERRORS.get(kind, EngineError)(said)


def encode_notes(marks: Sequence[Mark], beats: Sequence[int]) -> dict[str, Any]:
    """Marks and beats as JSON values."""
    return {
        "marks": [{"frame": mark.frame, "kind": mark.kind, "data": dict(mark.data)} for mark in marks],
        "beats": [int(beat) for beat in beats],
    }


def decode_notes(message: Mapping[str, Any]) -> tuple[list[Mark], list[int]]:
    """Marks and beats of a message.

    Raises:
        ProtocolError: they are absent, too many or of another form.
    """
    try:
        marks, beats = message["marks"], message["beats"]
        if len(marks) > MAX_NOTES or len(beats) > MAX_NOTES:
            raise ProtocolError(f"{len(marks)} marks and {len(beats)} beats in one message; allowed: {MAX_NOTES}")
        decoded = [Mark(_frame(one["frame"]), one["kind"], dict(one["data"])) for one in marks]
        return decoded, [_frame(beat) for beat in beats]
    except (KeyError, TypeError, ValueError):
        raise ProtocolError("invalid marks or beats") from None


def encode_understanding(understanding: Understanding) -> dict[str, Any]:
    """An understanding as JSON values."""
    return {
        "text": understanding.text,
        "understood": dict(understanding.understood),
        "ignored": list(understanding.ignored),
        "recognised": understanding.recognised,
        "suggestions": {word: list(known) for word, known in understanding.suggestions.items()},
    }


def decode_understanding(message: Any) -> Understanding:
    """The understanding in a message; absent fields are empty.

    Raises:
        ProtocolError: not a JSON object.
    """
    if not isinstance(message, dict):
        raise ProtocolError("an understanding that is not a JSON object")
    understood = message.get("understood")
    ignored = message.get("ignored")
    suggestions = message.get("suggestions")
    return Understanding(
        str(message.get("text", "")),
        understood if isinstance(understood, dict) else {},
        tuple(map(str, ignored)) if isinstance(ignored, list) else (),
        message.get("recognised") is not False,
        {str(word): tuple(map(str, known)) for word, known in suggestions.items() if isinstance(known, list)}
        if isinstance(suggestions, dict)
        else {},
    )


def _frame(value: Any) -> int:
    """A frame number; ``ValueError`` for anything else."""
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value <= MAX_FRAME:
        raise ValueError(value)
    return int(value)


def _with_checksum(head: bytes, body: bytes) -> bytes:
    return head + _CHECKSUM.pack(_checksum(head, body)) + body


def _checksum(head: bytes, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(head))


def _json_value(value: object) -> Any:
    """``value`` if JSON can express it, else its ``repr``."""
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return repr(value)[:200]
    return value
