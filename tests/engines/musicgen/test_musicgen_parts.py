"""The pieces of MusicGen, each against what is known of it: products, draws, windows, blends, codec."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from lullwave.engines.musicgen import sampling  # noqa: E402
from lullwave.engines.musicgen.attention import Cache, Lane, Memory  # noqa: E402
from lullwave.engines.musicgen.codec import CodecDecoder  # noqa: E402
from lullwave.engines.musicgen.config import Shape  # noqa: E402
from lullwave.engines.musicgen.decoder import Decoder  # noqa: E402
from lullwave.engines.musicgen.linear import Int8Linear, int8_available  # noqa: E402
from lullwave.engines.musicgen.prompt_schedule import Program, Window  # noqa: E402
from lullwave.engines.musicgen.sampling import Sampling, draw, uniforms  # noqa: E402
from lullwave.engines.musicgen.stepper import Job, LaneStepper, StaticStepper  # noqa: E402
from lullwave.engines.musicgen.weights import Weights  # noqa: E402
from lullwave.errors import PromptError  # noqa: E402

CPU = torch.device("cpu")
needs_int8 = pytest.mark.skipif(not int8_available(), reason="torch has no 8-bit kernels here")


@needs_int8
def test_int8_rows_do_not_depend_on_their_company():
    torch.manual_seed(0)
    weight, x = torch.randn(96, 64), torch.randn(9, 64) * torch.logspace(-3, 3, 9)[:, None]
    linear = Int8Linear(weight)
    together = linear(x)
    assert all(torch.equal(linear(x[i : i + 1])[0], together[i]) for i in range(9))
    assert torch.equal(linear(x[2:7]), together[2:7])
    exact = x @ weight.t()
    assert ((together - exact).norm(dim=1) / exact.norm(dim=1)).max() < 0.02


@needs_int8
def test_int8_silence_gives_silence():
    x = torch.randn(3, 64)
    x[1] = 0
    made = Int8Linear(torch.randn(96, 64))(x)
    assert torch.equal(made[1], torch.zeros(96))
    assert made.isfinite().all()


@needs_int8
def test_int8_positions_in_one_go_are_the_same_bits_as_step_by_step(tiny):
    shape = Shape.read(tiny)
    decoder = Decoder(shape, Weights(tiny), CPU, torch.int8)
    memory = decoder.memory(torch.randn(5, shape.hidden))
    tokens = torch.randint(0, 2048, (60, 4))
    cache = Cache(shape, 2, 64, torch.float32, CPU)
    with torch.inference_mode():
        stepped = torch.cat([decoder.step(cache, [Lane(0, p, tokens[p], (memory, None))]) for p in range(60)])
        at_once = decoder.step(cache, [Lane(1, p, tokens[p], (memory, None)) for p in range(60)])
    assert torch.equal(stepped, at_once)


def test_chance_is_splitmix64_and_depends_on_every_part_of_the_key():
    # the first outputs of the published generator for state 0
    assert int(sampling._mixed(torch.tensor(0))) % 2**64 == 0xE220A8397B1DCDAF
    drawn = torch.stack([uniforms(seed, step, 4) for seed in (0, 1, 2**63 - 1) for step in range(500)])
    assert drawn.unique().numel() > 5990
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert abs(drawn.mean() - 0.5) < 0.02
    assert torch.equal(uniforms(7, 130, 4), uniforms(7, 130, 4))


@pytest.mark.parametrize(("temperature", "top_k", "top_p"), [(1.0, 10, 1.0), (0.7, 0, 0.6), (1.5, 40, 0.9), (1, 1, 1)])
def test_draws_have_the_shares_that_the_reference_library_gives(temperature, top_k, top_p):
    torch.manual_seed(0)
    logits = torch.randn(1, 64) * 2
    scores = transformers.TemperatureLogitsWarper(float(temperature))(None, logits)
    if top_k:
        scores = transformers.TopKLogitsWarper(top_k)(None, scores)
    if top_p < 1:
        scores = transformers.TopPLogitsWarper(top_p)(None, scores)
    expected = scores.softmax(-1)[0]
    n = 20000
    chance = ((torch.arange(n) + 0.5) / n)[:, None]
    settings = [torch.full((n,), float(v)) for v in (temperature, top_k, top_p)]
    tokens = draw(logits.expand(n, 1, 64), chance, settings[0], settings[1].long(), settings[2])
    shares = torch.bincount(tokens[:, 0], minlength=64) / n
    assert (shares - expected).abs().max() < 2e-4
    if top_k:
        fewer = draw(logits.expand(n, 1, 64), chance, settings[0], settings[1].long(), settings[2], most=top_k)
        assert torch.equal(fewer, tokens)


def test_temperature_zero_takes_the_likeliest():
    logits = torch.randn(3, 4, 50)
    zeros = torch.zeros(3)
    tokens = draw(logits, torch.rand(3, 4), zeros, zeros.long(), torch.ones(3))
    assert torch.equal(tokens, logits.argmax(-1))


def test_no_temperature_and_no_logits_lead_to_a_token_that_is_none():
    logits = torch.randn(3, 4, 50) * 8
    likeliest = logits.argmax(-1)
    for temperature in (1e-45, 1e-40, 1e-30, 1e-6):
        settings = torch.full((3,), temperature), torch.full((3,), 20), torch.ones(3)
        assert torch.equal(draw(logits, torch.rand(3, 4), *settings), likeliest)
    lost = draw(logits * float("nan"), torch.rand(3, 4), torch.ones(3), torch.full((3,), 20), torch.ones(3))
    assert ((lost >= 0) & (lost < 50)).all()


def test_windows_slide_by_the_published_stride_and_are_filled_before_they_are_used():
    program = Program("x")
    assert program.main(1499) == Window(0, 0)
    assert program.main(1500) == Window(1, 900)
    assert program.main(2399) == Window(1, 900)
    assert program.main(2400) == Window(2, 1800)
    assert program.shadow(899) is None
    assert program.shadow(900) == Window(1, 900)
    assert program.shadow(1500) is None
    for step in range(900, 9000):
        main, shadow = program.main(step), program.shadow(step)
        assert 0 <= step - main.first < 1500
        assert step < 1500 or step - main.first >= 600
        if program.main(step + 1) != main:
            assert shadow == program.main(step + 1)


@pytest.mark.parametrize("window_s", [5.0, 7.3, 10.0, 29.99])
def test_a_shorter_window_slides_as_the_published_one_does_and_two_at_most_are_under_way(window_s):
    program = Program.within("calm", window_s)
    assert Program.within("calm", 30.0) == Program("calm")
    assert program.length == round(50 * window_s)
    assert program.stride / program.length == pytest.approx(0.6, abs=0.01)
    before = program.main(0)
    for step in range(4 * program.length):
        main, shadow = program.main(step), program.shadow(step)
        assert main.first <= step < main.first + program.length
        assert main.number in (before.number, before.number + 1)
        if main != before:  # the one that was being filled
            assert (step - 1, main) == (step - 1, program.shadow(step - 1))
        assert shadow is None or shadow.number == main.number + 1
        before = main


def test_steering_blends_from_its_step_and_keeps_what_was_under_way():
    program = Program("a").steered(100, 10, "b", anew=False)
    assert program.shares(99) == {"a": 1.0}
    assert program.shares(104) == pytest.approx({"a": 0.5, "b": 0.5})
    assert program.shares(109) == {"b": 1.0}
    twice = program.steered(104, 2, "c", anew=False)
    assert twice.shares(104)["c"] == pytest.approx(0.5)
    assert twice.shares(105) == {"c": 1.0}
    assert program.steered(50, 1, "d", anew=False).shares(200) == {"d": 1.0}
    assert program.steered(0, 9, "e", anew=False).shares(0) == {"e": 1.0}


def test_however_often_it_is_steered_little_is_kept_and_what_is_heard_stays():
    program = Program("a")
    for i in range(2000):
        step, before = 10 + 100 * i, program
        program = program.steered(step, 50, f"p{i}", anew=True)
        for back in (1, 60, 140, 4500, 6500):
            if step > back:
                assert program.shares(step - back) == before.shares(step - back)
                assert program.main(step - back) == before.main(step - back)
    assert len(program.steers) < 200
    assert len(program.anchors) < 200
    assert program.shares(10**6) == {"p1999": 1.0}


def test_a_blend_holds_few_prompts_at_once():
    program = Program("a")
    for i in range(60):
        program = program.steered(10 + 50 * i, 3000, f"p{i}", anew=False)
        shares = program.shares(30 + 50 * i)
        assert len(shares) <= 8
        assert shares[f"p{i}"] == pytest.approx(21 / 3000)
        assert sum(shares.values()) == pytest.approx(1.0)


def test_steering_anew_begins_a_window_over_the_overlap():
    program = Program("a").steered(2000, 1, "b", anew=True)
    assert program.main(1999) == Window(1, 900)
    assert program.main(2000) == Window(2, 1400)
    assert program.begins(Window(2, 1400)) == 2000
    assert program.main(2900) == Window(3, 2300)


def test_streamed_codec_equals_whole_and_the_reference(tiny):
    model = transformers.MusicgenForConditionalGeneration.from_pretrained(tiny).eval().audio_encoder
    codes = torch.randint(0, 2048, (2, 4, 137))
    decoder = CodecDecoder(Weights(tiny), model.config, CPU, torch.float32)
    with torch.inference_mode():
        expected = model.decoder(model.quantizer.decode(codes.transpose(0, 1)))[:, 0]
        for sizes in ([137], [29] + [25] * 5, [8] + [1] * 129, [50, 3, 1, 83]):
            state, parts, at = (), [], 0
            for size in sizes:
                part, state = decoder(codes[:, :, at : at + size], state, at + size >= 137)
                parts.append(part)
                at += size
                made = sum(part.shape[1] for part in parts)
                assert at >= 137 or (at - decoder.lookahead_frames) * 640 <= made <= at * 640
            streamed = torch.cat(parts, 1)
            assert streamed.shape == expected.shape
            assert (streamed - expected).abs().max() < 1e-4 * expected.abs().max()


def test_codec_reads_weight_norm_by_its_older_name(tiny):
    config = transformers.AutoConfig.from_pretrained(tiny).audio_encoder
    weights = Weights(tiny)
    new = CodecDecoder(weights, config, CPU, torch.float32)

    class Older:
        directory = tiny

        def name(self, name):
            return name.replace("conv.weight_g", "conv.parametrizations.weight.original0").replace(
                "conv.weight_v", "conv.parametrizations.weight.original1"
            )

        def __contains__(self, name):
            return "parametrizations" not in name and self.name(name) in weights

        def get(self, name, shape=None):
            return weights.get(self.name(name), shape)

        def part(self, prefix):
            return weights.part(prefix)

    codes = torch.randint(0, 2048, (1, 4, 20))
    older = CodecDecoder(Older(), config, CPU, torch.float32)
    assert torch.equal(new(codes, (), True)[0], older(codes, (), True)[0])


@pytest.mark.parametrize("always_all", [False, True])
def test_fixed_buffers_give_the_same_tokens_as_lanes(tiny, always_all):
    """The way that GPUs go, on the CPU: slots at rest, shadows, songs without guidance, prompts that change."""
    torch.manual_seed(0)
    shape = Shape.read(tiny)
    decoder = Decoder(shape, Weights(tiny), CPU, torch.float32)
    memory = decoder.memory(torch.randn(7, shape.hidden))
    weighted = decoder.memory(torch.randn(70, shape.hidden), torch.randn(70))
    lanes_cache, fixed_cache = (Cache(shape, 8, 128, torch.float32, CPU) for _ in range(2))
    fixed_cache.keys.zero_(), fixed_cache.values.zero_()
    looks = {0: (memory, None), 2: (memory, weighted), 5: (weighted,)}
    tokens = torch.full((8, 4), shape.pad)
    drawn_otherwise = 0
    with torch.inference_mode():
        lanes, fixed = LaneStepper(decoder, lanes_cache), StaticStepper(decoder, fixed_cache, always_all)
        for step in range(60):
            if step == 30:
                looks[0] = (Memory(weighted.keys, weighted.values), None)
            if step > 40:  # a blend under way: the same tokens, other weights
                looks[0] = (Memory(weighted.keys, weighted.values, torch.randn(70)), memory)
            slots = [s for s in looks if (step % 3 or s != 2)]  # slot 2 rests now and then
            at = {0: step, 2: step - step // 3 - 1, 5: step}
            jobs = [
                Job(
                    Lane(s, at[s], tokens[s].clone(), looks[s]),
                    Lane(1, step, tokens[0].clone(), looks[0], False) if s == 0 else None,
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


def test_words_carry_their_weights_and_long_parts_are_refused(tiny, load):
    text = load(tiny)._text
    (phrase,) = text("calm (piano:2.0) night").wanted
    assert phrase.log_weights is not None
    assert np.isclose(phrase.log_weights.exp().numpy(), [1, 2, 1, 1]).all()
    assert text("calm piano").wanted[0].log_weights is None
    two = text("jazz :3 | piano :1, -drums")
    assert [part.share for part in two.wanted] == [0.75, 0.25]
    assert two.avoid is not None
    with pytest.raises(PromptError, match="256 tokens"):
        text("zq" * 400)
