"""The forms in which checkpoints are published: fp16 variants, shards, and single files."""

import json
import shutil

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from ldm_file import ldm_state  # noqa: E402

from lullwave.engines.riffusion.model.weights import load  # noqa: E402
from lullwave.errors import CheckpointError  # noqa: E402

CPU = torch.device("cpu")
NETWORKS = ("unet", "vae", "text_encoder")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No model is installed or cached, and the hub cannot be reached."""
    monkeypatch.setenv("LULLWAVE_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def whole(checkpoint):
    return load(checkpoint, CPU, torch.float32)


@pytest.fixture
def bare(checkpoint, tmp_path):
    """A copy of the tiny checkpoint without the weights of its networks."""
    copy = shutil.copytree(checkpoint, tmp_path / "copy")
    for network in NETWORKS:
        for file in [*(copy / network).glob("*.safetensors"), *(copy / network).glob("*.bin")]:
            file.unlink()
    return copy


def save(whole, folder, **form):
    for network in NETWORKS:
        getattr(whole, network).save_pretrained(folder / network, **form)


def same(found, whole, rounded=False):
    for network in NETWORKS:
        expected = getattr(whole, network).state_dict()
        loaded = getattr(found, network).state_dict()
        assert loaded.keys() == expected.keys()
        for name, tensor in expected.items():
            torch.testing.assert_close(
                loaded[name], tensor.half().float() if rounded else tensor, rtol=0, atol=0, msg=name
            )


def half(whole):
    from copy import deepcopy
    from types import SimpleNamespace

    return SimpleNamespace(**{network: deepcopy(getattr(whole, network)).half() for network in NETWORKS})


def test_shards(whole, bare):
    save(whole, bare, max_shard_size="40KB")
    assert len(list((bare / "unet").glob("*-of-*.safetensors"))) > 2
    same(load(bare, CPU, torch.float32), whole)


def test_a_repository_of_fp16_variants_alone_whole_and_in_shards(whole, bare):
    save(half(whole), bare, variant="fp16")
    same(load(bare, CPU, torch.float32), whole, rounded=True)
    for network in NETWORKS:
        for file in (bare / network).glob("*.safetensors"):
            file.unlink()
    save(half(whole), bare, variant="fp16", max_shard_size="40KB")
    assert list((bare / "unet").glob("*fp16*-of-*"))
    same(load(bare, CPU, torch.float32), whole, rounded=True)


def test_full_weights_go_before_variants_whatever_their_format(whole, bare):
    save(half(whole), bare, variant="fp16")
    for network in ("unet", "vae"):
        getattr(whole, network).save_pretrained(bare / network, safe_serialization=False)
        (bare / network / "diffusion_pytorch_model.non_ema.bin").write_bytes(b"not read")
    torch.save(whole.text_encoder.state_dict(), bare / "text_encoder" / "pytorch_model.bin")
    same(load(bare, CPU, torch.float32), whole)


def test_a_missing_shard_is_told(whole, bare):
    save(whole, bare, max_shard_size="40KB")
    next((bare / "unet").glob("*-of-*.safetensors")).unlink()
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        load(bare, CPU, torch.float32)


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
def test_a_single_file_beside_its_configurations(whole, bare, suffix):
    from safetensors.torch import save_file

    state = ldm_state(whole.unet, whole.vae, whole.text_encoder)
    file = bare / f"riffusion-model-v1{suffix}"
    if suffix == ".ckpt":
        torch.save({"state_dict": state, "global_step": 1}, file)
    else:
        save_file(state, file)
    found = load(file, CPU, torch.float32, offline=True)
    same(found, whole)
    assert (found.directory, found.files) == (bare, (file,))
    assert found.tokenizer("a b").input_ids == whole.tokenizer("a b").input_ids
    assert found.scheduler.config.steps_offset == 1


def test_a_single_file_finds_the_configurations_of_an_installed_model(whole, bare, tmp_path):
    from safetensors.torch import save_file

    place = shutil.move(bare, tmp_path / "models" / "riffusion--riffusion-model-v1")
    facts = {"name": "riffusion/riffusion-model-v1", "path": str(place), "bytes": 1, "licence": "", "revision": ""}
    (place / "lullwave-model.json").write_text(json.dumps(facts))
    (tmp_path / "mine").mkdir()
    file = tmp_path / "mine" / "mine.safetensors"
    save_file(ldm_state(whole.unet, whole.vae, whole.text_encoder), file)
    same(load(file, CPU, torch.float32, offline=True), whole)


def test_a_single_file_alone_says_what_it_lacks_and_how_to_convert_it(tmp_path):
    file = tmp_path / "mine.safetensors"
    file.write_bytes(b"junk")
    for offline, told in ((True, "downloads are off"), (False, "cannot be loaded")):
        with pytest.raises(CheckpointError, match=told) as refused:
            load(file, CPU, torch.float32, offline=offline)
        assert "from_single_file" in str(refused.value)
        assert "save_pretrained" in str(refused.value)
    other = tmp_path / "notes.txt"
    other.write_text("no checkpoint")
    with pytest.raises(CheckpointError, match=r"\.safetensors or \.ckpt"):
        load(other, CPU, torch.float32)
