"""The choice between the native kernels and those of torch."""

import json
import shutil
import sys
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from lullwave.cli.commands.engines import entry_of
from lullwave.engines import native_package
from lullwave.engines.musicgen import engine, native
from lullwave.engines.musicgen.model.decoder import Decoder
from lullwave.engines.native_package import NativePackage
from lullwave.errors import EngineError, InvalidInput, SnapshotError
from lullwave.request import Request

ABSENT = NativePackage(None, "", "lullwave-native is not installed; run make native")


class Kernels:
    """Stands for the module."""


PRESENT = NativePackage(Kernels, "avx2", "")


@pytest.fixture
def found(monkeypatch):
    """Lets ``find_native`` give what it is called with."""
    return lambda package: monkeypatch.setattr(native, "find_native", lambda: package)


def test_auto_takes_the_package_for_8_bits_on_a_cpu_and_torch_for_all_else(found):
    found(PRESENT)
    assert native.choose_native("auto", "cpu", "auto", "auto") is Kernels
    assert native.choose_native("auto", "cpu", "int8", "auto") is Kernels
    assert native.choose_native("auto", "cpu", "int4", "auto") is Kernels
    assert native.choose_native("auto", "cpu", "float32", "auto") is None
    assert native.choose_native("auto", "cuda", "auto", "auto") is None
    assert native.choose_native("torch", "cpu", "int8", "auto") is None
    found(ABSENT)
    assert native.choose_native("auto", "cpu", "int8", "auto") is None


def test_native_where_it_cannot_be_says_why(found):
    found(PRESENT)
    with pytest.raises(InvalidInput, match="float32 on cpu"):
        native.choose_native("native", "cpu", "float32", "auto")
    with pytest.raises(InvalidInput, match="cuda"):
        native.choose_native("native", "cuda", "auto", "auto")
    for backend, device in (("torch", "cpu"), ("auto", "cuda"), ("native", "cuda")):
        with pytest.raises(InvalidInput, match=r"^dtype.*int4"):
            native.choose_native(backend, device, "int4", "auto")
        with pytest.raises(InvalidInput, match=r"^kv_dtype.*int4"):
            native.choose_native(backend, device, "auto", "int4")
    with pytest.raises(InvalidInput, match=r"^kv_dtype.*float32"):
        native.choose_native("auto", "cpu", "float32", "int4")
    found(ABSENT)
    for backend, dtype, kv_dtype, told in (
        ("native", "int8", "auto", "backend native"),
        ("native", "int4", "auto", "dtype int4"),
        ("auto", "int4", "auto", "dtype int4"),
        ("auto", "auto", "int4", "kv_dtype int4"),
    ):
        with pytest.raises(EngineError, match=rf"^{told}.*make native"):
            native.choose_native(backend, "cpu", dtype, kv_dtype)


def test_a_model_whose_sizes_the_kernels_do_not_take_says_which(tiny, tmp_path, load):
    pytest.importorskip("lullwave_native", reason="lullwave-native is not installed: make native")
    odd = tmp_path / "odd"
    shutil.copytree(tiny, odd)
    config = json.loads((odd / "config.json").read_text())
    config["decoder"]["ffn_dim"] = 100
    (odd / "config.json").write_text(json.dumps(config))
    for options in ({"backend": "native"}, {"dtype": "int4"}, {"kv_dtype": "int4"}):
        with pytest.raises(EngineError, match="multiples of 16; the feed-forward layer has 100"):
            load(odd, options.pop("dtype", "auto"), **options)


def test_a_package_that_lacks_what_this_version_calls_is_not_used(monkeypatch):
    monkeypatch.setitem(sys.modules, "lullwave_native", SimpleNamespace(levels=lambda: ["avx2"]))
    package = native_package.find_native.__wrapped__()
    assert package.module is None
    assert "older than lullwave; run make native" in package.problem


def test_the_list_of_engines_tells_what_is_in_use_and_why(monkeypatch):
    from lullwave.engines.musicgen import options

    for package, told in ((PRESENT, "native kernels, avx2"), (ABSENT, "torch kernels (lullwave-native is not inst")):
        monkeypatch.setattr(options, "find_native", lambda package=package: package)
        assert told in entry_of("musicgen").as_json()["kernels"]
    assert "kernels" not in entry_of("synth").as_json()


def resumed(engine):
    """A snapshot of a song, which was seen to go on to the bit from there."""
    with engine.stream(Request("calm", seed=3)) as stream:
        stream.read(engine.rate)
        snapshot = stream.snapshot()
        with engine.restore(snapshot) as again:
            assert (again.read(engine.rate // 2).samples == stream.read(engine.rate // 2).samples).all()
    return snapshot


def test_a_song_with_keys_and_values_in_8_bits_is_resumed_to_the_bit_and_kept_apart_from_others(tiny, load):
    from songs import EXACT

    small, wide = load(tiny, EXACT, kv_dtype="int8"), load(tiny, EXACT, kv_dtype="float")
    snapshot = resumed(small)
    with pytest.raises(SnapshotError, match="kv8"):
        wide.restore(snapshot)


def test_songs_of_one_backend_are_not_restored_by_the_other(tiny, load):
    pytest.importorskip("lullwave_native", reason="lullwave-native is not installed: make native")
    fast, slow = load(tiny, "auto", backend="native"), load(tiny, "float32", backend="torch")
    assert not isinstance(fast.decoder, Decoder)
    assert isinstance(slow.decoder, Decoder)
    assert "kv8" in fast._fingerprint  # unless asked for otherwise
    assert "kv8" not in slow._fingerprint
    snapshot = resumed(fast)
    with pytest.raises(SnapshotError, match="native"):
        slow.restore(snapshot)


def test_songs_with_4_bit_weights_are_resumed_and_kept_apart_from_those_with_8(tiny, load):
    pytest.importorskip("lullwave_native", reason="lullwave-native is not installed: make native")
    small, wide = load(tiny, "int4"), load(tiny, "auto", backend="native")
    assert small.decoder.weight_bytes < wide.decoder.weight_bytes
    snapshot = resumed(small)
    with pytest.raises(SnapshotError, match="int4"):
        wide.restore(snapshot)


def test_songs_with_4_bit_keys_and_values_are_resumed_and_kept_apart_from_those_with_8(tiny, load):
    pytest.importorskip("lullwave_native", reason="lullwave-native is not installed: make native")
    small, wide = load(tiny, "int4"), load(tiny, "int4", kv_dtype="int8")  # they go with 4-bit weights
    snapshot = resumed(small)
    with pytest.raises(SnapshotError, match="kv4"):
        wide.restore(snapshot)
    with load(tiny, "auto", kv_dtype="int4").stream(Request("calm", seed=3)) as stream:  # and with others on request
        assert stream.read(1).samples.shape == (1, 1)


@pytest.mark.parametrize(
    ("weights", "device", "fast", "sound"),
    [
        ("int8", "cpu", True, "bfloat16"),
        ("int8", "cpu", False, "float32"),
        ("float32", "cpu", True, "float32"),
        ("bfloat16", "cuda", False, "bfloat16"),
    ],
)
def test_the_codec_uses_bfloat16_where_the_machine_has_instructions_for_it(monkeypatch, weights, device, fast, sound):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(engine, "has_fast_bfloat16", lambda: fast)
    assert engine._sound_dtype(getattr(torch, weights), torch.device(device)) == getattr(torch, sound)
