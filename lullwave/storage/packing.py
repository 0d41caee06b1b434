"""Packs arrays and values into the bytes of a snapshot, and unpacks them within limits.

A snapshot may come from another machine. Its sizes are therefore checked before memory is taken: a few megabytes can
state, or unpack to, many gigabytes. Nothing in a snapshot is executed.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ..errors import SnapshotError

Arrays = dict[str, npt.NDArray[Any]]

MAX_UNPACKED_BYTES = 64 * 1024 * 1024  # of all arrays of one snapshot; the largest, of a long song, has 20 MB
MAX_ARRAYS = 1024  # in one snapshot; a synth with every part has under 100
MAX_JSON_BYTES = 4 * 1024 * 1024  # of the values beside the arrays; a synth's have 100 kB
MAX_STATE_BYTES = 256 * 1024 * 1024  # of one state in the history, once inflated


def pack_arrays(arrays: Mapping[str, npt.NDArray[Any]], compress: bool = False) -> bytes:
    """Encode named arrays as ``npz``."""
    packed = io.BytesIO()
    if compress:
        np.savez_compressed(packed, **dict(arrays))  # type: ignore[arg-type]
    else:
        np.savez(packed, **dict(arrays))  # type: ignore[arg-type]
    return packed.getvalue()


def pack_state(magic: bytes, values: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Encode values and arrays behind eight bytes that say what they are."""
    header = json.dumps(dict(values)).encode()
    return magic + len(header).to_bytes(4, "little") + header + pack_arrays(arrays)


def unpack_state(magic: bytes, data: bytes, engine: str) -> tuple[dict[str, Any], Arrays]:
    """Decode what ``pack_state`` made.

    Raises:
        SnapshotError: of another engine or version, damaged, or larger than allowed.
    """
    if data[:8] != magic:
        raise SnapshotError(f"not a snapshot of this version of the engine {engine!r}")
    size = int.from_bytes(data[8:12], "little")
    return parse_values(data[12 : 12 + size]), unpack_arrays(data[12 + size :])


def unpack_arrays(data: bytes, max_bytes: int = MAX_UNPACKED_BYTES) -> Arrays:
    """Decode the arrays of an ``npz``: numbers only, at most ``max_bytes`` in all.

    Raises:
        SnapshotError: not an ``npz`` of plain arrays, damaged, or larger than allowed.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            total = sum(entry.file_size for entry in entries)
            if len(entries) > MAX_ARRAYS or total > max_bytes:
                raise SnapshotError(
                    f"snapshot: {len(entries)} arrays of {total} bytes once unpacked; "
                    f"allowed: {MAX_ARRAYS} arrays of {max_bytes} bytes"
                )
            arrays: Arrays = {}
            for entry in entries:
                with archive.open(entry) as file:
                    _check_header(file, entry.file_size)
                with archive.open(entry) as file:
                    arrays[entry.filename.removesuffix(".npy")] = np.lib.format.read_array(file, allow_pickle=False)
            return arrays
    except SnapshotError:
        raise
    except Exception as error:  # zip, zlib and NumPy raise exceptions of many types for damaged bytes
        raise SnapshotError(f"snapshot: its arrays are damaged ({error})") from None


def parse_values(data: bytes) -> dict[str, Any]:
    """Parse the JSON object of a snapshot.

    Raises:
        SnapshotError: not a JSON object, nested too deeply, or larger than allowed.
    """
    if len(data) > MAX_JSON_BYTES:
        raise SnapshotError(f"snapshot: {len(data)} bytes of JSON; allowed: {MAX_JSON_BYTES}")
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SnapshotError(f"snapshot: its values are damaged ({error})") from None
    if not isinstance(values, dict):
        raise SnapshotError(f"snapshot: its values are a {type(values).__name__}; allowed: a JSON object")
    return values


def inflate(data: bytes, max_bytes: int = MAX_STATE_BYTES) -> bytes:
    """Decompress zlib data.

    Raises:
        SnapshotError: damaged, cut off, or larger than allowed.
    """
    inflater = zlib.decompressobj()
    try:
        inflated = inflater.decompress(data, max_bytes)
    except zlib.error as error:
        raise SnapshotError(f"snapshot: damaged ({error})") from None
    if not inflater.eof:
        reason = f"more than {max_bytes} bytes once unpacked" if inflater.unconsumed_tail else "cut off"
        raise SnapshotError(f"snapshot: {reason}")
    return inflated


def _check_header(file: IO[bytes], size: int) -> None:
    """Check that an array's header states exactly the bytes that follow it."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    stated = file.tell() + math.prod(shape) * dtype.itemsize
    if dtype.kind not in "biuf" or min(shape, default=0) < 0 or stated != size:
        raise SnapshotError(f"snapshot: an array of shape {shape} and type {dtype} in {size} bytes")
