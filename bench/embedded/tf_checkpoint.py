"""Reads the arrays of a TensorFlow checkpoint without TensorFlow.

A checkpoint is two files: ``.index``, a sorted string table (LevelDB's format, "table_format.md") that maps a tensor's
name to a protocol buffer with its type, shape, offset and size, and ``.data-00000-of-00001``, the bytes themselves.
Only the features of such checkpoints are supported: uncompressed blocks, one data file, float32.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

_FOOTER_BYTES = 48  # of a table: two block handles, padding, the magic number
_MAGIC = 0xDB4775248B80FB57  # the last 8 bytes of a table, little-endian
_FLOAT32 = 1  # DT_FLOAT of tensorflow/core/framework/types.proto


def read_arrays(folder: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Every float32 tensor of the checkpoint in ``folder``, by name.

    Raises:
        ValueError: ``.index`` is not a table.
    """
    index = (folder / ".index").read_bytes()
    data = (folder / ".data-00000-of-00001").read_bytes()
    if len(index) < _FOOTER_BYTES or struct.unpack("<Q", index[-8:])[0] != _MAGIC:
        raise ValueError(f"{folder / '.index'}: not a table of a TensorFlow checkpoint")
    footer = _Reader(index[-_FOOTER_BYTES:])
    footer.varint(), footer.varint()  # the handle of the meta-index, which these tables leave empty
    arrays = {}
    for _, handle in _entries(index, footer.varint(), footer.varint()):
        block = _Reader(handle)
        for name, value in _entries(index, block.varint(), block.varint()):
            entry = _message(value)
            if not name or entry.get(1, [0])[0] != _FLOAT32:  # the entry without a name is the header
                continue
            shape = [_message(size).get(1, [0])[0] for size in _message(entry.get(2, [b""])[0]).get(2, [])]
            offset = entry.get(4, [0])[0]
            raw = data[offset : offset + entry[5][0]]
            arrays[name.decode()] = np.frombuffer(raw, "<f4").reshape(shape).copy()
    return arrays


class _Reader:
    """Bytes read from front to back."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def varint(self) -> int:
        """Read a number in groups of seven bits, lowest first."""
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]


def _entries(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one block. Each key stores the length of its prefix shared with the key before."""
    block = table[offset : offset + size]
    (restarts,) = struct.unpack("<I", block[-4:])
    reader = _Reader(block[: len(block) - 4 - 4 * restarts])
    key = b""
    while reader.at < len(reader.data):
        shared, fresh, length = reader.varint(), reader.varint(), reader.varint()
        key = key[:shared] + reader.take(fresh)
        yield key, reader.take(length)


def _message(data: bytes) -> dict[int, list]:
    """The fields of a protocol buffer by number: integers, or bytes."""
    reader, fields = _Reader(data), {}
    while reader.at < len(data):
        tag = reader.varint()
        kind = tag & 7
        if kind == 0:
            value = reader.varint()
        else:
            value = reader.take({1: 8, 5: 4}.get(kind) or reader.varint())
        fields.setdefault(tag >> 3, []).append(value)
    return fields
