"""Steps of many songs: ragged on a CPU, and in fixed buffers as on a GPU."""

import pytest

torch = pytest.importorskip("torch")

from lullwave.engines.linear import int8_available  # noqa: E402
from lullwave.engines.musicgen.model.attention import PromptKV, StepInput  # noqa: E402
from lullwave.engines.musicgen.model.config import ModelConfig  # noqa: E402
from lullwave.engines.musicgen.model.decoder import Decoder  # noqa: E402
from lullwave.engines.musicgen.model.kv_cache import KVCache  # noqa: E402
from lullwave.engines.musicgen.model.weights import Weights  # noqa: E402
from lullwave.engines.musicgen.sampling import Sampling, uniforms  # noqa: E402
from lullwave.engines.musicgen.stepper import GraphStepper, RaggedStepper, StepJob  # noqa: E402

CPU = torch.device("cpu")
needs_int8 = pytest.mark.skipif(not int8_available(), reason="torch has no 8-bit kernels here")


@needs_int8
def test_int8_positions_in_one_go_are_the_same_bits_as_step_by_step(tiny):
    config = ModelConfig.read(tiny)
    decoder = Decoder(config, Weights(tiny), CPU, torch.int8)
    prompt_kv = decoder.prompt_kv(torch.randn(5, config.hidden))
    tokens = torch.randint(0, 2048, (60, 4))
    cache = KVCache(config, 2, 64, torch.float32, CPU)
    with torch.inference_mode():
        stepped = torch.cat([decoder.step(cache, [StepInput(0, p, tokens[p], (prompt_kv, None))]) for p in range(60)])
        at_once = decoder.step(cache, [StepInput(1, p, tokens[p], (prompt_kv, None)) for p in range(60)])
    assert torch.equal(stepped, at_once)


@pytest.mark.parametrize("always_all", [False, True])
def test_fixed_buffers_give_the_same_tokens_as_lanes(tiny, always_all):
    """The way that GPUs go, on the CPU: slots at rest, shadows, songs without guidance, prompts that change."""
    torch.manual_seed(0)
    config = ModelConfig.read(tiny)
    decoder = Decoder(config, Weights(tiny), CPU, torch.float32)
    prompt_kv = decoder.prompt_kv(torch.randn(7, config.hidden))
    weighted = decoder.prompt_kv(torch.randn(70, config.hidden), torch.randn(70))
    lanes_cache, fixed_cache = (KVCache(config, 8, 128, torch.float32, CPU) for _ in range(2))
    fixed_cache.keys.zero_(), fixed_cache.values.zero_()
    looks = {0: (prompt_kv, None), 2: (prompt_kv, weighted), 5: (weighted,)}
    tokens = torch.full((8, 4), config.pad)
    drawn_otherwise = 0
    with torch.inference_mode():
        lanes, fixed = RaggedStepper(decoder, lanes_cache), GraphStepper(decoder, fixed_cache, always_all)
        for step in range(60):
            if step == 30:
                looks[0] = (PromptKV(weighted.keys, weighted.values), None)
            if step > 40:  # a blend under way: the same tokens, other weights
                looks[0] = (PromptKV(weighted.keys, weighted.values, torch.randn(70)), prompt_kv)
            slots = [s for s in looks if (step % 3 or s != 2)]  # slot 2 rests now and then
            at = {0: step, 2: step - step // 3 - 1, 5: step}
            jobs = [
                StepJob(
                    StepInput(s, at[s], tokens[s].clone(), looks[s]),
                    (StepInput(1, step, tokens[0].clone(), looks[0], False),) if s == 0 else (),
                    Sampling(3.0, 1.0 if s else 0.0, 250, 0.95),
                    uniforms(s, step, 4),
                )
                for s in slots
            ]
            made = lanes.run(jobs)
            other = fixed.run(jobs)
            assert torch.equal(made[0], other[0])  # the likeliest tokens
            drawn_otherwise += int((made != other).sum())
            for s, row in zip(slots, made, strict=True):
                tokens[s] = row
    assert drawn_otherwise <= 2  # a draw may fall between two sums that differ by rounding
    keys = lanes_cache.keys[:, 1, :, :, :60]
    assert (fixed_cache.keys[:, 1, :, :, :60] - keys).abs().max() < 1e-4
