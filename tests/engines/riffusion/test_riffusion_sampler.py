"""Noise between seeds and the steps of the sampler, against formulas and diffusers itself."""

import math

import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from lullwave.engines.riffusion.model.random_checkpoint import SCHEDULER  # noqa: E402
from lullwave.engines.riffusion.noise import between_seeds, drawn, keyed, slerp  # noqa: E402
from lullwave.engines.riffusion.sampler import Sampler, SeedPair  # noqa: E402
from lullwave.engines.riffusion.schedulers import scheduler_names, short_name  # noqa: E402
from lullwave.errors import InvalidInput  # noqa: E402

COMPAT = (None, "ddim", "dpm++", "euler-ancestral")  # of each kind one
OWN = diffusers.PNDMScheduler(**SCHEDULER)


def test_slerp_walks_the_arc():
    a, b = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0])
    for alpha in (0.0, 0.25, 0.5, 1.0):
        angle = alpha * math.pi / 2
        torch.testing.assert_close(slerp(a, b, alpha), torch.tensor([2 * math.cos(angle), 2 * math.sin(angle)]))
    line = slerp(a, a * 1.5, 0.5)
    torch.testing.assert_close(line, a * 1.25)


def test_noise_between_seeds_keeps_its_power_and_meets_both_ends():
    shape = (4, 16, 16)
    assert torch.equal(between_seeds(5, 6, 0.0, shape), drawn(5, shape))
    assert torch.equal(between_seeds(5, 6, 1.0, shape), drawn(6, shape))
    torch.manual_seed(5)
    assert torch.equal(drawn(5, shape), torch.randn(shape))
    assert abs(float(between_seeds(5, 6, 0.5, shape).std()) - 1) < 0.1
    assert len({keyed(5, "step", 1), keyed(5, "step", 2), keyed(6, "step", 1), keyed(5, "other", 1)}) == 4


def test_schedulers_are_named_either_way():
    assert short_name("DPMSolverMultistepScheduler") == short_name("DPM++") == "dpm++"
    with pytest.raises(InvalidInput, match="pndm, ddim"):
        short_name("magic")


def perfect(sampler, clean, noise):
    """Run a sampler with a model that always knows the noise that is in its input."""
    latents = sampler.begin(clean, noise)
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    kept = torch.cumprod(1 - betas, 0)
    seeds = [SeedPair(1, 2, 0.5)] * len(clean)
    for timestep in sampler.timesteps:
        level = kept[int(timestep.round())]
        # what the UNet is shown has unit variance in every scheduler: x = sqrt(a) clean + sqrt(1-a) noise
        shown = sampler.scaled(latents, timestep)
        predicted = ((shown.double() - level.sqrt() * clean.double()) / (1 - level).sqrt()).float()
        latents = sampler.step(predicted, timestep, latents, seeds)
    return latents


@pytest.mark.parametrize("name", [None, *scheduler_names()])
@pytest.mark.parametrize("strength", [1.0, 0.75, 0.3])
def test_a_perfect_model_finds_the_clean_image_with_every_scheduler(name, strength):
    torch.manual_seed(1)
    clean, noise = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    sampler = Sampler(OWN, name, 20, strength)
    assert 1 <= len(sampler.timesteps) <= 40
    found = perfect(sampler, clean, noise)
    assert float((found - clean).square().mean().sqrt()) < 0.12


def test_no_strength_leaves_the_image_alone():
    clean, noise = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)
    for name in (None, "lcm", "dpm++"):
        sampler = Sampler(OWN, name, 20, 0.0)
        assert sampler.timesteps == []
        assert torch.equal(sampler.begin(clean, noise), clean)


def test_every_step_of_the_distilled_preset_is_taken_whatever_the_strength():
    for strength in (1.0, 0.75, 0.4):
        sampler = Sampler(OWN, "lcm", 4, strength)
        assert len(sampler.timesteps) == 4
        assert int(sampler.timesteps[0]) <= 1000 * strength


@pytest.mark.parametrize(
    ("steps", "strength", "first", "loop"),
    [(50, 0.75, 741, 38), (50, 0.0, 1, 1), (50, 1.0, 961, 50), (7, 0.5, 427, 4)],
)
def test_compat_keeps_the_old_arithmetic(steps, strength, first, loop):
    # PNDM visits steps + 1 levels; noise is that of timesteps[-n], the loop begins at steps - n + 1
    sampler = Sampler(OWN, None, steps, strength, compat=True)
    assert int(sampler._first) == first
    assert len(sampler.timesteps) == loop


@pytest.mark.parametrize(
    ("name", "compat"), [*((name, False) for name in (None, *scheduler_names())), *((name, True) for name in COMPAT)]
)
def test_few_steps_and_any_strength_give_numbers(name, compat):
    seeds = [SeedPair(1, 2, 0.5)]
    for steps, strength in ((1, 0.01), (1, 1.0), (2, 0.75), (3, 0.3), (3, 1.0)):
        sampler = Sampler(OWN, name, steps, strength, compat)
        latents = sampler.begin(torch.zeros(1, 4, 8, 8), torch.ones(1, 4, 8, 8))
        for timestep in sampler.timesteps:
            latents = sampler.step(torch.tanh(sampler.scaled(latents, timestep)), timestep, latents, seeds)
        assert latents.isfinite().all(), (steps, strength)


@pytest.mark.parametrize("name", [name for name in scheduler_names() if name != "lcm"])
def test_the_noise_of_a_step_comes_from_the_seeds(name):
    def run(seed):
        sampler = Sampler(OWN, name, 4, 1.0)
        latents = sampler.begin(None, torch.ones(1, 4, 8, 8))
        for timestep in sampler.timesteps:
            shown = sampler.scaled(latents, timestep)
            latents = sampler.step(torch.tanh(shown), timestep, latents, [SeedPair(seed, seed, 0.0)])
        return latents

    assert torch.equal(run(1), run(1))
    drawn_anew = {"ddpm", "dpm++-sde", "euler-ancestral", "kdpm2-ancestral", "sa-solver", "tcd"}
    assert torch.equal(run(1), run(2)) == (name not in drawn_anew)


@pytest.mark.parametrize("name", [None, "ddim", "dpm++", "euler", "lcm"])
def test_what_a_mask_keeps_has_the_noise_level_of_the_rest_and_ends_clean(name):
    clean, noise = torch.zeros(1, 4, 8, 8), torch.ones(1, 4, 8, 8)
    sampler = Sampler(OWN, name, 10, 0.8)
    latents = sampler.begin(clean, noise)
    for timestep in sampler.timesteps:
        shown = sampler.scaled(latents, timestep)
        level = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2, 0)[int(timestep.round())]
        latents = sampler.step(shown / (1 - level).sqrt(), timestep, latents, [SeedPair(1, 1, 0.0)])
        if name != "lcm":  # it draws fresh noise at every step
            torch.testing.assert_close(sampler.noised_init(clean, noise), latents, atol=0.03, rtol=0.03)
    torch.testing.assert_close(sampler.noised_init(clean, noise), clean, atol=0.05, rtol=0)
