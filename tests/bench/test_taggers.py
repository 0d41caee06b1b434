"""The taggers and the reader of their weights."""

import importlib.util
import struct

import numpy as np
import pytest

from bench.embedded.tf_checkpoint import read_arrays

RATE = 16000
needs_weights = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("musicnn", "torch", "librosa")),
    reason="needs torch, librosa and musicnn (bench/requirements-music.txt)",
)


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(*entries: tuple[int, bytes, bytes]) -> bytes:
    """Entries of (bytes shared with the key before, rest of the key, value), and one restart point."""
    body = b"".join(varint(s) + varint(len(k)) + varint(len(v)) + k + v for s, k, v in entries)
    return body + struct.pack("<II", 0, 1)


def test_arrays_of_a_checkpoint(tmp_path):
    kernel, bias = np.arange(300, dtype="<f4").reshape(2, 150), np.array([1.5, -2.5], "<f4")

    def entry(array: np.ndarray, offset: int) -> bytes:
        shape = b"".join(field(2, field(1, size)) for size in array.shape)
        return field(1, 1) + field(2, shape) + field(4, offset) + field(5, array.nbytes)

    tensors = block(
        (0, b"", field(1, 1)),  # the header of the bundle
        (0, b"dense/bias", entry(bias, kernel.nbytes)),
        (6, b"kernel", entry(kernel, 0)),  # shares "dense/"
        (0, b"step", field(1, 9) + field(4, 0) + field(5, 8)),  # an int64, left out
    )
    index = block((0, b"t", varint(0) + varint(len(tensors))))
    handles = varint(0) + varint(0) + varint(len(tensors)) + varint(len(index))
    footer = handles.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    (tmp_path / ".index").write_bytes(tensors + index + footer)
    (tmp_path / ".data-00000-of-00001").write_bytes(kernel.tobytes() + bias.tobytes())
    arrays = read_arrays(tmp_path)
    assert set(arrays) == {"dense/kernel", "dense/bias"}
    np.testing.assert_array_equal(arrays["dense/kernel"], kernel)
    np.testing.assert_array_equal(arrays["dense/bias"], bias)


def test_another_file_is_no_checkpoint(tmp_path):
    (tmp_path / ".index").write_bytes(b"x" * 100)
    (tmp_path / ".data-00000-of-00001").write_bytes(b"")
    with pytest.raises(ValueError, match="not a table"):
        read_arrays(tmp_path)


@needs_weights
def test_taggers_know_a_machine_beat_from_a_held_string():
    from bench.embedded.taggers import Tagger

    t = np.arange(12 * RATE) / RATE
    phase = t % 0.48  # 125 beats a minute
    kick = np.sin(2 * np.pi * (50 * phase - 4 * np.exp(-phase / 0.03))) * np.exp(-phase / 0.12)
    hat = np.random.default_rng(4).normal(0, 0.2, len(t)) * np.exp(-((t + 0.24) % 0.48) / 0.02)
    saw = sum(np.sin(2 * np.pi * 440 * n * t + 0.9 * n * np.sin(2 * np.pi * 5.5 * t) / 5.5) / n for n in range(1, 14))
    tagger = Tagger("mtt")
    beat = tagger.read((0.5 * kick + 0.3 * hat).astype(np.float32), RATE)
    string = tagger.read((0.1 * saw).astype(np.float32), RATE)
    assert {"techno", "beat", "electronic", "drums"} & set(list(beat.tags)[:3])
    assert {"violin", "strings", "classical"} & set(list(string.tags)[:3])
    assert list(beat.tags.values()) == sorted(beat.tags.values(), reverse=True)
    assert beat.hidden.shape == (200,)
    assert len(Tagger("msd").read(0.1 * saw.astype(np.float32), RATE).tags) == 50


@needs_weights
def test_a_clip_shorter_than_a_window_cannot_be_read():
    from bench.embedded.taggers import Tagger

    with pytest.raises(ValueError, match=r"at least 3 s, got 1\.0 s"):
        Tagger("mtt").read(np.zeros(RATE, np.float32), RATE)
