"""Products with 4-bit weights: levels, scales of 16 inputs, loud inputs apart."""

import pytest

torch = pytest.importorskip("torch")

from test_musicgen_grouped_int8 import heavy_tailed, relative_error  # noqa: E402

from lullwave.engines.musicgen.model.grouped_int4 import (  # noqa: E402
    LEVELS,
    PART_LEVELS,
    SUBGROUP,
    GroupedInt4Linear,
    linear_of,
    quantize,
)
from lullwave.engines.musicgen.model.grouped_int8 import GROUP, GroupedInt8Linear  # noqa: E402


def restored(packed):
    """The weights that the numbers stand for, without the loud ones."""
    inputs = packed.values.shape[1]
    scales = packed.scales.repeat_interleave(GROUP, 1)[:, :inputs]
    return torch.tensor(LEVELS)[packed.values.long()] * packed.parts.repeat_interleave(SUBGROUP, 1) * scales


def test_weights_that_are_levels_times_whole_scales_are_multiplied_exactly():
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 16, (32, GROUP + 48), generator=generator)
    codes[:, ::SUBGROUP] = 0  # the largest level, so that the scale is found
    parts = torch.randint(90, PART_LEVELS + 1, (32, codes.shape[1] // SUBGROUP), generator=generator)
    parts *= torch.randint(0, 2, parts.shape, generator=generator) * 2 - 1  # a negative scale turns the levels round
    parts[:, [0, GROUP // SUBGROUP]] = PART_LEVELS
    weight = (torch.tensor(LEVELS)[codes] * parts.repeat_interleave(SUBGROUP, 1)).float()
    x = torch.randint(-127, 128, (5, codes.shape[1]), generator=generator).float()
    x[:, [0, GROUP]] = 127.0  # the largest value of both groups
    packed = quantize(weight)
    assert torch.equal(packed.parts, parts.to(torch.int8))
    assert torch.equal(packed.values, codes.to(torch.int8))
    expected = (x.double() @ weight.double().T).float()
    assert (GroupedInt4Linear(weight)(x) - expected).abs().max() <= 2e-7 * expected.abs().max()


@pytest.mark.parametrize("turned", [1, -1])
def test_a_scale_of_least_error_is_better_than_the_largest_weight_as_the_first_level(turned):
    weight = torch.randn(64, 1024, generator=torch.Generator().manual_seed(0)) * turned
    groups = weight.view(64, -1, SUBGROUP)
    largest = groups.gather(-1, groups.abs().argmax(-1, keepdim=True))
    levels = torch.tensor(LEVELS) / LEVELS[0] * largest[..., None]
    nearest = (groups[..., None] - levels).abs().argmin(-1)
    plain = torch.tensor(LEVELS)[nearest] / LEVELS[0] * largest
    found = restored(quantize(weight)).view_as(groups)
    error = [float((part - groups).norm() / groups.norm()) for part in (found, plain)]
    assert error[0] < 0.067 < 0.95 * error[1]


def test_one_large_weight_costs_precision_only_in_its_subgroup():
    weight = torch.randn(16, 512, generator=torch.Generator().manual_seed(0))
    weight[0, 40] = 30.0
    off = (restored(quantize(weight)) - weight).abs()
    assert off[0, 32:48].mean() > 3 * off[0, :32].mean()
    assert off[0, :32].mean() < 1.5 * off[1:].mean()


def test_loud_inputs_cost_the_others_nothing():
    weight, loud = heavy_tailed(512, 1024)
    linear = GroupedInt4Linear(weight)
    assert set(loud.tolist()) <= set(linear.weights.loud.tolist())
    x = torch.randn(8, 1024, generator=torch.Generator().manual_seed(1))
    assert relative_error(linear, weight, x) < 0.06
    normal = torch.randn(512, 1024, generator=torch.Generator().manual_seed(2))
    assert relative_error(GroupedInt4Linear(normal), normal, x) < 0.07


def test_zeros_give_zeros():
    weight, _ = heavy_tailed(32, 304)
    assert not GroupedInt4Linear(weight)(torch.zeros(2, 304)).any()
    weight[:, :288] = 0.0  # whole groups without a scale
    x = torch.randn(2, 304)
    x[:, 288:] = 0.0
    assert not GroupedInt4Linear(weight)(x).any()


def test_the_logits_keep_eight_bits():
    weight = torch.randn(32, 64)
    assert isinstance(linear_of("heads", weight), GroupedInt8Linear)
    assert isinstance(linear_of("up", weight), GroupedInt4Linear)
