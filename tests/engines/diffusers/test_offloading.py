"""Where the weights of a pipeline go: sizes by the files, what fits, and the calls that would offload on a GPU."""

import json
from types import SimpleNamespace
from unittest.mock import create_autospec

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from tiny_pipelines import PIPELINES  # noqa: E402

from lullwave.engines.diffusers import modular, placement, standard  # noqa: E402
from lullwave.engines.diffusers.index import Weights, read_index  # noqa: E402
from lullwave.engines.diffusers.modular import ModularPipeline  # noqa: E402
from lullwave.engines.diffusers.pipeline import Clip, ClipPipeline  # noqa: E402
from lullwave.engines.diffusers.placement import Placement, place  # noqa: E402
from lullwave.errors import EngineError  # noqa: E402

GPU, CPU = torch.device("cuda:0"), torch.device("cpu")
MINIMAX = "MiniMaxMusic3ModularPipeline"
# MiniMax Music 3 as published, in millions of numbers: the language model and its helper in bfloat16
PUBLISHED = {
    "language_model": Weights(17_168_000_000, 8_584_000_000, True),
    "rvq_depth_decoder": Weights(1_292_000_000, 646_000_000, True),
    "transformer": Weights(9_720_000_000, 2_430_000_000, False),
    "vocoder": Weights(217_000_000, 54_000_000, False),
}


class Recorder:
    """Notes the names of methods and their arguments."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda *args, **named: self.calls.append((name, *args, named))


def test_a_pipeline_that_samples_tokens_is_placed_by_what_runs_together(monkeypatch):
    def placed(free, device=GPU, offload="auto", host=64e9):
        monkeypatch.setattr(placement, "free_bytes", lambda asked: free if asked == device else host)
        return place(PUBLISHED, device, "auto", offload, ModularPipeline.needs)

    assert placed(80e9) == Placement(torch.bfloat16, "none", False)
    assert placed(24e9).offload == "model"  # the language model and the depth decoder need 23.1 GB
    assert placed(23e9).offload == "sequential"
    assert placed(24e9, offload="sequential").offload == "sequential"
    assert placed(8e9).offload == "sequential"  # the transformer needs 6.1 GB
    for free, host in ((5e9, 64e9), (24e9, 16e9)):
        with pytest.raises(EngineError, match=r"need 29\.3 GB .*28\.4 GB on disk, bfloat16.* GB are free"):
            placed(free, host=host)
    with pytest.raises(EngineError, match=r"offloaded 6\.1 GB"):
        placed(5e9)
    assert placed(100e9, CPU).dtype == torch.float32
    assert placed(40e9, CPU).dtype == torch.bfloat16


def test_sizes_are_those_of_the_networks_that_the_index_names(checkpoint, load, tmp_path):
    index = read_index(checkpoint(MINIMAX))
    assert index.modular
    networks = load(MINIMAX).pipeline.loaded.pipeline.components
    for name, stored in index.weights.items():
        assert stored.numbers == sum(one.numel() for one in networks[name].state_dict().values())
        assert stored.disk_bytes >= 4 * stored.numbers
        assert not stored.bfloat16
    assert set(index.weights) == set(PUBLISHED) | {"condition_encoder"}
    assert set(read_index(checkpoint("MusicLDMPipeline")).weights) == {"unet", "vae", "text_encoder", "vocoder"}

    from safetensors.torch import save_file

    for folder in ("unet", "another_program"):  # as some repositories have beside the pipeline
        (tmp_path / folder).mkdir()
        tensors = {"a": torch.zeros(3, 5, dtype=torch.bfloat16), "b": torch.zeros(2)}
        save_file(tensors, tmp_path / folder / "x.safetensors")
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "pytorch_model.bin").write_bytes(bytes(400))
    (tmp_path / "vae" / "config.json").write_text('{"torch_dtype": "float16"}')
    parts = {name: ["diffusers", "X"] for name in ("unet", "vae", "scheduler")}
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "X", **parts}))
    found = read_index(tmp_path).weights
    assert set(found) == {"unet", "vae"}
    assert (found["unet"].numbers, found["unet"].bfloat16) == (17, True)
    assert found["vae"] == Weights(400, 200, False)


@pytest.mark.parametrize("name", [name for name in PIPELINES if "Modular" not in name])
def test_a_standard_pipeline_is_offloaded_by_calls_that_it_has(name):
    """The doubles have the signatures of the real pipelines."""
    second = torch.device("cuda:1")
    for offload in ("model", "sequential"):
        pipeline = create_autospec(getattr(diffusers, name), instance=True)
        pipeline.vae = Recorder()
        standard.put(pipeline, Placement(torch.float16, offload, True), second)
        by_number = (name, offload) == ("MusicLDMPipeline", "model")
        wanted = {"gpu_id": 1} if by_number else {"device": second}
        getattr(pipeline, f"enable_{offload}_cpu_offload").assert_called_once_with(**wanted)
        assert [call for call, *_ in pipeline.vae.calls] == ["enable_tiling", "enable_slicing"]
    moved = Recorder()
    standard.put(moved, Placement(torch.float16, "none", False), second)
    assert moved.calls == [("to", second, {})]


def test_a_language_model_whose_layers_are_moved_makes_the_same_song(load, checkpoint):
    """The layers really move, but from the CPU to the CPU."""
    pytest.importorskip("accelerate")
    plain = load(MINIMAX).pipeline
    layered = ClipPipeline(checkpoint(MINIMAX), CPU, "float32", "none")
    modular.put(layered.loaded.pipeline, Recorder(), Placement(torch.float32, "sequential", True), CPU)
    clip = Clip("calm piano", "", 3, 2.0, 2)
    song, same = (one.make(clip, lambda done, total: None, lambda: False).samples for one in (plain, layered))
    assert np.array_equal(song, same)


def test_a_modular_pipeline_is_offloaded_by_its_manager_and_the_language_model_by_layers(monkeypatch):
    layered = []

    def note(module, **named):
        layered.append((module, named))

    monkeypatch.setattr("diffusers.hooks.apply_group_offloading", note)
    pipeline, manager = SimpleNamespace(language_model="the model"), Recorder()
    modular.put(pipeline, manager, Placement(torch.bfloat16, "model", True), GPU)
    assert manager.calls == [("enable_auto_cpu_offload", {"device": GPU})]
    assert layered == []
    modular.put(pipeline, manager, Placement(torch.bfloat16, "sequential", True), GPU)
    assert layered == [("the model", {"onload_device": GPU, "offload_type": "leaf_level", "use_stream": True})]
    moved = Recorder()
    modular.put(moved, None, Placement(torch.bfloat16, "none", False), GPU)
    assert moved.calls == [("to", GPU, {})]
