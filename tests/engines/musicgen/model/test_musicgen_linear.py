"""8-bit products: exact integer sums, each row independent of the others, close to the products of floats."""

import pytest

torch = pytest.importorskip("torch")

from lullwave.engines.linear import (  # noqa: E402
    INPUT_LEVELS,
    SAFE_WEIGHT_LEVELS,
    WEIGHT_LEVELS,
    Int8Linear,
    int8_available,
    sums_are_clipped,
)

pytestmark = pytest.mark.skipif(not int8_available(), reason="torch has no 8-bit kernels here")


def integer_product(weight, x):
    """The quantized product in 64-bit floats, whose integer sums are exact."""
    levels = SAFE_WEIGHT_LEVELS if sums_are_clipped() else WEIGHT_LEVELS
    scale, largest = weight.abs().amax(1).double() / levels, x.abs().amax(1, keepdim=True)
    q_weight = torch.round(weight.double() / scale[:, None])
    return (torch.round(x / largest * INPUT_LEVELS).double() @ q_weight.t()) * scale / INPUT_LEVELS * largest


def relative_error(got, expected):
    return float(((got - expected).norm(dim=1) / expected.norm(dim=1)).max())


@pytest.mark.parametrize("inputs", [64, 1024])
def test_int8_rows_do_not_depend_on_their_company(inputs):
    torch.manual_seed(0)
    weight, x = torch.randn(96, inputs), torch.randn(9, inputs) * torch.logspace(-3, 3, 9)[:, None]
    linear = Int8Linear(weight)
    together = linear(x)
    assert all(torch.equal(linear(x[i : i + 1])[0], together[i]) for i in range(9))
    assert torch.equal(linear(x[2:7]), together[2:7])
    assert relative_error(together, integer_product(weight, x)) < 1e-3  # a scale in float32 may round another way
    # rounding to n levels costs (largest / rms) / (n * sqrt(12)): about 0.8 % for 127 levels, 1.6 % for 64
    assert relative_error(together, x @ weight.t()) < 0.025


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_largest_sums_are_not_clipped(sign):
    weight, x = torch.full((8, 512), sign), torch.ones(3, 512)
    assert torch.allclose(Int8Linear(weight)(x), x @ weight.t(), rtol=1e-5)


def test_int8_silence_gives_silence():
    x = torch.randn(3, 64)
    x[1] = 0
    made = Int8Linear(torch.randn(96, 64))(x)
    assert torch.equal(made[1], torch.zeros(96))
    assert made.isfinite().all()
