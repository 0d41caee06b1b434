"""Layers of both networks by the native package, against diffusers in float32."""

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
kernels = pytest.importorskip("lullwave_native", reason="lullwave-native is not installed: make native")

from rounding import disturb, error  # noqa: E402

from lullwave import load_engine  # noqa: E402
from lullwave.engines.native_package import NativePackage  # noqa: E402
from lullwave.engines.stable_audio.model import native_layers  # noqa: E402
from lullwave.engines.stable_audio.model.autoencoder import Autoencoder  # noqa: E402
from lullwave.engines.stable_audio.model.denoiser import Denoiser  # noqa: E402
from lullwave.engines.stable_audio.model.native_layers import (  # noqa: E402
    NativeDecoderLayer,
    NativeLayers,
    choose_layers,
)
from lullwave.errors import EngineError, InvalidInput  # noqa: E402

CPU = torch.device("cpu")
LEVELS = kernels.layer_levels()
here = pytest.mark.skipif(not LEVELS, reason="no CPU that multiplies bfloat16")
SIZES = {"io_channels": 8, "embed_dim": 192, "num_heads": 3, "cond_token_dim": 16, "global_cond_dim": 16}
SIZES |= {"local_add_cond_dim": 9, "timestep_features_dim": 16, "depth": 3, "num_memory_tokens": 4}


def _denoiser(**sizes):
    from diffusers import StableAudio3DiTModel

    network = StableAudio3DiTModel(**SIZES, **sizes).requires_grad_(False).eval()
    disturb(network)
    return network


@here
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("differential", [True, False])
@pytest.mark.parametrize(("length", "words"), [(1, 11), (12, 31), (30, 32), (97, 70), (600, 1)])
def test_native_layers_of_a_denoiser_predict_what_diffusers_does(level, differential, length, words):
    torch.manual_seed(length)
    theirs = _denoiser(use_differential_attention=differential)
    latents, text, duration = torch.randn(2, 8, length), torch.randn(2, words, 16), torch.randn(2, 16)
    known = torch.cat([torch.ones(2, 1, length), torch.randn(2, 8, length)], dim=1)
    ours = Denoiser(copy.deepcopy(theirs).bfloat16(), native=NativeLayers(kernels, level))
    assert ours.native
    plain = copy.deepcopy(theirs).bfloat16()
    context = torch.cat([duration[:, None], text], dim=1)
    for given in (None, known):
        exact = theirs(latents, torch.full((2,), 0.4), context, duration, local_add_cond=given).sample
        rounded = None if given is None else given.bfloat16()
        with torch.inference_mode():
            inputs = [one.bfloat16() for one in (text, duration)]
            told = ours.condition(*inputs, torch.tensor([0.9, 0.4]), rounded)
            made = ours.velocity(latents.bfloat16(), 1, told)
            stock = plain(
                latents.bfloat16(), torch.full((2,), 0.4), context.bfloat16(), inputs[1], local_add_cond=rounded
            )
        assert error(made, exact) < 1.5 * error(stock.sample, exact)  # of the reference itself in bfloat16
        assert error(made, exact) < 0.02


@here
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("differential", [True, False])
@pytest.mark.parametrize(("length", "sines"), [(1, 0), (5, 2), (40, 3)])
def test_native_layers_of_a_decoder_make_the_sound_of_diffusers(level, differential, length, sines):
    from diffusers import AutoencoderSAME

    torch.manual_seed(length)
    sizes = {"patch_size": 64, "encoder_channels": 64, "encoder_c_mults": (3,), "encoder_strides": (16,)}
    sizes |= {"encoder_transformer_depths": (3,), "latent_dim": 8, "dim_heads": 64}
    sizes |= {"use_differential_attention": differential, "decoder_sinusoidal_blocks": (sines,)}
    theirs, again = (AutoencoderSAME(**sizes).requires_grad_(False).eval() for _ in range(2))
    disturb(theirs)
    again.load_state_dict(theirs.state_dict())
    latents = torch.randn(2, 8, length)
    exact = theirs.decode(latents).sample
    stock = theirs.bfloat16().decode(latents.bfloat16()).sample
    ours = Autoencoder(again.bfloat16(), CPU, torch.bfloat16, NativeLayers(kernels, level))
    assert all(isinstance(layer, NativeDecoderLayer) for block in ours._decoder._blocks for layer in block.layers)
    made = ours.decode(latents)
    assert error(made, exact) < error(stock, exact)
    assert error(made, exact) < 0.02
    assert torch.equal(ours.decode(latents[1:])[0], made[1])  # a sound depends on no other in its pass


def _layer(level, threads=2):
    """A layer with random weights, and a function that runs it."""
    torch.manual_seed(0)
    layer = kernels.TransformerLayer(width=128, heads=2, maps=1, inner=192)
    shapes = {"qkv": (384, 128), "out": (128, 128), "text_q": (128, 128), "text_out": (128, 128)}
    for name, shape in (shapes | {"ff_in": (384, 128), "ff_out": (128, 192)}).items():
        weights = (torch.randn(shape) / 12).bfloat16().view(torch.int16)
        layer.set_product(name, weights, torch.randn(shape[0]) if name.startswith("ff") else None)
    for name, size in (("attn", 128), ("ff", 128), ("text", 128), ("q", 64), ("k", 64), ("text_q", 64)):
        layer.set_norm(name, torch.randn(size).tolist(), [], eps=1e-6)
    team = kernels.LayerTeam(threads, level)
    return layer, lambda *given, **more: layer.run(team, *given, **more)


def _inputs(rows, length):
    torch.manual_seed(1)
    angles = torch.rand(length, 16)
    text = [torch.randn(rows, 2, 5, 64), torch.randn(rows, 2, 5, 64), torch.randn(5)]
    return [torch.randn(rows, length, 128), torch.randn(6, rows, 128), angles.cos(), angles.sin(), *text]


@here
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("length", [7, 48, 550])
def test_a_row_has_the_same_bits_alone_in_company_and_on_any_number_of_threads(level, length):
    x, modulation, cos, sin, keys, values, bias = _inputs(3, length)
    made = []
    for threads in (1, 2, 5):
        out = x.clone()
        _layer(level, threads)[1](out, modulation, cos, sin, keys, values, bias)
        made.append(out)
    assert torch.equal(made[0], made[1])
    assert torch.equal(made[0], made[2])
    _, run = _layer(level)
    for row in range(3):
        alone = x[row : row + 1].clone()
        one = slice(row, row + 1)
        run(alone, modulation[:, one].contiguous(), cos, sin, keys[one], values[one], bias)
        assert torch.equal(alone[0], made[0][row])


@here
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("scale", [1.0, 12.0, 300.0])
def test_loud_latents_make_the_sound_of_diffusers(level, scale):
    """The tanh norms of the decoder begin with an alpha of 4, and gates of trained layers reach far to both sides."""
    from diffusers import AutoencoderSAME

    torch.manual_seed(3)
    sizes = {"patch_size": 64, "encoder_channels": 64, "encoder_c_mults": (3,), "encoder_strides": (16,)}
    sizes |= {"encoder_transformer_depths": (2,), "latent_dim": 8, "dim_heads": 64, "decoder_sinusoidal_blocks": (1,)}
    theirs, again = (AutoencoderSAME(**sizes).requires_grad_(False).eval() for _ in range(2))
    disturb(theirs)
    for block in theirs.decoder.blocks:
        for layer in block.transformers:
            layer.ff.proj_in.bias.mul_(scale)  # of the gates, too: to 100 and beyond on both sides
    again.load_state_dict(theirs.state_dict())
    latents = scale * torch.randn(1, 8, 12)
    exact = theirs.decode(latents).sample
    made = Autoencoder(again.bfloat16(), CPU, torch.bfloat16, NativeLayers(kernels, level)).decode(latents)
    assert torch.isfinite(made).all()
    assert error(made, exact) < 1.5 * error(theirs.bfloat16().decode(latents.bfloat16()).sample, exact)


@here
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("length", [1, 15, 16, 17, 40])
def test_what_is_no_number_in_one_call_is_gone_in_the_next(level, length):
    _, run = _layer(level)
    given = _inputs(1, length)
    clean = given[0].clone()
    run(clean, *given[1:])
    broken = _inputs(1, 64)
    broken[0][:, 40:] = float("nan")
    run(*broken)
    assert not torch.isfinite(broken[0]).all()
    again = given[0].clone()
    run(again, *given[1:])
    assert torch.equal(again, clean)


@here
def test_calls_of_several_threads_wait_for_each_other():
    _, run = _layer("")
    given = _inputs(1, 90)
    alone = given[0].clone()
    run(alone, *given[1:])

    def made(_):
        out = given[0].clone()
        run(out, *given[1:])
        return out

    with ThreadPoolExecutor(4) as pool:
        assert all(torch.equal(out, alone) for out in pool.map(made, range(40)))


@here
def test_what_does_not_fit_a_layer_is_refused():
    _, run = _layer("")
    right = _inputs(2, 20)
    run(*right)
    for place, wrong in (
        (0, torch.randn(2, 20, 64)),
        (1, torch.randn(5, 2, 128)),
        (1, torch.randn(6, 1, 128)),
        (2, torch.rand(19, 16)),
        (3, torch.rand(20, 32)),
        (4, torch.randn(2, 2, 6, 64)),
        (5, torch.randn(1, 2, 5, 64)),
        (6, torch.randn(4)),
    ):
        with pytest.raises((ValueError, TypeError)):
            run(*right[:place], wrong, *right[place + 1 :])
    for known in (torch.randn(2, 21, 128), torch.randn(1, 3, 128), torch.randn(2, 3, 64)):
        with pytest.raises(ValueError, match="known"):
            run(*right, known)
    with pytest.raises((ValueError, TypeError)):
        run(right[0].double(), *right[1:])
    layer = kernels.TransformerLayer(width=128, heads=2, maps=1, inner=192)
    with pytest.raises(ValueError, match="lacks"):
        layer.run(kernels.LayerTeam(1), *right)
    for name, shape in (("qkv", (128, 384)), ("ff_out", (128, 128))):
        with pytest.raises(ValueError, match="weights"):
            layer.set_product(name, torch.zeros(shape, dtype=torch.int16))
    with pytest.raises(ValueError, match="it is one of qkv"):
        layer.set_product("qk", torch.zeros(384, 128, dtype=torch.int16))
    with pytest.raises(ValueError, match="gamma"):
        layer.set_norm("q", [1.0] * 128, [])
    for sizes in ({"width": 96}, {"maps": 3}, {"inner": 100}, {"heads": 0}, {"band": 2**31 - 1}):
        with pytest.raises(ValueError, match=next(iter(sizes))):
            kernels.TransformerLayer(**{"width": 128, "heads": 2, "maps": 1, "inner": 192, **sizes})
    with pytest.raises(ValueError, match="mmx"):
        kernels.LayerTeam(1, "mmx")
    for threads in (-5, 0, 257, 1_000_000):
        with pytest.raises(ValueError, match="1 to 256"):
            kernels.LayerTeam(threads)


@pytest.mark.parametrize(
    ("backend", "levels", "dtype", "int8", "native"),
    [
        ("auto", ("amx", "avx512_bf16"), torch.bfloat16, False, True),
        ("auto", ("avx512_bf16",), torch.bfloat16, False, False),
        ("auto", (), torch.bfloat16, False, False),
        ("auto", ("amx",), torch.float32, False, False),
        ("auto", ("amx",), torch.bfloat16, True, False),
        ("torch", ("amx",), torch.bfloat16, False, False),
        ("native", ("avx512_bf16",), torch.bfloat16, False, True),
    ],
)
def test_native_layers_are_chosen_where_they_are_faster(monkeypatch, backend, levels, dtype, int8, native):
    package = NativePackage(kernels, "avx2", "", levels)
    monkeypatch.setattr(native_layers, "find_native", lambda: package)
    assert (choose_layers(backend, CPU, dtype, int8) is not None) == native


def test_native_where_it_cannot_be_says_why(monkeypatch, checkpoint):
    for device, dtype, int8 in (("cpu", torch.float32, False), ("cuda", torch.bfloat16, False)):
        with pytest.raises(InvalidInput, match=f"on {device}"):
            choose_layers("native", torch.device(device), dtype, int8)
    with pytest.raises(InvalidInput, match="int8"):
        choose_layers("native", CPU, torch.bfloat16, int8=True)
    for package, told in (
        (NativePackage(None, "", "lullwave-native is not installed; run make native"), "make native"),
        (NativePackage(kernels, "avx2", "", ()), "for this CPU"),
    ):
        monkeypatch.setattr(native_layers, "find_native", lambda package=package: package)
        with pytest.raises(EngineError, match=told):
            choose_layers("native", CPU, torch.bfloat16)


@here
def test_layers_of_other_sizes_are_torchs_unless_native_ones_are_demanded(checkpoint):
    given = {"checkpoint": str(checkpoint), "device": "cpu", "dtype": "bfloat16", "offline": True}
    with load_engine("stable-audio", **given) as engine:
        assert engine.stream("rain").read(1000).samples.any()
    with pytest.raises(EngineError, match="sizes"):
        load_engine("stable-audio", **given, backend="native")
