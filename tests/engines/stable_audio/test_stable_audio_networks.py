"""The autoencoder in chunks against the whole, text states, noise, and checkpoints that cannot be loaded."""

import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from lullwave.engines.linear import int8_available  # noqa: E402
from lullwave.engines.networks import check_networks_fit, load_in_parts, load_network, parameters  # noqa: E402
from lullwave.engines.stable_audio.engine import StableAudioEngine  # noqa: E402
from lullwave.engines.stable_audio.model.autoencoder import CHUNK  # noqa: E402
from lullwave.engines.stable_audio.model.checkpoint import load, memory_of  # noqa: E402
from lullwave.engines.stable_audio.model.random_checkpoint import make_random  # noqa: E402
from lullwave.engines.stable_audio.noise import latent_noise  # noqa: E402
from lullwave.errors import CheckpointError, EngineError, InvalidInput  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def theirs(checkpoint):
    return diffusers.AutoencoderSAME.from_pretrained(checkpoint / "vae").requires_grad_(False)


@pytest.mark.parametrize("length", [1, 5, CHUNK, 2 * CHUNK + 17])
def test_decoding_in_chunks_equals_the_whole(networks, theirs, length):
    latents = torch.randn(2, 8, length, generator=torch.Generator().manual_seed(length))
    whole = theirs.decode(latents).sample
    made = networks.autoencoder.decode_whole(latents)
    assert made.shape == whole.shape
    assert float((made - whole).abs().max()) < 1e-5 * float(whole.abs().max())


def test_encoding_in_chunks_equals_the_whole(networks, theirs):
    sound = torch.randn(1, 2, 150 * 1024 - 333, generator=torch.Generator().manual_seed(1))
    whole = theirs.encode(sound).latents
    assert float((networks.autoencoder.encode(sound) - whole).abs().max()) < 1e-5 * float(whole.abs().max())


def test_the_context_of_a_chunk_is_as_long_as_it_must_be_and_no_longer(networks):
    auto = networks.autoencoder
    latents = torch.randn(1, 8, 40, generator=torch.Generator().manual_seed(1))
    changed = latents.clone()
    changed[..., 20] += 1.0
    differs = (auto.decode(latents) - auto.decode(changed)).abs().amax((0, 1)).view(40, auto.hop).amax(1) > 0
    reached = [n for n in range(40) if differs[n]]
    assert reached == list(range(20 - auto.context, 20 + auto.context))  # the last one sees only what it drops


def test_prompts_blend_and_weights_move_words_from_the_padding(networks):
    text = networks.text
    piano, drums = text.blend({"piano": 1.0}), text.blend({"drums": 1.0})
    assert torch.allclose(text.blend({"piano": 0.25, "drums": 0.75}), 0.25 * piano + 0.75 * drums, atol=1e-6)
    assert torch.allclose(text.blend({"piano :1 | drums :3": 1.0}), 0.25 * piano + 0.75 * drums, atol=1e-6)
    padding = text.blend({"": 1.0})
    silenced = text.blend({"(piano:0)": 1.0})
    assert torch.allclose(silenced, padding, atol=1e-6)
    stronger = text.blend({"(piano:1.5)": 1.0})
    assert torch.allclose(stronger - padding, 1.5 * (piano - padding), atol=1e-5)


def test_noise_depends_on_seed_step_and_latent_alone():
    whole = latent_noise(7, 2, -3, 40, 8)
    assert torch.equal(latent_noise(7, 2, 5, 10, 8), whole[:, 8:18])
    assert not torch.equal(latent_noise(7, 3, -3, 40, 8), whole)
    assert not torch.equal(latent_noise(8, 2, -3, 40, 8), whole)
    many = latent_noise(1, 0, 0, 2000, 32).numpy()
    assert abs(many.mean()) < 0.02
    assert abs(many.std() - 1) < 0.02
    assert np.abs(np.corrcoef(many[:4])[np.triu_indices(4, 1)]).max() < 0.1


def test_the_full_shape_is_that_of_the_published_model():
    from lullwave.engines.stable_audio.model.random_checkpoint import _TRANSFORMER

    with torch.device("meta"):
        transformer = diffusers.StableAudio3DiTModel(**_TRANSFORMER["small"])
    assert round(sum(p.numel() for p in transformer.parameters()) / 1e6) == 459


@pytest.mark.skipif(not int8_available(), reason="no 8-bit kernels here")
def test_eight_bits_predict_nearly_the_same_velocity(checkpoint, networks):
    quantized = load(checkpoint, CPU, torch.float32, int8=True)
    generator = torch.Generator().manual_seed(1)
    latents, context, duration = (torch.randn(2, *shape, generator=generator) for shape in ((8, 40), (20, 16), (16,)))
    predicted = []
    for loaded in (networks, quantized):
        given = loaded.denoiser.condition(context, duration, torch.tensor([0.4]), torch.ones(2, 9, 40))
        with torch.inference_mode():
            predicted.append(loaded.denoiser.velocity(latents, 0, given))
    error = float((predicted[0] - predicted[1]).norm() / predicted[0].norm())
    assert 0 < error < 0.03
    sounds = [loaded.autoencoder.decode(latents) for loaded in (networks, quantized)]
    error = float((sounds[0] - sounds[1]).norm() / sounds[0].norm())
    assert 0 < error < 0.03


def test_a_checkpoint_that_does_not_fit_is_refused_with_the_sizes_before_it_is_loaded(checkpoint, monkeypatch):
    tiny = sum(file.stat().st_size for file in checkpoint.glob("*/*.safetensors"))
    headers = 100_000  # bytes, at most: the rest of a file is parameters, of 4 bytes each
    monkeypatch.setattr("lullwave.device.free_bytes", lambda device: tiny - headers)
    monkeypatch.setattr("lullwave.engines.stable_audio.engine.load", None)  # never called
    with pytest.raises(EngineError, match=rf"{tiny / 1e9:.1f} GB of weights on disk need at least .* are free"):
        StableAudioEngine(str(checkpoint), device="cpu", dtype="float32")
    needed = sum(
        sum(parameters(file) for file in (checkpoint / part).glob("*.safetensors")) * size
        for part, size in (("transformer", 2), ("vae", 2), ("text_encoder", 2), ("duration_embedder", 4))
    )
    sizes = memory_of(checkpoint, torch.bfloat16)
    monkeypatch.setattr("lullwave.device.free_bytes", lambda device: needed)
    check_networks_fit("tiny", sizes, CPU)
    monkeypatch.setattr("lullwave.device.free_bytes", lambda device: needed - 1)
    with pytest.raises(EngineError, match="tiny does not fit"):
        check_networks_fit("tiny", sizes, CPU)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_network_that_is_loaded_in_parts_is_the_same(checkpoint, monkeypatch, dtype):
    monkeypatch.setattr("lullwave.engines.networks.PART_BYTES", 20_000)
    for kind, part in ((diffusers.StableAudio3DiTModel, "transformer"), (diffusers.AutoencoderSAME, "vae")):
        made, whole = load_in_parts(kind, checkpoint / part, dtype), load_network(kind, checkpoint / part, dtype)
        expected = whole.state_dict()
        assert made.state_dict().keys() == expected.keys()
        for name, tensor in made.state_dict().items():
            assert tensor.dtype == dtype
            assert torch.equal(tensor, expected[name].to(dtype))
        assert not made.training
        assert not any(tensor.is_meta for tensor in (*made.parameters(), *made.buffers()))


@pytest.mark.parametrize("change", ["lacks", "does not have"])
def test_weights_of_another_network_are_refused(checkpoint, tmp_path, change):
    from safetensors.torch import load_file, save_file

    other = shutil.copytree(checkpoint / "transformer", tmp_path / "transformer")
    file = other / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    tensors["proj_sideways.weight"] = tensors["proj_in.weight"].clone()
    if change == "lacks":
        del tensors["proj_sideways.weight"], tensors["proj_in.weight"]
    save_file(tensors, file)
    name = "proj_in.weight" if change == "lacks" else "proj_sideways.weight"
    with pytest.raises(CheckpointError, match=f"{change}.*{name}"):
        load_in_parts(diffusers.StableAudio3DiTModel, other, torch.float32)


def test_checkpoints_of_another_form_are_refused(checkpoint, tmp_path):
    with pytest.raises(CheckpointError, match="no folder 'transformer'"):
        load(tmp_path, CPU, torch.float32)
    with pytest.raises(InvalidInput, match="directory"):
        make_random(checkpoint)
    with pytest.raises(InvalidInput, match="size"):
        make_random(tmp_path / "new", "huge")
    damaged = shutil.copytree(checkpoint, tmp_path / "damaged")
    (damaged / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"no")
    with pytest.raises(CheckpointError, match="damaged cannot be loaded"):
        load(damaged, CPU, torch.float32)
    other = shutil.copytree(checkpoint, tmp_path / "other")
    config = json.loads((other / "transformer" / "config.json").read_text())
    config["local_add_cond_dim"] = 5
    (other / "transformer" / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError):
        load(other, CPU, torch.float32)
