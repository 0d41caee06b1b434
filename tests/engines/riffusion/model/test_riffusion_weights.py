"""Checkpoints: both file formats, foreign architectures, and LoRA files against the reference library."""

import json
import shutil

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from lullwave.engines.networks import parameters  # noqa: E402
from lullwave.engines.riffusion.model import lora  # noqa: E402
from lullwave.engines.riffusion.model.random_checkpoint import make_random  # noqa: E402
from lullwave.engines.riffusion.model.weights import check_memory, load  # noqa: E402
from lullwave.errors import CheckpointError, EngineError, InvalidInput  # noqa: E402

CPU = torch.device("cpu")


def test_bin_files_load_like_safetensors(checkpoint, tmp_path):
    old = make_random(tmp_path / "old", seed=3, safe=False)
    assert not list(old.rglob("*.safetensors"))
    here, there = load(checkpoint, CPU, torch.float32), load(old, CPU, torch.float32)
    for part in ("unet", "vae", "text_encoder"):
        a, b = getattr(here, part).state_dict(), getattr(there, part).state_dict()
        assert a.keys() == b.keys()
        assert all(torch.equal(a[key], b[key]) for key in a)


def test_the_reference_library_loads_what_the_maker_wrote(checkpoint):
    from diffusers import StableDiffusionPipeline

    stock = StableDiffusionPipeline.from_pretrained(checkpoint, local_files_only=True)
    assert type(stock.scheduler).__name__ == "PNDMScheduler"
    assert stock.tokenizer("ab").input_ids[0] == stock.tokenizer.bos_token_id


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: shutil.rmtree(d / "vae"), "no folder 'vae'"),
        (lambda d: (d / "unet" / "diffusion_pytorch_model.safetensors").unlink(), "holds no weights"),
        (lambda d: (d / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"junk"), "cannot be loaded"),
        (lambda d: (d / "scheduler" / "scheduler_config.json").write_text("{}"), "names no scheduler"),
        (lambda d: (d / "unet" / "config.json").write_text("{"), "cannot be loaded"),
    ],
)
def test_a_damaged_checkpoint_says_what_is_wrong(checkpoint, tmp_path, spoil, message):
    copy = shutil.copytree(checkpoint, tmp_path / "copy")
    spoil(copy)
    with pytest.raises(CheckpointError, match=message):
        load(copy, CPU, torch.float32)


def test_a_checkpoint_that_does_not_fit_is_refused_with_the_sizes(checkpoint, tmp_path, monkeypatch):
    def count(part):
        from safetensors.torch import load_file

        return sum(one.numel() for one in load_file(next((checkpoint / part).glob("*.safetensors"))).values())

    needed = 2 * (count("unet") + count("vae")) + 4 * count("text_encoder")
    monkeypatch.setattr("lullwave.device.free_bytes", lambda device: needed)
    check_memory(checkpoint, CPU, torch.bfloat16)
    monkeypatch.setattr("lullwave.device.free_bytes", lambda device: needed - 1)
    monkeypatch.setattr("diffusers.UNet2DConditionModel.from_pretrained", None)  # never called
    with pytest.raises(EngineError, match=r"does not fit: .* GB of weights on disk need at least .* are free"):
        load(checkpoint, CPU, torch.bfloat16)
    whole = tmp_path / "whole.safetensors"
    whole.symlink_to(next((checkpoint / "unet").glob("*.safetensors")))
    monkeypatch.setattr("lullwave.device.free_bytes", lambda device: 2 * parameters(whole) - 1)
    with pytest.raises(EngineError, match=r"whole\.safetensors does not fit"):
        load(whole, CPU, torch.bfloat16)


def test_another_architecture_is_refused(checkpoint, tmp_path):
    from diffusers import UNet2DConditionModel

    copy = shutil.copytree(checkpoint, tmp_path / "copy")
    config = json.loads((copy / "unet" / "config.json").read_text())
    shutil.rmtree(copy / "unet")
    UNet2DConditionModel.from_config({**config, "in_channels": 9}).save_pretrained(copy / "unet")
    with pytest.raises(CheckpointError, match="9 channels in"):
        load(copy, CPU, torch.float32)


LAYERS = {
    "unet": [
        "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
        "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_out.0",
        "mid_block.attentions.0.proj_in",
        "mid_block.resnets.0.conv1",
    ],
    "text": ["encoder.layers.0.self_attn.q_proj", "encoder.layers.1.self_attn.out_proj"],
}


def pairs(weights, spelling):
    """A LoRA file of rank 2 for a few layers, with the change that it should make."""
    torch.manual_seed(7)
    tensors, changes = {}, {}
    for network, root in (("unet", weights.unet), ("text", weights.text_encoder)):
        modules = dict(root.named_modules())
        for name in LAYERS[network]:
            weight = modules[name].weight
            kernel = tuple(weight.shape[2:])
            down, up = torch.randn(2, weight.shape[1], *kernel), torch.randn(weight.shape[0], 2, *[1] * len(kernel))
            if kernel:
                change = torch.einsum("or,rikl->oikl", up[..., 0, 0], down)
            else:
                change = up @ down
            if spelling == "scripts":
                prefix = "lora_unet_" if network == "unet" else "lora_te_text_model_"
                key = prefix + name.replace(".", "_")
                tensors |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
                tensors[f"{key}.alpha"] = torch.tensor(1.0)
                change = change / 2
            else:
                prefix = "unet." if network == "unet" else "text_encoder.text_model."
                tensors |= {f"{prefix}{name}.lora_A.weight": down, f"{prefix}{name}.lora_B.weight": up}
            changes[network, name] = change
    return {key: value.contiguous() for key, value in tensors.items()}, changes


@pytest.mark.parametrize("spelling", ["scripts", "diffusers"])
def test_a_lora_changes_its_layers_by_its_weight(checkpoint, tmp_path, spelling):
    from safetensors.torch import save_file

    plain, changed = load(checkpoint, CPU, torch.float32), load(checkpoint, CPU, torch.float32)
    tensors, changes = pairs(plain, spelling)
    save_file(tensors, tmp_path / "a.safetensors")
    torch.save(tensors, tmp_path / "b.bin")
    lora.merge(changed.unet, changed.text_encoder, lora.parse(f"{tmp_path}/a.safetensors:0.75, {tmp_path}/b.bin:-0.25"))
    for network, before, after in (
        ("unet", plain.unet, changed.unet),
        ("text", plain.text_encoder, changed.text_encoder),
    ):
        names = {name for of, name in changes if of == network}
        new = dict(after.named_parameters())
        for key, value in before.named_parameters():
            name = key.removesuffix(".weight")
            expected = value + 0.5 * changes[network, name] if name in names else value
            torch.testing.assert_close(new[key], expected)


def test_a_lora_gives_what_the_reference_library_gives(checkpoint, tmp_path):
    pytest.importorskip("peft")
    from diffusers import StableDiffusionPipeline
    from safetensors.torch import save_file

    ours = load(checkpoint, CPU, torch.float32)
    tensors, _ = pairs(ours, "scripts")
    save_file(tensors, tmp_path / "a.safetensors")
    stock = StableDiffusionPipeline.from_pretrained(checkpoint, local_files_only=True)
    stock.load_lora_weights(str(tmp_path), weight_name="a.safetensors")
    stock.fuse_lora(lora_scale=0.6)
    lora.merge(ours.unet, ours.text_encoder, [(tmp_path / "a.safetensors", 0.6)])
    torch.manual_seed(1)
    latents, words = torch.randn(1, 4, 16, 16), torch.randn(1, 77, 32)
    with torch.inference_mode():
        expected = stock.unet(latents, 500, encoder_hidden_states=words).sample
        found = ours.unet(latents, 500, encoder_hidden_states=words).sample
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"lora_unet_nowhere.lora_down.weight": torch.zeros(1, 1)}, "does not have"),
        ({"something": torch.zeros(1)}, "is not a LoRA weight"),
        ({"unet.conv_in.lora_A.weight": torch.zeros(1, 4, 3, 3)}, "only half"),
        (
            {"unet.conv_in.lora_A.weight": torch.zeros(1, 3, 3, 3), "unet.conv_in.lora_B.weight": torch.zeros(8, 1)},
            "does not fit",
        ),
        ({}, "holds no LoRA"),
    ],
)
def test_a_lora_that_does_not_fit_says_so(checkpoint, tmp_path, tensors, message):
    torch.save(tensors, tmp_path / "x.bin")
    weights = load(checkpoint, CPU, torch.float32)
    with pytest.raises(CheckpointError, match=message):
        lora.merge(weights.unet, weights.text_encoder, [(tmp_path / "x.bin", 1.0)])


def test_lora_lists_are_parsed():
    assert [(str(f), w) for f, w in lora.parse("a.safetensors:0.8, b.bin")] == [("a.safetensors", 0.8), ("b.bin", 1.0)]
    for wrong in ("a:loud", "a:99"):
        with pytest.raises(InvalidInput):
            lora.parse(wrong)


UNET_LAYER = "down_blocks.1.attentions.0.transformer_blocks.0.attn1"
TEXT_LAYER = "text_model.encoder.layers.0.self_attn"


@pytest.mark.parametrize(
    ("network", "layer", "key"),
    [
        ("unet", f"{UNET_LAYER}.to_k", f"unet.{UNET_LAYER}.processor.to_k_lora"),
        ("unet", f"{UNET_LAYER}.to_k", f"{UNET_LAYER}.processor.to_k_lora"),
        ("unet", f"{UNET_LAYER}.to_k", f"unet.{UNET_LAYER}.to_k_lora"),
        ("unet", f"{UNET_LAYER}.to_out.0", f"unet.{UNET_LAYER}.processor.to_out_lora"),
        ("unet", f"{UNET_LAYER}.to_v", f"unet.{UNET_LAYER}.to_v.lora_linear_layer"),
        ("text_encoder", f"{TEXT_LAYER}.q_proj", f"text_encoder.{TEXT_LAYER}.q_proj.lora_linear_layer"),
        ("text_encoder", f"{TEXT_LAYER}.q_proj", f"text_encoder.{TEXT_LAYER}.to_q_lora"),
        ("text_encoder", f"{TEXT_LAYER}.out_proj", f"text_encoder.{TEXT_LAYER}.to_out_lora"),
    ],
)
def test_keys_of_diffusers_up_to_0_21_are_read(checkpoint, tmp_path, network, layer, key):
    from safetensors.torch import save_file

    plain, changed = load(checkpoint, CPU, torch.float32), load(checkpoint, CPU, torch.float32)
    if layer not in dict(getattr(plain, network).named_modules()):  # the name in newer versions of transformers
        layer = layer.removeprefix("text_model.")
    weight = dict(getattr(plain, network).named_modules())[layer].weight
    down, up = torch.randn(2, weight.shape[1]), torch.randn(weight.shape[0], 2)
    save_file({f"{key}.down.weight": down, f"{key}.up.weight": up}, tmp_path / "a.safetensors")
    lora.merge(changed.unet, changed.text_encoder, [(tmp_path / "a.safetensors", 1.0)])
    found = dict(getattr(changed, network).named_modules())[layer].weight
    torch.testing.assert_close(found, weight + up @ down)
