"""The Triton kernels against their definitions in torch: on a GPU compiled, elsewhere by Triton's interpreter."""

import dataclasses
import os

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
COMPILED = os.environ.get("TRITON_INTERPRET") != "1"  # see tests/conftest.py
pytest.importorskip("triton", reason="triton is not installed: it has wheels for Linux")

import torch.nn.functional as F  # noqa: E402
from test_musicgen_grouped_int8 import heavy_tailed  # noqa: E402

from lullwave.engines.linear import FloatLinear  # noqa: E402
from lullwave.engines.musicgen.model import fused_step  # noqa: E402
from lullwave.engines.musicgen.model.attention import StepInput, attend  # noqa: E402
from lullwave.engines.musicgen.model.config import ModelConfig  # noqa: E402
from lullwave.engines.musicgen.model.decoder import Decoder, Norm  # noqa: E402
from lullwave.engines.musicgen.model.fused_kernels import BLOCK_T, FusedKernels, Product  # noqa: E402
from lullwave.engines.musicgen.model.grouped_int8 import WeightOnlyLinear  # noqa: E402
from lullwave.engines.musicgen.model.kv_cache import ROWS, KVCache  # noqa: E402
from lullwave.engines.musicgen.sampling import Sampling, uniforms  # noqa: E402
from lullwave.engines.musicgen.stepper import GraphStepper, StepJob  # noqa: E402

DEVICE = torch.device("cuda" if COMPILED else "cpu")
TOLERANCE = {torch.float32: 2e-5, torch.float16: 4e-3}  # of the largest value


def config_of(hidden, heads, ffn=64):
    return ModelConfig(hidden, 1, heads, ffn, 4, 1, 256, 8, 32000, 640)


def noise(*size, dtype=torch.float32, seed=1):
    made = torch.randn(size, generator=torch.Generator().manual_seed(seed))
    return made.to(DEVICE, dtype)


def close(made, expected, dtype, times=1.0):
    return (made.float() - expected.float()).abs().max() <= times * TOLERANCE[dtype] * expected.abs().max()


@pytest.mark.parametrize(
    ("quantized", "dtype"),
    [(False, torch.float32), (False, torch.float16), (True, torch.float16)],
    ids=["float32", "float16", "8 bits"],
)
@pytest.mark.parametrize("inputs", [64, 1024, 1536, 2048], ids=["tiny", "small", "medium", "large"])
def test_products_equal_the_definition(inputs, quantized, dtype):
    """With norm and GELU, of the inputs of all published sizes; long ones are split among programs."""
    weight, _ = heavy_tailed(16, inputs)
    linear = WeightOnlyLinear(weight, dtype, DEVICE) if quantized else FloatLinear(weight, dtype, DEVICE)
    assert (Product.of(linear).splits > 1) == (inputs >= 1024)
    assert (Product.of(linear).loud_count > 0) == quantized
    kernels = FusedKernels(config_of(64, 4, ffn=16), dtype, DEVICE)
    x, norm = 3 * noise(5, inputs) + 1, Norm(noise(inputs, dtype=dtype, seed=2), noise(inputs, dtype=dtype, seed=3))
    expected = F.gelu(linear(F.layer_norm(x, (inputs,), norm.weight.float(), norm.bias.float()).to(dtype)).float())
    out = torch.full((6, 16), 7.0, dtype=dtype, device=DEVICE)
    kernels.project(linear, x, out, 5, norm, gelu=True)
    assert close(out[:5], expected, dtype)
    assert (out[5] == 7.0).all()


@pytest.mark.parametrize("inputs", [64, 4096])
def test_products_are_added_to_every_second_row(inputs):
    """As those of the prompted rows are; twice: the second launch finds the counters of the first at zero."""
    kernels = FusedKernels(config_of(64, 4, ffn=32), torch.float32, DEVICE)
    linear, x = FloatLinear(noise(48, inputs), torch.float32, DEVICE), noise(6, inputs)
    assert Product.of(linear).splits == (1 if inputs == 64 else 8)
    stream = noise(6, 48, seed=2)
    expected = stream.clone()
    for _ in range(2):
        expected[::2] += linear(x[::2])
        kernels.project(linear, x, stream, 3, add=True, x_every=2, out_every=2)
        assert close(stream, expected, torch.float32)


@pytest.mark.parametrize(
    ("heads", "size", "cached"), [(2, 16, torch.float32), (1, 64, torch.float16), (1, 64, torch.int8)]
)
@torch.inference_mode()
def test_attention_to_the_past_equals_the_definition(heads, size, cached):
    """Two slots: one at its first position, or few, or many, which are split among programs."""
    config = config_of(heads * size, heads)
    kernels = FusedKernels(config, torch.float32, DEVICE)
    caches = [KVCache(config, 2, 256, cached, DEVICE) for _ in range(2)]
    for slot in range(2):
        past = (noise(ROWS, heads, 256, size, seed=8 + slot), noise(ROWS, heads, 256, size, seed=18 + slot))
        for cache in caches:
            cache.layer(0).put((slot,), *past)
    for first, second in ((0, 200), (70, 1)):
        qkv = noise(4, 3, heads, size, seed=first)
        expected = torch.empty(4, heads, size, device=DEVICE)
        for row in range(4):
            slot, position = row // ROWS, (first, second)[row // ROWS]
            layer, here = caches[0].layer(0), (slot, row % ROWS, slice(None))
            layer.put((*here, position), qkv[row, 1], qkv[row, 2])
            keys, values = layer.get((*here, slice(position + 1)), torch.float32)
            expected[row] = attend(qkv[row, 0][:, None], keys, values)[:, 0]
        out = torch.empty(4, heads * size, device=DEVICE)
        kernels.attend_to_past(qkv.view(4, -1), caches[1].layer(0), torch.tensor([first, second], device=DEVICE), out)
        assert close(out.view(expected.shape), expected, torch.float32)
        assert (caches[0].keys.float() - caches[1].keys.float()).abs().max() <= (cached == torch.int8)  # halves


@torch.inference_mode()
def test_a_slot_without_a_song_reads_no_past():
    """It writes to the last position; what is before that is another song's, or old."""
    config = config_of(32, 2)
    kernels, cache = FusedKernels(config, torch.float32, DEVICE), KVCache(config, 1, 256, torch.float32, DEVICE)
    cache.keys[:], cache.values[:] = torch.nan, torch.nan
    qkv, out = noise(2, 3, 2, 16), torch.empty(2, 32, device=DEVICE)
    kernels.attend_to_past(qkv.view(2, -1), cache.layer(0), torch.tensor([255], device=DEVICE), out)
    assert close(out.view(2, 2, 16), qkv[:, 2], torch.float32)


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize(("heads", "size"), [(2, 16), (1, 64)])
def test_attention_to_prompts_equals_the_definition(heads, size, every):
    """Prompts of other lengths, with weights, in the first row of two slots or in both; one row has none."""
    kernels = FusedKernels(config_of(heads * size, heads), torch.float32, DEVICE)
    keys, values = (noise(2, ROWS, heads, 3 * BLOCK_T, size, seed=seed) for seed in (1, 2))
    bias = noise(2, ROWS, 3 * BLOCK_T, seed=3)
    bias[0, 0, 70:], bias[1, 0, 3:], bias[0, 1, 1:] = -torch.inf, -torch.inf, -torch.inf
    values[0, 1] = 0.0
    rows, count = 4 // every, 2 * BLOCK_T
    query, out = noise(rows, heads * size, seed=4), torch.empty(rows, heads * size, device=DEVICE)
    kernels.attend_to_prompt(query, keys, values, bias, count, every, rows, out)
    chosen = [part[:, ::every, ..., :count, :].flatten(0, 1) for part in (keys, values)]
    weights = bias[:, ::every, :count].flatten(0, 1)[:, None, None]
    assert close(out.view(rows, heads, size), attend(query.view(rows, heads, 1, size), *chosen, weights)[:, :, 0],
                 torch.float32)  # fmt: skip


class Drawn:
    """Stands for a checkpoint: random weights of any name, loud enough for every part to matter."""

    def get(self, name, shape):
        made = torch.randn(shape, generator=torch.Generator().manual_seed(sum(name.encode())))
        return made * 0.1 + 1.0 if name.endswith("norm.weight") else made / shape[-1] ** 0.5

    def close(self):
        """As of a checkpoint."""


def decoder_of(dtype=torch.float32, **sizes):
    config = dataclasses.replace(config_of(32, 1), vocabulary=32, codebooks=2, **sizes)
    return Decoder(config, Drawn(), DEVICE, dtype, lambda _, weight: WeightOnlyLinear(weight, torch.float32, DEVICE))


@pytest.mark.parametrize(
    ("dtype", "sizes"),
    [(torch.float32, {}), (torch.int8, {}), (torch.float32, {"chroma_bins": 12})],
    ids=["floats", "8 bits", "melody"],
)
@torch.inference_mode()
def test_a_whole_step_agrees_with_the_decoder(dtype, sizes):
    decoder = decoder_of(dtype, **sizes)
    fused = fused_step.FusedStep(decoder, KVCache(decoder.config, 1, 8, decoder.cache_dtype, DEVICE))
    assert fused.error() < 1e-4


@pytest.mark.parametrize("cached", [torch.float32, torch.int8])
@torch.inference_mode()
def test_songs_have_the_same_tokens_as_with_the_kernels_of_torch(cached):
    """A shadow, a slot at rest, songs without guidance, prompts that come and go."""
    decoder = decoder_of()
    config = decoder.config
    prompts = [decoder.prompt_kv(noise(count, config.hidden, seed=count)) for count in (7, 70)]
    made = []
    for fuses in (False, True):
        cache = KVCache(config, 2, 64, cached, DEVICE)
        for part in (cache.keys, cache.values, cache.key_scales, cache.value_scales):
            if part is not None:
                part.zero_()
        stepper = GraphStepper(decoder, cache, fused=fused_step.FusedStep(decoder, cache) if fuses else None)
        tokens, drawn = torch.full((2, config.codebooks), config.pad), []
        guided = Sampling(3.0, 0.0, 20, 1.0), (prompts[0], None), (prompts[1], prompts[0])
        for step, (other, look) in enumerate([("shadow", guided[1]), ("none", guided[2]), ("song", guided[2])]):
            upcoming = (StepInput(1, step, tokens[0].clone(), look, False),) if other == "shadow" else ()
            jobs = [StepJob(StepInput(0, step, tokens[0].clone(), look), upcoming, guided[0], uniforms(0, step, 2))]
            if other == "song":
                alone = StepInput(1, 1, tokens[1].clone(), (None,))
                jobs.append(StepJob(alone, (), Sampling(1.0, 1.0, 20, 1.0), uniforms(1, step, 2)))
            tokens[: len(jobs)] = stepper.run(jobs)
            drawn.append(tokens.clone())
        made.append(torch.stack(drawn))
    assert torch.equal(made[0], made[1])


def test_kernels_that_are_wrong_or_cannot_run_leave_the_steps_to_torch(monkeypatch, caplog):
    decoder = decoder_of()
    cache = KVCache(decoder.config, 1, 8, decoder.cache_dtype, DEVICE)
    for error, told in ((0.06, "off by 0.06"), (float("nan"), "off by nan")):
        monkeypatch.setattr(fused_step.FusedStep, "error", lambda _, error=error: error)
        assert fused_step.checked(decoder, cache) is None
        assert told in caplog.text
    monkeypatch.setattr(fused_step.FusedStep, "error", lambda _: 0.01)
    assert fused_step.checked(decoder, cache) is not None

    def broken(_):
        raise RuntimeError("no code for this GPU")

    monkeypatch.setattr(fused_step.FusedStep, "error", broken)
    assert fused_step.checked(decoder, cache) is None
    assert "no code for this GPU" in caplog.text
    monkeypatch.setattr(fused_step, "available", lambda: False)
    assert fused_step.checked(decoder, cache) is None


@pytest.mark.parametrize(
    ("size", "taken"),
    [((1024, 16), True), ((1536, 24), True), ((2048, 32), True), ((72, 6), False), ((96, 2), False)],
)
def test_sizes_that_the_kernels_take(size, taken):
    assert fused_step.fits(config_of(*size)) is taken
