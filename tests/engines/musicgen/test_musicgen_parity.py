"""The decoder and whole generations against the reference library, on random weights in the real format."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from lullwave.audio import Audio  # noqa: E402
from lullwave.engines.musicgen.model.attention import StepInput  # noqa: E402
from lullwave.engines.musicgen.model.config import ModelConfig  # noqa: E402
from lullwave.engines.musicgen.model.decoder import Decoder  # noqa: E402
from lullwave.engines.musicgen.model.kv_cache import KVCache  # noqa: E402
from lullwave.engines.musicgen.model.weights import Weights  # noqa: E402
from lullwave.engines.musicgen.prompt_schedule import PromptSchedule, Window  # noqa: E402
from lullwave.request import Request  # noqa: E402

CPU = torch.device("cpu")
KINDS = ["musicgen-tiny", "musicgen-tiny-stereo", "musicgen-tiny-melody"]
STEPS = 200


def reference(directory):
    kind = json.loads((directory / "config.json").read_text())["model_type"]
    name = "MusicgenMelodyForConditionalGeneration" if "melody" in kind else "MusicgenForConditionalGeneration"
    return getattr(transformers, name).from_pretrained(directory).eval()


def tokenized(directory, text):
    return transformers.AutoTokenizer.from_pretrained(directory)([text], return_tensors="pt")


@pytest.mark.parametrize("kind", KINDS[:2])
@torch.inference_mode()
def test_logits_equal_the_reference(checkpoints_dir, kind):
    directory = checkpoints_dir / kind
    model, config = reference(directory), ModelConfig.read(directory)
    encoded = tokenized(directory, "calm piano, rainy night")
    states = model.text_encoder(**encoded)[0]
    torch.manual_seed(1)
    tokens = torch.randint(0, 2048, (STEPS, config.codebooks))
    tokens[0] = config.pad
    expected = model(
        encoder_outputs=transformers.modeling_outputs.BaseModelOutput(
            last_hidden_state=torch.cat([states, torch.zeros_like(states)])
        ),
        attention_mask=torch.cat([encoded.attention_mask, 0 * encoded.attention_mask]),
        decoder_input_ids=tokens.t()[None].repeat(2, 1, 1).flatten(0, 1),
    ).logits.view(2, config.codebooks, STEPS, -1)
    decoder = Decoder(config, Weights(directory), CPU, torch.float32)
    prompt_kv = decoder.prompt_kv(model.enc_to_dec_proj(states)[0])
    cache = KVCache(config, 2, 256, torch.float32, CPU)
    stepped = torch.stack(
        [decoder.step(cache, [StepInput(0, p, tokens[p], (prompt_kv, None))]) for p in range(STEPS)], 2
    )
    assert (stepped - expected).abs().max() < 1e-4
    decoder.chunk(cache, 1, 0, tokens[: STEPS - 1], (prompt_kv, None))
    last = decoder.step(cache, [StepInput(1, STEPS - 1, tokens[-1], (prompt_kv, None))])
    assert (last - expected[:, :, -1]).abs().max() < 1e-4


@torch.inference_mode()
def test_logits_after_a_melody_equal_the_reference(checkpoints_dir, load):
    directory = checkpoints_dir / "musicgen-tiny-melody"
    model, engine = reference(directory), load(directory, "float32")
    config, decoder = engine.config, engine.decoder
    torch.manual_seed(1)
    tokens = torch.randint(0, 2048, (STEPS, config.codebooks))
    tokens[0] = config.pad
    tune = torch.nn.functional.one_hot(torch.randint(0, 12, (40,)), 12).float()
    expected = model(
        **tokenized(directory, "calm piano, rainy night"), input_features=tune[None], decoder_input_ids=tokens.t()
    ).logits.view(config.codebooks, -1, config.vocabulary)[:, -STEPS:]
    conditioner = engine.scheduler._prefill._conditioner
    prefix = conditioner.prefix(PromptSchedule("calm piano, rainy night"), Window(0, 0), False, tune)
    before, cache = prefix.shape[1], KVCache(config, 1, prefix.shape[1] + STEPS, torch.float32, CPU)
    decoder.chunk(cache, 0, 0, prefix, (None,))
    made = [decoder.step(cache, [StepInput(0, before + p, tokens[p], (None,))])[0] for p in range(STEPS)]
    assert (torch.stack(made, 1) - expected).abs().max() < 1e-4


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_greedy_generation_equals_the_reference(checkpoints_dir, load, kind):
    """Over 200 steps with guidance, delays, padding and the codec: one other token would be heard."""
    directory = checkpoints_dir / kind
    expected = reference(directory).generate(
        **tokenized(directory, "jazz drums and bass"), do_sample=False, guidance_scale=3.0, max_new_tokens=STEPS + 3
    )[0]
    engine = load(directory, "float32")
    options = {"temperature": 0.0}
    with engine.stream(Request("jazz drums and bass", duration_s=STEPS / 50, options=options)) as stream:
        made = stream.read(10**9)
    assert made.samples.shape == tuple(expected.shape[::-1])
    assert np.abs(made.samples - expected.numpy().T).max() < 1e-4 * expected.abs().max()


@torch.inference_mode()
def test_melody_conditioning_equals_the_reference(checkpoints_dir, load):
    directory = checkpoints_dir / "musicgen-tiny-melody"
    t = np.arange(2 * 32000) / 32000
    notes = np.where(t < 1, np.sin(2 * np.pi * 440.0 * t), np.sin(2 * np.pi * 261.63 * t))
    tune = Audio.of(0.5 * notes, 32000)
    engine = load(directory, "float32")
    chroma = engine._audio_encoder.chroma(tune)
    assert chroma[3].argmax() == 9  # a
    assert chroma[-4].argmax() == 0  # c
    expected = reference(directory).generate(
        **tokenized(directory, "calm piano"),
        input_features=chroma[None],
        do_sample=False,
        guidance_scale=3.0,
        max_new_tokens=63,
    )[0]
    with engine.stream(Request("calm piano", duration_s=1.2, options={"temperature": 0.0}), melody=tune) as stream:
        made = stream.read(10**9)
    assert np.abs(made.samples - expected.numpy().T).max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize("kind", KINDS[:2])
@torch.inference_mode()
def test_continuation_equals_the_reference(checkpoints_dir, load, kind):
    directory = checkpoints_dir / kind
    engine, model = load(directory, "float32"), reference(directory)
    noise = np.random.default_rng(0).normal(0, 0.2, (32000, engine.channels))
    given = Audio.of(noise, 32000)
    tokens = engine._audio_encoder.tokens(given)
    values = torch.from_numpy(given.samples.T.copy())[None]
    expected = model.generate(
        **tokenized(directory, "warm pads"), input_values=values, do_sample=False, guidance_scale=3.0, max_new_tokens=53
    )[0]
    assert tokens.shape == (engine.config.codebooks, 50)
    request = Request("warm pads", duration_s=1, options={"temperature": 0.0})
    with engine.stream(request, continue_from=given) as stream:
        made = stream.read(10**9)
    assert expected.shape[1] == 2 * 32000
    assert np.abs(made.samples - expected.numpy().T[32000:]).max() < 1e-4 * expected.abs().max()


def test_weights_as_bin_and_in_shards_are_the_same(tiny, tmp_path):
    whole = Weights(tiny)
    names = list(whole.names())
    (tmp_path / "bin").mkdir()
    torch.save({name: whole.get(name) for name in names}, tmp_path / "bin" / "pytorch_model.bin")
    (tmp_path / "shards").mkdir()
    from safetensors.torch import save_file

    where = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(names)}
    for shard in set(where.values()):
        save_file({n: whole.get(n).contiguous() for n in names if where[n] == shard}, tmp_path / "shards" / shard)
    (tmp_path / "shards" / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    for folder in ("bin", "shards"):
        other = Weights(tmp_path / folder)
        assert sorted(other.names()) == sorted(names)
        assert all(torch.equal(other.get(name), whole.get(name)) for name in names)
