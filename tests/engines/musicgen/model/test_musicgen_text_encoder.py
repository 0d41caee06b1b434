"""Weights of words and shares of parts in encoded prompts."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lullwave.errors import PromptError  # noqa: E402


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
