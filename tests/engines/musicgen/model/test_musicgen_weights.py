"""The files of a checkpoint: which are read, and what those of other programs are called."""

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from safetensors.torch import save_file  # noqa: E402

from lullwave.engines import load_engine  # noqa: E402
from lullwave.engines.musicgen.model.weights import Weights, check_format  # noqa: E402
from lullwave.errors import CheckpointError  # noqa: E402

ONE = {"a": torch.arange(4.0)}


@pytest.mark.parametrize(
    "files",
    [
        {"model.fp16.safetensors": ONE},
        {"pytorch_model.fp16.bin": ONE},
        {"model.safetensors": ONE, "model.fp16.safetensors": {"a": torch.zeros(4)}},
        {"model.fp16-00001-of-00001.safetensors": ONE, "model.safetensors.index.fp16.json": {"a": 0}},
    ],
)
def test_variants_and_shards_are_read_and_full_weights_first(tmp_path, files):
    shards = [name for name in files if "-of-" in name]
    for name, tensors in files.items():
        if name.endswith(".json"):
            (tmp_path / name).write_text(json.dumps({"weight_map": dict.fromkeys(tensors, shards[0])}))
        elif name.endswith(".bin"):
            torch.save(tensors, tmp_path / name)
        else:
            save_file(tensors, tmp_path / name)
    check_format(tmp_path)
    weights = Weights(tmp_path)
    kept = weights.get("a")
    weights.close()  # opened again when it is needed
    torch.testing.assert_close(weights.get("a"), ONE["a"])
    torch.testing.assert_close(kept, ONE["a"])


@pytest.mark.parametrize("name", ["state_dict.bin", "compression_state_dict.bin", "checkpoint.th"])
def test_checkpoints_of_audiocraft_are_named_with_the_way_to_convert_them(tmp_path, name):
    (tmp_path / name).write_bytes(b"a pickle")
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(CheckpointError, match=f"{name} is in the format of audiocraft") as refused:
            load_engine("musicgen", model=str(path), device="cpu")
        assert f"convert_musicgen_transformers --checkpoint {tmp_path} " in str(refused.value)
    (tmp_path / "model.safetensors").write_bytes(b"of transformers")  # the published repositories hold both
    check_format(tmp_path)


def test_another_file_is_no_checkpoint(tmp_path):
    (tmp_path / "song.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="reads directories"):
        load_engine("musicgen", model=str(tmp_path / "song.safetensors"), device="cpu")
