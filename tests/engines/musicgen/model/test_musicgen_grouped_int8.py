"""8-bit products with a scale per group and loud inputs apart."""

import pytest

torch = pytest.importorskip("torch")

from lullwave.engines.musicgen.model.grouped_int8 import GROUP, GroupedInt8Linear, quantize  # noqa: E402


def relative_error(linear, weight, x):
    expected = x @ weight.T
    return float((linear(x) - expected).norm() / expected.norm())


def heavy_tailed(outputs, inputs, seed=0):
    """Student-t weights with three degrees of freedom, six inputs 20 times as loud."""
    generator = torch.Generator().manual_seed(seed)
    squares = sum(torch.randn(outputs, inputs, generator=generator) ** 2 for _ in range(3))
    weight = torch.randn(outputs, inputs, generator=generator) / (squares / 3).sqrt()
    loud = torch.randperm(inputs, generator=generator)[:6]
    weight[:, loud] *= 20
    return weight, loud.sort().values


def test_whole_numbers_within_the_levels_are_multiplied_exactly():
    torch.manual_seed(0)
    weight, x = (torch.randint(-127, 128, (n, GROUP + 40)).float() for n in (32, 5))
    weight[:, [0, GROUP]], x[:, [0, GROUP]] = 127.0, -127.0  # the largest value of both groups
    assert torch.equal(GroupedInt8Linear(weight)(x), x @ weight.T)


def test_one_large_weight_costs_precision_only_in_its_group():
    torch.manual_seed(0)
    weight = torch.randn(16, 4 * GROUP)
    weight[:, 5] = 30.0
    assert quantize(weight).loud.tolist() == [5]
    weight[:, 5] = weight[:, 5] * 0.2 * torch.randn(16)
    assert quantize(weight).loud.numel() == 0 or quantize(weight).loud.tolist() == [5]
    packed = quantize(torch.cat([weight[:1] * 100, weight[1:]]))
    assert packed.scales.shape == (16, 4)
    assert (packed.scales[0] > 20 * packed.scales[1]).all()


def test_loud_inputs_are_found_and_cost_the_others_nothing():
    torch.manual_seed(0)
    weight, loud = heavy_tailed(512, 1024)
    x = torch.randn(8, 1024)
    linear = GroupedInt8Linear(weight)
    found = linear.weights.loud.tolist()
    assert set(loud.tolist()) <= set(found)  # and at most a few with very large weights
    assert len(found) <= 16
    assert relative_error(linear, weight, x) < 0.012
    assert quantize(torch.randn(512, 1024)).loud.numel() == 0


def test_a_row_of_zeros_gives_zeros():
    weight, _ = heavy_tailed(32, 300)
    assert not GroupedInt8Linear(weight)(torch.zeros(2, 300)).any()
