"""The native decoder against its definition in Python, with the kernels of every instruction set that this CPU has."""

import dataclasses
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
native = pytest.importorskip("lullwave_native", reason="lullwave-native is not installed: make native")

from test_musicgen_grouped_int8 import heavy_tailed  # noqa: E402

from lullwave.engines.musicgen.model import grouped_int4  # noqa: E402
from lullwave.engines.musicgen.model.attention import PromptKV, StepInput  # noqa: E402
from lullwave.engines.musicgen.model.config import ModelConfig  # noqa: E402
from lullwave.engines.musicgen.model.decoder import Decoder  # noqa: E402
from lullwave.engines.musicgen.model.grouped_int4 import FOUR_BITS, GroupedInt4Linear  # noqa: E402
from lullwave.engines.musicgen.model.grouped_int8 import GroupedInt8Linear, quantize  # noqa: E402
from lullwave.engines.musicgen.model.kv_cache import NIBBLES, KVCache, in_4_bits, in_8_bits, in_bytes  # noqa: E402
from lullwave.engines.musicgen.model.native_decoder import NativeDecoder, unfit  # noqa: E402
from lullwave.engines.musicgen.model.weights import Weights  # noqa: E402

CPU = torch.device("cpu")
LEVELS = native.levels()
# Sums in another order round a few inputs of later products to the neighbouring one of 255 levels.
ROUNDING = 6e-3  # of the logits, relative L2


def product(weights, level, x, gelu=False):
    parts = getattr(weights, "parts", None)
    packed = native.Linear(weights.values, weights.scales, weights.loud, weights.loud_weights, level, parts)
    out = torch.empty(x.shape[0], weights.values.shape[0])
    packed.multiply(x, out, gelu)
    return out


def decoders(directory, **options):
    config, weights = ModelConfig.read(directory), Weights(directory)
    return config, NativeDecoder(native, config, weights, **options)


def by_8_bits(product, weight):
    return GroupedInt8Linear(weight)


def tokens_of(config, count):
    return torch.randint(
        0, config.vocabulary + 1, (count, config.codebooks), generator=torch.Generator().manual_seed(5)
    )


def step_with(decoder, threads, cache, item):
    """A step by the first ``threads`` of a decoder's threads."""
    chosen, whole = decoder._native, decoder._native.step
    decoder._native = type("Chosen", (), {"step": staticmethod(lambda *given: whole(*given, threads=threads))})
    try:
        return decoder.step(cache, [item])
    finally:
        decoder._native = chosen


def half_cache(config, slots, length=96):
    return KVCache(config, slots, length, torch.float16, CPU)


def byte_cache(config, slots, length=96):
    return KVCache(config, slots, length, torch.int8, CPU)


def nibble_cache(config, slots, length=96):
    return KVCache(config, slots, length, NIBBLES, CPU)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", [GroupedInt8Linear, GroupedInt4Linear], ids=["8 bits", "4 bits"])
@pytest.mark.parametrize("inputs", [16, 256, 272, 320, 1024, 1808])  # groups alone, side by side, both, and parts
def test_products_equal_the_definition(level, inputs, kind):
    weight, _ = heavy_tailed(48, inputs)
    linear = kind(weight)
    x = torch.randn(67, inputs, generator=torch.Generator().manual_seed(1))
    expected = linear(x)
    for rows in (1, 2, 3, 4, 5, 6, 7, 8, 16, 17, 32, 33, 67):  # blocks of every size; a row has the same bits in each
        made = product(linear.weights, level, x[:rows].contiguous())
        assert (made - expected[:rows]).abs().max() <= 2e-6 * expected.abs().max()
        assert torch.equal(made, product(linear.weights, level, x)[:rows])
    activated = torch.nn.functional.gelu(expected)
    assert (product(linear.weights, level, x, gelu=True) - activated).abs().max() <= 3e-6 * activated.abs().max()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_sums_of_the_largest_values_are_not_clipped(level, signs):
    weight, x = signs[0] * torch.full((16, 1024), 127.0), signs[1] * torch.full((33, 1024), 127.0)
    for rows in (2, 33):
        assert torch.equal(product(quantize(weight), level, x[:rows]), x[:rows] @ weight.T)
        assert torch.equal(product(grouped_int4.quantize(weight), level, x[:rows]), x[:rows] @ weight.T)


@pytest.mark.parametrize("level", LEVELS)
def test_weights_get_the_4_bits_of_the_definition(level):
    """Sums in another order decide otherwise where two scales, or two levels, are equally good."""
    for weight in (heavy_tailed(64, 1808)[0], torch.randn(64, 1024, generator=torch.Generator().manual_seed(3))):
        weight[:, 256:512] = 0.0
        expected = grouped_int4.quantize(weight)
        found = grouped_int4.quantize(weight, _Level(level))
        assert (found.values == expected.values).float().mean() > 0.999
        assert (found.parts == expected.parts).float().mean() > 0.999
        assert torch.allclose(found.scales, expected.scales, rtol=1e-5)
        assert torch.equal(found.loud, expected.loud)
        assert torch.equal(found.loud_weights, expected.loud_weights)


class _Level:
    """Stands for the module, with kernels of one level."""

    def __init__(self, level):
        self._level = level

    def to_nibbles(self, *arrays):
        native.to_nibbles(*arrays, level=self._level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("kind", "cache_of"),
    [
        ("musicgen-tiny", half_cache),
        ("musicgen-tiny-stereo", half_cache),
        ("musicgen-tiny", byte_cache),
        ("musicgen-tiny", nibble_cache),
    ],
    ids=["mono", "stereo", "8-bit keys and values", "4-bit keys and values"],
)
@torch.inference_mode()
def test_ragged_steps_equal_the_definition(checkpoints_dir, kind, cache_of, level):
    """One to three songs at other positions, with guidance, without, and with a negative prompt that has weights."""
    config, fast = decoders(checkpoints_dir / kind, level=level)
    slow = Decoder(config, Weights(checkpoints_dir / kind), CPU, torch.int8, by_8_bits)
    assert fast.level == level
    torch.manual_seed(0)
    plain = fast.prompt_kv(torch.randn(7, config.hidden))
    weighted = fast.prompt_kv(torch.randn(20, config.hidden), torch.randn(20))
    prompts = {0: (plain, None), 1: (weighted, plain), 2: (plain,)}
    caches, tokens = [cache_of(config, 3), cache_of(config, 3)], tokens_of(config, 60)
    made, expected = [], []
    for step in range(40):
        slots = [s for s in prompts if step >= 7 * s and (step % 3 or s != 1)]
        at = {0: step, 1: step - 7 - (step - 7 + 1) // 3, 2: step - 14}
        items = [StepInput(s, at[s], tokens[at[s]], prompts[s], s != 1 or step % 2 == 0) for s in slots]
        for decoder, cache, out in ((fast, caches[0], made), (slow, caches[1], expected)):
            out.append(decoder.step(cache, items))
    assert [part.shape for part in made] == [part.shape for part in expected]
    made, expected = torch.cat(made), torch.cat(expected)
    assert (made - expected).norm() / expected.norm() < ROUNDING


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("loudness", [0.3, 3.0])  # of queries: nearly equal shares, and a few large ones
def test_attention_to_bytes_equals_softmax_attention(level, loudness):
    generator = torch.Generator().manual_seed(4)
    for size in (16, 64):
        query, keys, values = (torch.randn(n, size, generator=generator) for n in (1, 300, 300))
        values[5] *= 20
        kept = [in_8_bits(x) for x in (keys, values)]
        exact = [(levels * scales[:, None]).double() for levels, scales in kept]
        for count in (1, 3, 4, 8, 15, 16, 17, 63, 299, 300):
            out = torch.empty(size)
            arrays = [part[:count].contiguous() for pair in kept for part in pair]
            native.attend((loudness * query[0]).contiguous(), *arrays, out, level)
            shares = torch.softmax(loudness * query.double() @ exact[0][:count].T, -1)
            expected = (shares @ exact[1][:count])[0]
            assert (out - expected).norm() < 5e-4 * (shares @ exact[1][:count].abs()).norm()


def in_order(nibbles, values):
    """Nibbles (n, d / 2), as a cache of keys or of values stores them."""
    together, width = (4, 1) if values else (16, 4)
    blocks = nibbles.view(-1, together, nibbles.shape[1] // width, width)
    return blocks.transpose(1, 2).contiguous().view(nibbles.shape)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("loudness", [0.03, 0.3, 3.0])
def test_attention_to_nibbles_equals_softmax_attention(level, loudness):
    generator = torch.Generator().manual_seed(4)
    query, keys, values = (torch.randn(n, 64, generator=generator) for n in (1, 320, 320))
    values[5] *= 20
    keys[:, 20] *= 6  # its quarter has the largest factor, others small ones
    kept = [in_4_bits(x) for x in (keys, values)]
    exact = [(levels * scales[:, None]).double() for levels, scales in (in_bytes(*pair) for pair in kept)]
    arrays = [in_order(kept[0][0], False), kept[0][1], in_order(kept[1][0], True), kept[1][1]]
    for count in (1, 3, 4, 8, 15, 16, 17, 31, 32, 33, 63, 299, 320):
        out = torch.empty(64)
        native.attend_nibbles((loudness * query[0]).contiguous(), *arrays, count, out, level)
        shares = torch.softmax(loudness * query.double() @ exact[0][:count].T, -1)
        expected = (shares @ exact[1][:count])[0]
        assert (out - expected).norm() < 5e-4 * (shares @ exact[1][:count].abs()).norm()


def test_attention_to_nibbles_of_other_shapes_raises():
    nibbles, words = torch.zeros(16, 32, dtype=torch.uint8), torch.zeros(16, dtype=torch.int32)
    query, out = torch.ones(64), torch.ones(64)
    right = (query, nibbles, words, nibbles, words, 16, out)
    native.attend_nibbles(*right)
    assert not out.any()  # a word of 0 is a scale of 0
    for place, wrong in (
        (0, query[:32]),
        (1, nibbles[:12]),
        (2, words[:12]),
        (3, nibbles[:, :16].contiguous()),
        (5, 17),
        (5, 0),
        (6, out[:32]),
    ):
        with pytest.raises((TypeError, ValueError)):
            native.attend_nibbles(*right[:place], wrong, *right[place + 1 :])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("size", [16, 48, 64, 128])
def test_heads_get_the_4_bits_of_the_definition_and_give_its_bytes(level, size):
    x = torch.randn(304, size, generator=torch.Generator().manual_seed(6))
    x *= 10.0 ** torch.linspace(-8, 8, 304)[:, None]
    x[:, 3] *= 30  # a channel that is loud everywhere
    x[7], x[8], x[9, 1:] = 0.0, 1e-35, 0.0
    nibbles, words = in_4_bits(x)
    found, found_words = torch.zeros_like(nibbles), torch.zeros_like(words)
    expected, scales = in_bytes(nibbles, words)
    for values in (False, True):
        wanted = in_order(nibbles, values)
        native.pack_nibbles(x, found, found_words, values, level)
        assert torch.equal(found, wanted)
        assert torch.equal(found_words, words)
        whole, found_scales = torch.zeros_like(expected), torch.zeros_like(scales)
        native.unpack_nibbles(found, words, whole, found_scales, values, level)
        assert torch.equal(whole, expected)
        assert torch.equal(found_scales, scales)


def test_heads_of_other_shapes_raise():
    x, nibbles, words = torch.ones(16, 16), torch.zeros(16, 8, dtype=torch.uint8), torch.zeros(16, dtype=torch.int32)
    native.pack_nibbles(x, nibbles, words)
    whole, scales = torch.zeros(16, 16, dtype=torch.int8), torch.zeros(16)
    native.unpack_nibbles(nibbles, words, whole, scales)
    assert torch.allclose(whole * scales[:, None], x, rtol=0.1)
    for arrays in (
        (x[:2], nibbles, words),
        (x[:, :12].contiguous(), nibbles, words),
        (x, nibbles[:, :6], words),
        (x[:12], nibbles[:12], words[:12]),  # 16 keys stand together
        (x[:6], nibbles[:6], words[:6], True),  # four values
    ):
        with pytest.raises((TypeError, ValueError)):
            native.pack_nibbles(*arrays)
    for arrays in (
        (nibbles, words, whole[:, :8].contiguous(), scales),
        (nibbles, words[:2], whole, scales),
        (nibbles[:12], words[:12], whole[:12], scales[:12]),
        (nibbles[:6], words[:6], whole[:6], scales[:6], True),
    ):
        with pytest.raises((TypeError, ValueError)):
            native.unpack_nibbles(*arrays)


def test_attention_of_other_shapes_raises():
    query, bytes_, scales, out = torch.ones(16), torch.ones(3, 16, dtype=torch.int8), torch.ones(3), torch.ones(16)
    right = (query, bytes_, scales, bytes_, scales, out)
    native.attend(*right)
    assert torch.equal(out, torch.ones(16))
    for place, wrong in (
        (0, query[:8]),
        (1, bytes_[:2]),
        (2, scales[:2]),
        (3, bytes_[:0]),
        (4, scales[:1]),
        (5, out[:8]),
    ):
        with pytest.raises((TypeError, ValueError)):
            native.attend(*right[:place], wrong, *right[place + 1 :])


@pytest.mark.parametrize("level", LEVELS)
def test_attention_to_as_many_positions_as_32_bits_can_sum(level):
    most = 1 << 16
    bytes_, scales, out = torch.full((most, 16), 127, dtype=torch.int8), torch.ones(most), torch.empty(16)
    native.attend(torch.zeros(16), bytes_, scales, bytes_, scales, out, level)
    assert torch.allclose(out, torch.full((16,), 127.0), rtol=1e-4)
    more = torch.ones(most + 1, 16, dtype=torch.int8)
    with pytest.raises(ValueError, match="65536"):
        native.attend(torch.zeros(16), more, torch.ones(most + 1), more, torch.ones(most + 1), out, level)


class _Random:
    """Weights of any shape."""

    def get(self, name, shape):
        generator = torch.Generator().manual_seed(len(name) + sum(name.encode()))
        drawn = torch.randn(*shape, generator=generator)
        return 1 + 0.1 * drawn if "norm" in name else drawn / shape[-1] ** 0.5

    def close(self):
        pass


@pytest.mark.parametrize("level", LEVELS)
@torch.inference_mode()
def test_heads_of_64_and_many_rows_of_one_slot_equal_the_definition(tiny, level):
    config = dataclasses.replace(ModelConfig.read(tiny), hidden=128, heads=2, ffn=512)
    fast, four = (NativeDecoder(native, config, _Random(), level=level, four_bits=bits) for bits in ((), FOUR_BITS))
    slow = Decoder(config, _Random(), CPU, torch.int8, by_8_bits)
    prompt, tokens = fast.prompt_kv(torch.randn(7, config.hidden)), tokens_of(config, 70)
    items = [StepInput(0, p, tokens[p], (prompt, None)) for p in range(70)]
    for cache_of in (byte_cache, nibble_cache):
        expected = slow.step(cache_of(config, 1), items)
        made = fast.step(cache_of(config, 1), items)
        # attention in whole numbers is 1e-4 off: twice as many inputs of later products go to a neighbouring level
        assert (made - expected).norm() / expected.norm() < 2 * ROUNDING
        for decoder in (fast, four):
            one, other = cache_of(config, 1), cache_of(config, 1)
            stepped = torch.cat([decoder.step(one, [item]) for item in items])
            assert torch.equal(decoder.step(other, items), stepped)


@pytest.mark.parametrize("kind", ["musicgen-tiny", "musicgen-tiny-melody"])
@pytest.mark.parametrize("level", LEVELS)
@torch.inference_mode()
def test_steps_with_4_bit_weights_equal_the_definition(checkpoints_dir, kind, level):
    directory = checkpoints_dir / kind
    config, fast = decoders(directory, level=level, four_bits=FOUR_BITS)
    _, wide = decoders(directory, level=level)
    slow = Decoder(config, Weights(directory), CPU, torch.int8, grouped_int4.linear_of)
    assert fast.weight_bytes < wide.weight_bytes  # the logits keep 8 bits
    prompt = None if config.melody else fast.prompt_kv(torch.randn(7, config.hidden))
    tokens = tokens_of(config, 30)
    items = [StepInput(0, p, tokens[p], (prompt, None)) for p in range(30)]
    expected, other = (decoder.step(half_cache(config, 1), items) for decoder in (slow, wide))
    made = fast.step(half_cache(config, 1), items)
    assert (made - expected).norm() / expected.norm() < ROUNDING
    assert (made - other).norm() / other.norm() > ROUNDING  # it is not the 8-bit decoder


@torch.inference_mode()
def test_a_prefix_of_states_equals_the_definition(checkpoints_dir):
    directory = checkpoints_dir / "musicgen-tiny-melody"
    config, fast = decoders(directory)
    slow = Decoder(config, Weights(directory), CPU, torch.int8, by_8_bits)
    states, tokens = torch.randn(2, 50, config.hidden), tokens_of(config, 2)
    caches = [half_cache(config, 1), half_cache(config, 1)]
    fast.chunk(caches[0], 0, 0, states, (None, None))
    for position in range(50):
        slow.step(caches[1], [StepInput(0, position, states[:, position], (None, None), False)])
    item = StepInput(0, 50, tokens[0], (None, None))
    expected = slow.step(caches[1], [item])
    assert (fast.step(caches[0], [item]) - expected).norm() / expected.norm() < ROUNDING


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("cache_of", "four_bits"),
    [(half_cache, frozenset()), (byte_cache, frozenset()), (byte_cache, FOUR_BITS), (nibble_cache, FOUR_BITS)],
)
@torch.inference_mode()
def test_a_song_has_the_same_bits_in_company_with_more_threads_and_all_at_once(tiny, cache_of, four_bits, level):
    config, alone = decoders(tiny, threads=1, level=level, four_bits=four_bits)
    _, team = decoders(tiny, threads=3, pinned=True, level=level, four_bits=four_bits)
    prompt = alone.prompt_kv(torch.randn(5, config.hidden, generator=torch.Generator().manual_seed(2)))
    tokens = tokens_of(config, 60)
    first, second, third = cache_of(config, 1), cache_of(config, 4), cache_of(config, 1)
    song = [StepInput(0, p, tokens[p], (prompt, None)) for p in range(60)]
    stepped = torch.cat([alone.step(first, [item]) for item in song])
    company = []
    for item in song:
        others = [StepInput(s, item.position // s, tokens[s], (None, prompt)[: s % 2 + 1]) for s in (1, 2, 3)]
        moved = dataclasses.replace(item, slot=0)
        company.append(team.step(second, [others[0], moved, *others[1:]])[2:4])
    assert torch.equal(torch.cat(company), stepped)
    assert torch.equal(team.step(third, song), stepped)
    fourth = cache_of(config, 1)
    changing = [step_with(team, 1 + item.position * 7 % 3, fourth, item) for item in song]  # 1 to 3 of its threads
    assert torch.equal(torch.cat(changing), stepped)


def test_a_blend_changes_only_the_bias(tiny):
    config, decoder = decoders(tiny)
    both = decoder.prompt_kv(torch.randn(6, config.hidden), torch.tensor([0.0, 0.0, 0.0, -1e4, -1e4, -1e4]))
    half = PromptKV(*(part[:, :, :3].contiguous() for part in (both.keys, both.values)))
    cache, tokens = half_cache(config, 2), tokens_of(config, 1)
    made = decoder.step(cache, [StepInput(slot, 0, tokens[0], (kv,)) for slot, kv in enumerate((both, half))])
    assert (made[0] - made[1]).norm() / made.norm() < ROUNDING


@torch.inference_mode()
def test_wrong_arguments_raise_and_leave_the_decoder_working(tiny):
    config, decoder = decoders(tiny)
    cache, tokens = half_cache(config, 2), tokens_of(config, 3)
    right = StepInput(0, 0, tokens[0], (None, None))
    before = decoder.step(cache, [right])
    other = PromptKV(torch.zeros(1, 4, 3, 16), torch.zeros(1, 4, 3, 16))
    for wrong in (
        dataclasses.replace(right, slot=2),
        dataclasses.replace(right, slot=-1),
        dataclasses.replace(right, position=96),
        dataclasses.replace(right, position=-1),
        dataclasses.replace(right, prompt_kvs=(None, None, None)),
        dataclasses.replace(right, prompt_kvs=(other, None)),
        dataclasses.replace(right, inputs=tokens[0] + 5000),
        dataclasses.replace(right, inputs=tokens[0] - 5000),
        dataclasses.replace(right, inputs=tokens[0][:3]),
        dataclasses.replace(right, inputs=torch.zeros(2, config.hidden + 1)),
    ):
        with pytest.raises(ValueError):
            decoder.step(cache, [wrong])
    with pytest.raises(ValueError, match="float16"):
        decoder.step(KVCache(config, 1, 8, torch.float32, CPU), [right])
    bytes_alone = byte_cache(config, 1)
    for scales in ((), (bytes_alone.key_scales,), (bytes_alone.key_scales, bytes_alone.value_scales[..., :5])):
        with pytest.raises((TypeError, ValueError)):
            native.Cache(bytes_alone.keys, bytes_alone.values, *scales)
    nibbles = nibble_cache(config, 1)
    for arrays in (
        (nibbles.keys, nibbles.values),
        (nibbles.keys, nibbles.values, nibbles.key_scales.float(), nibbles.value_scales.float()),
        (nibbles.keys, bytes_alone.values, nibbles.key_scales, nibbles.value_scales),
        (bytes_alone.keys, bytes_alone.values, nibbles.key_scales, nibbles.value_scales),
        (nibbles.keys, nibbles.values, nibbles.key_scales, bytes_alone.value_scales),
        tuple(part[..., :24, :].contiguous() for part in (nibbles.keys, nibbles.values))
        + tuple(part[..., :24].contiguous() for part in (nibbles.key_scales, nibbles.value_scales)),
    ):
        with pytest.raises((TypeError, ValueError)):
            native.Cache(*arrays)
    with pytest.raises(ValueError, match="another model"):
        decoder.step(KVCache(dataclasses.replace(config, hidden=2 * config.hidden), 1, 16, NIBBLES, CPU), [right])
    with pytest.raises((TypeError, ValueError)):
        native.Linear(
            torch.zeros(16, 12, dtype=torch.int8),
            torch.zeros(16, 1),
            torch.zeros(0, dtype=torch.int32),
            torch.zeros(16, 0),
        )
    with pytest.raises(ValueError, match="level"):
        NativeDecoder(native, config, Weights(tiny), level="abacus")
    assert decoder.step(cache, []).shape == (0, config.codebooks, config.vocabulary)
    assert torch.equal(decoder.step(cache, [right]), before)


def test_wrong_4_bit_weights_raise():
    values, scales, loud = torch.zeros(16, 32, dtype=torch.int8), torch.zeros(16, 1), torch.zeros(0, dtype=torch.int32)
    rest, parts = torch.zeros(16, 0), torch.zeros(16, 2, dtype=torch.int8)
    native.Linear(values, scales, loud, rest, "", parts)
    for wrong_values, wrong_parts in (
        (values, parts[:, :1].contiguous()),
        (values, parts[:8]),
        (values + 16, parts),
        (values - 1, parts),
        (values[:, :24].contiguous(), parts[:, :1].contiguous()),
    ):
        with pytest.raises((TypeError, ValueError)):
            native.Linear(wrong_values, scales, loud, rest, "", wrong_parts)
    weight = torch.zeros(16, 32)
    for arrays in (
        (weight[:, :24].contiguous(), values, parts, scales),
        (weight, values[:8], parts, scales),
        (weight, values, parts[:, :1].contiguous(), scales),
        (weight, values, parts, torch.zeros(16, 2)),
        (weight, values, parts.float(), scales),
    ):
        with pytest.raises((TypeError, ValueError)):
            native.to_nibbles(*arrays)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="threads cannot be kept on one core")
def test_threads_that_share_a_core_are_noticed_and_one_computes(tiny):
    def until_one_computes():
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # of this thread and of those that it starts
        config, decoder = decoders(tiny, threads=2)
        cache = byte_cache(config, 1)
        item = StepInput(0, 0, tokens_of(config, 1)[0], (decoder.prompt_kv(torch.randn(3, config.hidden)), None))
        first, until = decoder.step(cache, [item]), time.monotonic() + 60
        begun, same = decoder.active_threads, True
        while decoder.active_threads == 2 and time.monotonic() < until:
            same &= torch.equal(decoder.step(cache, [item]), first)
        return begun, decoder.active_threads, same

    with ThreadPoolExecutor(1) as apart:
        assert apart.submit(until_one_computes).result() == (2, 1, True)


@pytest.mark.parametrize(
    ("codebooks", "vocabulary"), [(65536, 65537), (1, 2**31 - 1), (2**31 - 1, 1), (4, 2**30), (0, 16), (-4, -16)]
)
def test_sizes_that_no_model_has_are_refused(codebooks, vocabulary):
    """Their products do not fit 32 bits."""
    table, positions = torch.zeros(codebooks * (vocabulary + 1) % 2**32 % 2**18, 16), torch.zeros(8, 16)
    with pytest.raises(ValueError, match=r"table|codebooks|vocabulary"):
        native.Decoder(16, 1, 1, 16, codebooks, vocabulary, False, table, positions)


def test_a_decoder_that_lacks_weights_does_not_step():
    table, positions = torch.zeros(4 * 17, 32), torch.zeros(8, 32)
    decoder = native.Decoder(32, 1, 2, 64, 4, 16, False, table, positions)
    cache = native.Cache(*(torch.zeros(1, 1, 2, 2, 8, 16, dtype=torch.float16) for _ in range(2)))
    rows, tokens = torch.tensor([[0, 0, 0, -1, 1]], dtype=torch.int32), torch.zeros(1, 4, dtype=torch.long)
    with pytest.raises(ValueError, match="lacks weights"):
        decoder.step(cache, rows, tokens, None, [], torch.empty(1, 64))


def test_models_of_other_sizes_are_left_to_torch(tiny):
    config = ModelConfig.read(tiny)
    assert not unfit(config)
    assert unfit(dataclasses.replace(config, hidden=72, heads=6)) == "a head has 12"
    assert unfit(dataclasses.replace(config, hidden=40, heads=6)) == "a head has 6.66667"
    assert unfit(dataclasses.replace(config, ffn=100)) == "the feed-forward layer has 100"
    assert unfit(dataclasses.replace(config, codebooks=3, vocabulary=10)) == "codebooks times vocabulary has 30"
