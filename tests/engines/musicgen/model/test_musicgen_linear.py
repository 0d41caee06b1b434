"""8-bit products: each row independent of the others, close to exact products."""

import pytest

torch = pytest.importorskip("torch")

from lullwave.engines.musicgen.model.linear import Int8Linear, int8_available  # noqa: E402

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
