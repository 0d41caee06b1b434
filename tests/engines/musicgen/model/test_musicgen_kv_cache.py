"""Keys and values of the past in floating point, in 8 bits and in 4."""

import pytest

torch = pytest.importorskip("torch")

from lullwave.engines.musicgen.model.config import ModelConfig  # noqa: E402
from lullwave.engines.musicgen.model.kv_cache import NIBBLES, KVCache, in_4_bits, in_8_bits, in_bytes  # noqa: E402

CPU = torch.device("cpu")
CONFIG = ModelConfig(64, 2, 4, 128, 4, 1, 2048, 16, 32000, 640)


def test_8_bits_are_off_by_half_a_level_of_the_largest_value_at_most():
    x = torch.randn(3, 5, 64, generator=torch.Generator().manual_seed(1)) * torch.tensor([1e-3, 1.0, 1e3]).view(3, 1, 1)
    levels, scales = in_8_bits(x)
    peaks = x.abs().amax(-1)
    assert levels.dtype == torch.int8
    assert torch.equal(levels.abs().amax(-1), torch.full((3, 5), 127, dtype=torch.int8))
    assert ((levels * scales[..., None] - x).abs() <= 0.501 / 127 * peaks[..., None]).all()
    assert not any(part.any() for part in in_8_bits(torch.zeros(2, 64)))  # no division by zero


def test_4_bits_are_off_by_half_a_step_of_the_largest_value_of_a_quarter():
    x = torch.randn(3, 500, 64, generator=torch.Generator().manual_seed(1))
    x *= torch.tensor([1e-3, 1.0, 1e3]).view(3, 1, 1)
    x[..., 20] *= 20  # costs its own quarter precision, no other
    nibbles, words = in_4_bits(x)
    assert nibbles.shape == (3, 500, 32)
    whole, scales = in_bytes(nibbles, words)
    factors = torch.stack([words >> 4 * quarter & 15 for quarter in range(4)], -1)
    assert factors.min() >= 1
    assert (factors.amax(-1) == 15).all()
    peaks = x.unflatten(-1, (4, 16)).abs().amax(-1)
    steps = scales[..., None] * factors
    assert (steps <= torch.maximum(peaks / 7.5 + 0.5 * scales[..., None], scales[..., None]) * 1.001).all()
    off = (whole * scales[..., None] - x).abs().unflatten(-1, (4, 16)).amax(-1)
    # a factor is rounded, and then the peak may lie up to 7.5 half scales beyond the last number
    assert (off <= 0.501 * steps + 3.75 * scales[..., None]).all()
    for quarter, bound in ((0, 0.11), (2, 0.11), (3, 0.11)):
        part = slice(16 * quarter, 16 * quarter + 16)
        error = whole[..., part] * scales[..., None] - x[..., part]
        assert error.norm() / x[..., part].norm() < bound


def test_4_bits_of_normal_values_are_off_by_9_percent():
    x = torch.randn(2000, 64, generator=torch.Generator().manual_seed(2))
    whole, scales = in_bytes(*in_4_bits(x))
    assert 0.08 < (whole * scales[:, None] - x).norm() / x.norm() < 0.09
    assert not in_bytes(*in_4_bits(torch.zeros(2, 64)))[0].any()  # no division by zero


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 0.0), (torch.float16, 1e-3), (torch.int8, 2e-2), (NIBBLES, 0.1)]
)
def test_what_was_put_is_what_comes_back_also_from_a_copy(dtype, tolerance):
    cache = KVCache(CONFIG, 3, 32, dtype, CPU)
    keys, values = torch.randn(2, 2, 4, 18, 16, generator=torch.Generator().manual_seed(1)).unbind(0)
    for layer in (0, 1):
        cache.layer(layer).put((1, slice(2), slice(None), slice(2, 20)), (layer + 1) * keys, values)
    cache.copy(1, 2, 19)
    for slot, last in ((1, 20), (2, 19)):
        found = cache.layer(1).get((slot, slice(2), slice(None), slice(2, last)), torch.float32)
        for made, expected in zip(found, (2 * keys, values), strict=True):
            assert (made - expected[:, :, : last - 2]).abs().max() <= tolerance * expected.abs().max()


def test_4_bits_lie_as_the_kernels_read_them():
    """Four bytes of each of 16 keys, then their next four; a byte of each of four values, then their next one."""
    cache = KVCache(CONFIG, 1, 32, NIBBLES, CPU)
    keys, values = torch.randn(2, 2, 4, 32, 16, generator=torch.Generator().manual_seed(3)).unbind(0)
    cache.layer(1).put((0, slice(2), slice(None), slice(32)), keys, values)
    for part, new, together, width in ((cache.keys, keys, 16, 4), (cache.values, values, 4, 1)):
        plain, _ = in_4_bits(new[1, 2])  # (32, 8)
        for position, byte in ((0, 0), (1, 3), (5, 4), (15, 7), (16, 0), (30, 6)):
            at = position // together * together * 8 + byte // width * width * together
            at += position % together * width + byte % width
            assert part[1, 0, 1, 2].flatten()[at] == plain[position, byte]


def test_8_bits_take_half_of_16_and_a_scale_for_each_head():
    small = ModelConfig(1024, 24, 16, 4096, 4, 1, 2048, 768, 32000, 640)
    half, byte = (KVCache.bytes_per_slot(small, 1504, dtype) for dtype in (torch.float16, torch.int8))
    assert byte / half == (64 + 4) / (2 * 64)
    cache = KVCache(CONFIG, 1, 8, torch.int8, CPU)
    parts = (cache.keys, cache.values, cache.key_scales, cache.value_scales)
    assert sum(part.nbytes for part in parts) == KVCache.bytes_per_slot(CONFIG, 8, torch.int8)


def test_4_bits_take_a_quarter_of_16_and_a_word_for_each_head():
    small = ModelConfig(1024, 24, 16, 4096, 4, 1, 2048, 768, 32000, 640)
    half, nibble = (KVCache.bytes_per_slot(small, 1504, dtype) for dtype in (torch.float16, NIBBLES))
    assert nibble / half == (32 + 4) / (2 * 64)
    cache = KVCache(CONFIG, 1, 16, NIBBLES, CPU)
    parts = (cache.keys, cache.values, cache.key_scales, cache.value_scales)
    assert sum(part.nbytes for part in parts) == KVCache.bytes_per_slot(CONFIG, 16, NIBBLES)
