"""Snapshots that state or unpack to far more than they weigh: refused before memory is taken, by every engine."""

import io
import json
import struct
import tracemalloc
import zipfile
import zlib
from contextlib import contextmanager

import numpy as np
import pytest

from lullwave.engines.riffusion import stream_state
from lullwave.engines.synth import snapshots
from lullwave.engines.synth.engine import SynthEngine
from lullwave.errors import SnapshotError
from lullwave.mastering import Master
from lullwave.request import Request
from lullwave.storage import packing

FEW_BYTES = 40_000_000  # all that refusing a bomb may take at its peak


@contextmanager
def little_memory():
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < FEW_BYTES
    finally:
        tracemalloc.stop()


def compressed_zeros(megabytes: int) -> bytes:
    """An ``npz`` of one array of zeros, a thousandth of its size."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"shape": (megabytes << 20,), "fortran_order": False, "descr": "|u1"})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("meta.npy", "w") as file:
        file.write(header.getvalue())
        for _ in range(megabytes):
            file.write(bytes(1 << 20))
    return packed.getvalue()


def absurd_shape() -> bytes:
    """An ``npz`` of a few bytes whose header states a terabyte."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"shape": (1 << 40,), "fortran_order": False, "descr": "|u1"})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("meta.npy", header.getvalue())
    return packed.getvalue()


def many_entries() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for n in range(5000):
            archive.writestr(f"{n}.npy", b"")
    return packed.getvalue()


BOMBS = {"zeros": compressed_zeros(256), "shape": absurd_shape(), "entries": many_entries()}


SYNTH = json.dumps({"engine": "synth", "version": snapshots.VERSION, "sound": {}}).encode()


def synth_with(arrays: bytes, values: bytes = SYNTH) -> bytes:
    body = struct.pack("<I", len(values)) + values + arrays
    return snapshots._HEAD.pack(snapshots.MAGIC, zlib.crc32(body), len(body)) + body


def riffusion_with(arrays: bytes, values: bytes = b'{"segments": []}') -> bytes:
    return stream_state.MAGIC + len(values).to_bytes(4, "little") + values + arrays


READERS = {
    "packing": packing.unpack_arrays,
    "master": lambda data: Master(44100, 2).restore(data),
    "synth": lambda data: snapshots.unpack(SynthEngine, synth_with(data)),
    "riffusion": lambda data: stream_state.unpack(riffusion_with(data)),
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("reader", READERS)
def test_a_bomb_is_refused_before_it_unpacks(reader, bomb):
    data = BOMBS[bomb]
    assert len(data) < 1_000_000
    with little_memory(), pytest.raises(SnapshotError):
        READERS[reader](data)


def test_musicgen_refuses_a_bomb_before_it_unpacks():
    pytest.importorskip("torch")
    from lullwave.engines.musicgen import snapshot

    for data in BOMBS.values():
        with little_memory(), pytest.raises(SnapshotError):
            snapshot.header_of(data)


@pytest.mark.parametrize("values", [b"[" * 100_000, b'{"a":' * 100_000, b"[]", b"1e999", b'"' + b"x" * 5_000_000])
def test_deep_large_and_foreign_json_is_refused(values):
    for read in (
        packing.parse_values,
        lambda v: snapshots.unpack(SynthEngine, synth_with(b"", v)),
        lambda v: stream_state.unpack(riffusion_with(b"", v)),
    ):
        with pytest.raises(SnapshotError):
            read(values)


@pytest.mark.parametrize("kind", ["U10", "O", "M8[s]", "c16"])
def test_arrays_of_anything_but_numbers_are_refused(kind):
    packed = io.BytesIO()
    np.savez(packed, a=np.zeros(3, kind))
    with pytest.raises(SnapshotError):
        packing.unpack_arrays(packed.getvalue())


@pytest.mark.parametrize("compress", [False, True])
def test_what_was_packed_comes_back(compress):
    arrays = {"a": np.arange(12.0).reshape(3, 4)[:, ::-1], "b": np.float32(2.5), "c": np.zeros((0, 2), np.int16)}
    back = packing.unpack_arrays(packing.pack_arrays({k: np.asarray(v) for k, v in arrays.items()}, compress))
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert back[name].dtype == np.asarray(array).dtype
        assert np.array_equal(back[name], array)


def test_inflate_stops_at_its_limit():
    bomb = zlib.compress(bytes(200 << 20))
    with little_memory(), pytest.raises(SnapshotError, match="once unpacked"):
        packing.inflate(bomb, 1 << 20)
    with pytest.raises(SnapshotError, match="cut off"):
        packing.inflate(zlib.compress(b"music")[:-3])
    assert packing.inflate(zlib.compress(b"music"), 5) == b"music"


def altered(snapshot: bytes, change) -> bytes:
    """A snapshot of the synth with changed values and a right checksum."""
    body = snapshot[snapshots._HEAD.size :]
    (length,) = struct.unpack_from("<I", body)
    values = json.loads(body[4 : 4 + length])
    change(values)
    return synth_with(body[4 + length :], json.dumps(values).encode())


def test_a_synth_snapshot_cannot_ask_for_endless_work():
    engine = SynthEngine()
    stream = engine.stream(Request("piano and drums", 3))
    stream.read(44100 * 8)
    good = stream.snapshot()
    with engine.restore(altered(good, lambda values: None)) as again:
        assert np.array_equal(again.read(4410).samples, stream.read(4410).samples)

    def spec(values):
        return values["head"]["programme"]["spec"]

    changes = [
        lambda v: spec(v)["sections"][-1].update(bars=10**9),
        lambda v: spec(v)["sections"][-1].update(tail_frames=10**12),
        lambda v: [s.update(tempo_from=1e-6, tempo_to=1e-6) for s in spec(v)["sections"]],
        lambda v: [s.update(tempo_to=float("nan")) for s in spec(v)["sections"]],
        lambda v: [s["slots"][0].update(beats=1e12) for s in spec(v)["sections"]],
        lambda v: spec(v).update(sections=spec(v)["sections"] * 1000),
        lambda v: v["sound"]["sounding"][0].update(held=10**12),
        lambda v: v["sound"]["sounding"][0].update(at=-(10**12)),
        lambda v: v["sound"].update(kicks=[[10**12, 1.0]]),
        lambda v: v["sound"].update(sounding=v["sound"]["sounding"] * 10_000),
        lambda v: v["head"].update(position=10**15),
    ]
    for change in changes:
        wrong = altered(good, change)
        with pytest.raises(SnapshotError):
            engine.restore(wrong)
