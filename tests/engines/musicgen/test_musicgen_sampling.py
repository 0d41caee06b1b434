"""Draws against the reference library, their keys, and their edges."""

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from lullwave.engines.musicgen import sampling  # noqa: E402
from lullwave.engines.musicgen.sampling import draw, guided, uniforms  # noqa: E402


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


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_the_native_package_draws_as_defined(guidance):
    """Songs with one row and with two; another token only where the chance falls on a border to within rounding."""
    native = pytest.importorskip("lullwave_native", reason="lullwave-native is not installed: make native")
    generator = torch.Generator().manual_seed(3)
    songs, same = 300, 0
    for temperature, top_k, top_p in (
        (1.0, 250, 1.0),
        (0.7, 0, 0.6),
        (1.5, 40, 0.9),
        (1.0, 1, 1.0),
        (0.0, 0, 1.0),
        (0.2, 900, 1.0),
    ):
        logits = torch.randn(2 * songs, 4, 512, generator=generator) * 3
        chance = torch.rand(songs, 4, generator=generator)
        settings = torch.tensor([(guidance, temperature, top_k, top_p)] * songs)
        mixed = guided(logits.view(songs, 2, 4, 512), settings[:, 0])
        expected = draw(mixed, chance, settings[:, 1], settings[:, 2].long(), settings[:, 3])
        tokens = torch.empty(songs, 4, dtype=torch.long)
        native.draw(logits, torch.full((songs,), 2, dtype=torch.int32), settings, chance, tokens)
        same += int((tokens == expected).sum())
        single = torch.empty(songs, 4, dtype=torch.long)  # the same songs without a second row
        native.draw(mixed.contiguous(), torch.ones(songs, dtype=torch.int32), settings, chance, single)
        assert torch.equal(single, tokens)
    assert same >= 6 * songs * 4 - 3


def test_native_draws_take_any_logits_and_refuse_wrong_shapes():
    native = pytest.importorskip("lullwave_native", reason="lullwave-native is not installed: make native")
    tokens, settings, rows = (
        torch.empty(1, 2, dtype=torch.long),
        torch.tensor([[3.0, 1.0, 5.0, 1.0]]),
        torch.tensor([2]),
    )
    for value in (float("nan"), float("inf"), float("-inf"), 3e38):
        native.draw(torch.full((2, 2, 7), value), rows.int(), settings, torch.rand(1, 2), tokens)
        assert ((tokens >= 0) & (tokens < 7)).all()
    ties = torch.zeros(2, 2, 7)
    native.draw(ties, rows.int(), torch.tensor([[3.0, 0.0, 0.0, 1.0]]), torch.rand(1, 2), tokens)
    assert torch.equal(tokens, torch.zeros(1, 2, dtype=torch.long))  # of equals, the first
    right = (ties, rows.int(), settings, torch.rand(1, 2), tokens)
    for place, wrong in (
        (0, ties[:1]),
        (0, torch.zeros(2, 3, 7)),
        (0, torch.zeros(2, 2, 0)),
        (1, torch.tensor([3], dtype=torch.int32)),
        (1, torch.tensor([2, 1], dtype=torch.int32)),
        (2, settings[:, :3].contiguous()),
        (3, torch.rand(1, 3)),
        (4, torch.empty(1, 3, dtype=torch.long)),
        (4, torch.empty(1, 2)),
    ):
        with pytest.raises((TypeError, ValueError)):
            native.draw(*right[:place], wrong, *right[place + 1 :])
