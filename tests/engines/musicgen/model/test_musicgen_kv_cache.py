"""Keys and values of the past in floating point and in 8 bits."""

import pytest

torch = pytest.importorskip("torch")

from lullwave.engines.musicgen.model.config import ModelConfig  # noqa: E402
from lullwave.engines.musicgen.model.kv_cache import KVCache, in_8_bits  # noqa: E402

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


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 0.0), (torch.float16, 1e-3), (torch.int8, 2e-2)])
def test_what_was_put_is_what_comes_back_also_from_a_copy(dtype, tolerance):
    cache = KVCache(CONFIG, 3, 8, dtype, CPU)
    keys, values = torch.randn(2, 2, 4, 6, 16, generator=torch.Generator().manual_seed(1)).unbind(0)
    for layer in (0, 1):
        cache.layer(layer).put((1, slice(2), slice(None), slice(2, 8)), (layer + 1) * keys, values)
    cache.copy(1, 2, 5)
    for slot, last in ((1, 8), (2, 5)):
        found = cache.layer(1).get((slot, slice(2), slice(None), slice(2, last)), torch.float32)
        for made, expected in zip(found, (2 * keys, values), strict=True):
            assert (made - expected[:, :, : last - 2]).abs().max() <= tolerance * expected.abs().max()


def test_8_bits_take_half_of_16_and_a_scale_for_each_head():
    small = ModelConfig(1024, 24, 16, 4096, 4, 1, 2048, 768, 32000, 640)
    half, byte = (KVCache.bytes_per_slot(small, 1504, dtype) for dtype in (torch.float16, torch.int8))
    assert byte / half == (64 + 4) / (2 * 64)
    cache = KVCache(CONFIG, 1, 8, torch.int8, CPU)
    parts = (cache.keys, cache.values, cache.key_scales, cache.value_scales)
    assert sum(part.nbytes for part in parts) == KVCache.bytes_per_slot(CONFIG, 8, torch.int8)
