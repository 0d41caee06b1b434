"""Packed bfloat16 products against float32 ones, and text whose padding is attended to as one token."""

import copy

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

import torch.nn.functional as F  # noqa: E402
from rounding import disturb, error  # noqa: E402

from lullwave.engines.stable_audio.model.checkpoint import load  # noqa: E402
from lullwave.engines.stable_audio.model.packed_layers import _unit  # noqa: E402
from lullwave.engines.stable_audio.model.packing import PackedFeedForward, PackedLinear, available, pack  # noqa: E402

CPU = torch.device("cpu")
packs = pytest.mark.skipif(not available(CPU, torch.bfloat16), reason="no bfloat16 products of oneDNN here")
ROUNDING = 2**-8  # of a bfloat16 value, at most


@packs
@pytest.mark.parametrize("rows", [1, 3, 70])
@pytest.mark.parametrize("bias", [True, False])
def test_a_packed_product_is_that_of_the_weights(rows, bias):
    torch.manual_seed(rows)
    linear = torch.nn.Linear(48, 80, bias=bias).bfloat16()
    x = torch.randn(2, rows, 48).bfloat16()
    exact = F.linear(x.float(), linear.weight.float(), linear.bias.float() if bias else None)
    packed = PackedLinear(linear.weight, linear.bias)
    with torch.inference_mode():
        assert error(packed(x), exact) < ROUNDING
        assert error(packed(x.transpose(0, 1)), exact.transpose(0, 1)) < ROUNDING  # not contiguous
        assert error(packed(x, "swish"), F.silu(exact)) < 2 * ROUNDING
        assert error(packed(x, "tanh"), torch.tanh(exact)) < 2 * ROUNDING
        other = torch.randn_like(exact).bfloat16()
        assert error(packed.plus(x, other), exact + other.float()) < 2 * ROUNDING
        assert error(packed.times(x, other), exact * other.float()) < 2 * ROUNDING


@packs
@pytest.mark.parametrize("sinusoidal", [True, False])
def test_packed_feed_forward_layers_are_those_of_the_network(sinusoidal):
    from diffusers.models.autoencoders.autoencoder_same import TransformerBlock

    torch.manual_seed(1)
    layer = TransformerBlock(32, dim_heads=16, sinusoidal=sinusoidal).requires_grad_(False)
    layer.ff.proj_out.weight.normal_()
    x = torch.randn(1, 20, 32)
    exact = layer.ff(x)
    layer.bfloat16()
    pack([layer])
    assert isinstance(layer.ff, PackedFeedForward) != sinusoidal
    assert isinstance(layer.ff.proj_out, PackedLinear)
    assert isinstance(layer.attn.to_qkv, PackedLinear)
    with torch.inference_mode():
        assert error(layer.ff(x.bfloat16()), exact) < 3 * ROUNDING


@packs
@pytest.mark.parametrize("which", ["checkpoint", "base_checkpoint"])
def test_networks_in_bfloat16_stay_near_those_in_float32(which, request):
    directory = request.getfixturevalue(which)
    generator = torch.Generator().manual_seed(1)
    latents, text, duration = (torch.randn(2, *shape, generator=generator) for shape in ((8, 40), (20, 16), (16,)))
    velocities, sounds = [], []
    for dtype in (torch.float32, torch.bfloat16):
        loaded = load(directory, CPU, dtype)
        with torch.inference_mode():
            known = torch.ones(2, 9, 40, dtype=dtype)
            given = loaded.denoiser.condition(text.to(dtype), duration.to(dtype), torch.tensor([0.4]), known)
            velocities.append(loaded.denoiser.velocity(latents.to(dtype), 0, given))
        sounds.append(loaded.autoencoder.decode(latents, 3, 2))
    assert error(velocities[1], velocities[0].float()) < 0.02
    assert error(sounds[1], sounds[0]) < 0.02


@packs
@pytest.mark.parametrize("differential", [True, False])
@pytest.mark.parametrize("length", [30, 64, 97])  # with memory tokens, multiples of 32 and others
def test_packed_layers_of_a_denoiser_predict_what_diffusers_does(differential, length):
    from diffusers import StableAudio3DiTModel

    from lullwave.engines.stable_audio.model.denoiser import Denoiser

    torch.manual_seed(length)
    sizes = {"io_channels": 8, "embed_dim": 48, "num_heads": 3, "cond_token_dim": 16, "global_cond_dim": 16}
    sizes |= {"local_add_cond_dim": 9, "timestep_features_dim": 16, "depth": 3, "num_memory_tokens": 4}
    theirs = StableAudio3DiTModel(**sizes, use_differential_attention=differential).requires_grad_(False).eval()
    disturb(theirs)
    latents, text, duration = torch.randn(2, 8, length), torch.randn(2, 11, 16), torch.randn(2, 16)
    known = torch.cat([torch.ones(2, 1, length), torch.randn(2, 8, length)], dim=1)
    for given in (None, known):
        context = torch.cat([duration[:, None], text], dim=1)
        exact = theirs(latents, torch.full((2,), 0.4), context, duration, local_add_cond=given).sample
        packed = Denoiser(copy.deepcopy(theirs).bfloat16(), packed=True)
        plain = copy.deepcopy(theirs).bfloat16()
        with torch.inference_mode():
            inputs = [one.bfloat16() for one in (text, duration)]
            told = packed.condition(*inputs, torch.tensor([0.9, 0.4]), None if given is None else given.bfloat16())
            made = packed.velocity(latents.bfloat16(), 1, told)
            rounded = plain(
                latents.bfloat16(),
                torch.full((2,), 0.4),
                context.bfloat16(),
                inputs[1],
                local_add_cond=None if given is None else given.bfloat16(),
            ).sample
        assert error(made, exact) < 1.5 * error(rounded, exact)  # the reference itself in bfloat16
        assert error(made, exact) < 0.05


@packs
@pytest.mark.parametrize("differential", [True, False])
@pytest.mark.parametrize("length", [5, 40])
def test_packed_layers_of_a_decoder_make_the_sound_of_diffusers(differential, length):
    from diffusers import AutoencoderSAME

    from lullwave.engines.stable_audio.model.autoencoder import Autoencoder

    torch.manual_seed(length)
    sizes = {"patch_size": 64, "encoder_channels": 16, "encoder_c_mults": (3,), "encoder_strides": (16,)}
    sizes |= {"encoder_transformer_depths": (3,), "latent_dim": 8, "dim_heads": 16}
    theirs, again = (
        AutoencoderSAME(**sizes, use_differential_attention=differential).requires_grad_(False).eval() for _ in range(2)
    )
    disturb(theirs)
    again.load_state_dict(theirs.state_dict())
    latents = torch.randn(2, 8, length)
    exact = theirs.decode(latents).sample
    rounded = theirs.bfloat16().decode(latents.bfloat16()).sample
    made = Autoencoder(again.bfloat16(), CPU, torch.bfloat16).decode(latents)
    assert error(made, exact) < 1.5 * error(rounded, exact)
    assert error(made, exact) < 0.05


@packs
@pytest.mark.parametrize("size", [1.0, 1e-3, 0.0])
def test_short_vectors_feel_the_epsilon_of_their_norm(size):
    x = (size * torch.randn(2, 5, 64)).bfloat16()
    x[0, 0] = 1.0
    exact = F.rms_norm(x.double(), (64,), eps=1e-6) / 8  # of unit length
    assert error(_unit(x, 1e-6), exact) < ROUNDING


@pytest.mark.parametrize("left", [False, True], ids=["padded right", "padded left"])
def test_padding_counts_as_often_as_it_stands_in_the_text(networks, left):
    generator = torch.Generator().manual_seed(2)
    latents, text, duration = (torch.randn(2, *shape, generator=generator) for shape in ((8, 30), (24, 16), (16,)))
    padding = text[0, 5].clone()
    text[0, 3:] = text[1, 5:] = padding  # two prompts, the longer one of five tokens
    text = text.flip(1) if left else text
    velocities = []
    for nudged in (0.0, 1e-7):  # so that no two tokens are equal, and none is taken for padding
        different = text + nudged * torch.arange(24)[None, :, None]
        with torch.inference_mode():
            given = networks.denoiser.condition(different, duration, torch.tensor([0.4]), None)
            velocities.append(networks.denoiser.velocity(latents, 0, given))
        assert given.text[0][0].shape[2] == (1 + 24 if nudged else 1 + 6)
    assert torch.allclose(*velocities, atol=1e-4)
    assert not torch.equal(*velocities)


@pytest.mark.parametrize(("left", "right"), [(0, 0), (1, 5), (2, 2), (9, 0), (0, 7)])
def test_sound_without_its_context_is_that_of_the_whole(networks, left, right):
    latents = torch.randn(2, 8, 30, generator=torch.Generator().manual_seed(3))
    auto = networks.autoencoder
    whole = auto.decode(latents)[..., left * auto.hop : (30 - right) * auto.hop]
    # what is dropped on a side is context, of which a stream gives as much as the layers reach
    made = auto.decode(latents, left, right)
    assert made.shape == whole.shape
    assert float((made - whole).abs().max()) < 1e-5 * float(whole.abs().max())


TWO_LEVELS = {"encoder_c_mults": (1, 2), "encoder_strides": (4, 4), "encoder_transformer_depths": (2, 3)}


@pytest.mark.parametrize("shape", [{"decoder_sinusoidal_blocks": (2,)}, {**TWO_LEVELS, "sliding_window": 2}])
def test_decoders_of_other_shapes_make_the_sound_of_diffusers(shape):
    from diffusers import AutoencoderSAME

    from lullwave.engines.stable_audio.model.autoencoder import Autoencoder

    torch.manual_seed(5)
    tiny = {"encoder_c_mults": (2,), "encoder_strides": (16,), "encoder_transformer_depths": (2,)}
    sizes = {"patch_size": 64, "encoder_channels": 16, "latent_dim": 8, "dim_heads": 16}
    theirs = AutoencoderSAME(**sizes, **{**tiny, **shape}).requires_grad_(False).eval()
    for parameter in theirs.parameters():
        parameter.add_(
            torch.randn_like(parameter) * (0.5 * parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.3)
        )
    latents = torch.randn(2, 8, 30)
    whole = theirs.decode(latents).sample
    ours = Autoencoder(theirs, CPU, torch.float32)
    edge = ours.context
    made = ours.decode(latents, edge, edge)
    assert float((made - whole[..., edge * ours.hop : (30 - edge) * ours.hop]).abs().max()) < 1e-5 * whole.abs().max()
