"""Windows: every column is covered, neighbours overlap, and the blend of equal parts is what was cut."""

import itertools

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from lullwave.engines.riffusion.windows import blend, cut, starts  # noqa: E402


@given(st.integers(1, 700), st.booleans())
def test_windows_cover_everything_and_overlap(width, closed):
    begins = starts(width, 64, 16, closed)
    if width <= 64:
        assert begins == [0]
        return
    gaps = [b - a for a, b in itertools.pairwise(begins)]
    if closed:
        gaps.append(begins[0] + width - begins[-1])
    else:
        assert begins[0] == 0
        assert begins[-1] == width - 64
    assert max(gaps) <= 48
    covered = {(b + k) % width for b in begins for k in range(64)}
    assert covered == set(range(width))


@pytest.mark.parametrize("closed", [False, True])
def test_cutting_and_blending_gives_the_whole_again(closed):
    torch.manual_seed(0)
    wide = torch.randn(2, 4, 3, 200)
    begins = starts(200, 64, 16, closed)
    parts = [cut(wide, begin, 64) for begin in begins]
    torch.testing.assert_close(blend(parts, begins, 200), wide)


def test_a_difference_between_windows_fades_over_their_overlap():
    begins = starts(112, 64, 16)
    assert begins == [0, 48]
    mixed = blend([torch.zeros(1, 64), torch.ones(1, 64)], begins, 112)[0]
    assert mixed[:48].abs().max() == 0
    assert mixed[64:].min() == 1
    assert (mixed[48:64].diff() > 0).all()
    assert float(mixed.diff().max()) < 0.08
