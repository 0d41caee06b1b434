"""The pipeline on a tiny checkpoint: continuity, batches, masks, loops and width, each against what must be equal."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from pictures import picture  # noqa: E402

from lullwave.engines.riffusion.clip_options import DenoisingConfig, Interpolation, MagicMix, PromptInput  # noqa: E402  # noqa: E402
from lullwave.engines.riffusion.sampler import SeedPair  # noqa: E402
from lullwave.errors import Cancelled  # noqa: E402

FAST = DenoisingConfig(steps=4)
A = PromptInput("rainy night piano", 11)
B = PromptInput("warm synthwave, (drums:1.4)", 12, denoising=0.75, guidance=5.0)
C = PromptInput("a very long wish " * 12, 13)


def latents(pipeline, clip, image, mask=None, config=FAST):
    return pipeline.latents([pipeline.image_request(clip, image, mask)], config)[0]


@pytest.mark.parametrize("scheduler", [None, "ddim", "dpm++", "lcm", "euler-ancestral"])
def test_the_end_of_one_clip_is_the_beginning_of_the_next(pipeline, small_image, scheduler):
    config = replace(FAST, scheduler=scheduler)
    end = latents(pipeline, Interpolation(A, B, 1.0), small_image, config=config)
    begin = latents(pipeline, Interpolation(B, C, 0.0), small_image, config=config)
    assert torch.equal(end, begin)


def test_prompts_of_different_lengths_meet_without_a_jump(pipeline, small_image):
    almost = latents(pipeline, Interpolation(A, C, 0.9999), small_image)
    end = latents(pipeline, Interpolation(A, C, 1.0), small_image)
    assert float((almost - end).abs().max()) < 0.02 * float(end.std())


def test_every_field_of_an_end_is_heard(pipeline, small_image):
    def of(end, alpha=0.5):
        return latents(pipeline, Interpolation(A, end, alpha), small_image)

    base = of(A)
    for change in (
        {"prompt": "brass"},
        {"seed": 99},
        {"negative_prompt": "brass"},
        {"denoising": 0.2},
        {"guidance": 20.0},
    ):
        assert not torch.allclose(of(replace(A, **change)), base, atol=1e-5), change


def test_negative_prompts_are_interpolated(pipeline, small_image):
    avoid = replace(A, negative_prompt="brass")
    walk = [latents(pipeline, Interpolation(A, avoid, alpha), small_image) for alpha in (0.0, 0.5, 1.0)]
    assert torch.equal(walk[2], latents(pipeline, Interpolation(avoid, A, 0.0), small_image))
    whole = float((walk[2] - walk[0]).norm())
    assert 0.2 * whole < float((walk[1] - walk[0]).norm()) < 0.8 * whole


def test_a_batch_of_alphas_is_what_single_calls_give(pipeline, small_image):
    clips = [Interpolation(A, replace(B, denoising=A.denoising), alpha) for alpha in (0.0, 0.25, 0.5, 0.75, 1.0)]
    together = pipeline.latents([pipeline.image_request(clip, small_image) for clip in clips], FAST)
    for clip, row in zip(clips, together, strict=True):
        torch.testing.assert_close(row, latents(pipeline, clip, small_image), rtol=1e-4, atol=1e-4)


def test_small_passes_give_what_one_large_pass_gives(pipeline, small_image):
    requests = [pipeline.image_request(Interpolation(A, B, alpha), small_image) for alpha in (0.0, 1.0)]
    requests = [replace(request, strength=0.75) for request in requests]
    torch.testing.assert_close(
        pipeline.latents(requests, replace(FAST, max_rows=1)), pipeline.latents(requests, FAST), rtol=1e-4, atol=1e-4
    )


def test_no_guidance_makes_no_second_pass(pipeline, small_image, monkeypatch):
    rows = []
    unet = pipeline._weights.unet
    forward = unet.forward
    monkeypatch.setattr(unet, "forward", lambda x, *a, **k: rows.append(len(x)) or forward(x, *a, **k))
    latents(pipeline, Interpolation(replace(A, guidance=1.0), replace(A, guidance=0.0), 0.5), small_image)
    assert set(rows) == {1}
    latents(pipeline, Interpolation(A, A, 0.5), small_image)
    assert set(rows) == {1, 2}


def test_black_is_kept_white_is_repainted_grey_blends(pipeline, small_image, small_mask):
    clip = Interpolation(A, B, 0.5)
    clean = pipeline.encode(small_image)
    free = latents(pipeline, clip, small_image)
    assert torch.equal(latents(pipeline, clip, small_image, small_mask.point(lambda v: 0)), clean)
    torch.testing.assert_close(latents(pipeline, clip, small_image, small_mask.point(lambda v: 255)), free)
    half = latents(pipeline, clip, small_image, small_mask)
    assert torch.equal(half[:, 0], clean[:, 0])
    assert (half[:, -1] - free[:, -1]).norm() < 0.5 * (clean[:, -1] - free[:, -1]).norm()
    assert (half[:, 8] - clean[:, 8]).norm() > 0.1 * (clean[:, 8] - free[:, 8]).norm()


def test_no_strength_gives_the_seed_image_back(pipeline, small_image):
    still = replace(A, denoising=0.0)
    assert torch.equal(latents(pipeline, Interpolation(still, still, 0.5), small_image), pipeline.encode(small_image))


def test_a_closed_loop_has_no_edge(pipeline, small_image):
    """Everything under a closed loop commutes with turning the circle, so no column is special."""
    turned = Image.fromarray(np.roll(np.asarray(small_image), 64, axis=1))
    torch.testing.assert_close(
        pipeline.encode(turned, loop=True), pipeline.encode(small_image, loop=True).roll(8, -1), atol=1e-5, rtol=1e-4
    )
    row = pipeline.encode(small_image, loop=True)
    here = np.asarray(pipeline.decode(row.roll(8, -1), loop=True)).astype(int)
    there = np.roll(np.asarray(pipeline.decode(row, loop=True)), 64, axis=1).astype(int)
    assert np.abs(here - there).max() <= 1
    unet, text = pipeline._weights.unet, pipeline.text.embed(())[None]
    torch.manual_seed(2)
    noise = torch.randn(1, 4, 16, 16)
    with torch.inference_mode(), pipeline._weights.loop.set(True):
        before = unet(noise, 300, encoder_hidden_states=text).sample.roll(8, -1)
        after = unet(noise.roll(8, -1), 300, encoder_hidden_states=text).sample
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)
    with torch.inference_mode():  # and without the loop the edges do differ
        open_ = unet(noise.roll(8, -1), 300, encoder_hidden_states=text).sample
    assert float((open_ - after).abs().max()) > 1e-3


def test_wide_images_need_no_seed_image_and_any_width(pipeline):
    for width in (512, 736, 1280):
        request = replace(pipeline.image_request(Interpolation(A, A, 0.0), None, width=width), height=64)
        image = pipeline.make([request], replace(FAST, steps=2))[0]
        assert image.size == (width, 64)


def test_one_run_can_be_watched_and_given_up(pipeline, small_image):
    seen = []
    request = pipeline.image_request(Interpolation(A, A, 0.0), small_image)
    pipeline.latents([request], FAST, progress=lambda done, of: seen.append((done, of)))
    assert seen[0] == (0, seen[-1][1])
    assert [done for done, _ in seen] == list(range(seen[-1][1] + 1))
    with pytest.raises(Cancelled):
        pipeline.latents([request], FAST, cancelled=lambda: True)


def test_sizes_are_rounded_down_to_multiples_of_32(pipeline):
    image = picture(150, 128, 5).resize((150, 101))
    assert pipeline.make([pipeline.image_request(Interpolation(A, A, 0.0), image)], FAST)[0].size == (128, 96)


def test_wide_images_are_encoded_and_decoded_in_windows_without_a_seam(pipeline, monkeypatch):
    from lullwave.engines.riffusion import pipeline as module

    image = picture(768, 64, 9)
    whole = pipeline.encode(image)
    back = np.asarray(pipeline.decode(whole)).astype(int)
    monkeypatch.setattr(module, "ENCODED", 64)
    monkeypatch.setattr(module, "DECODED", 64)
    assert float((pipeline.encode(image) - whole).abs().mean()) < 0.2 * float(whole.std())
    parts = np.asarray(pipeline.decode(whole)).astype(int)
    steps, steps_of_parts = (np.abs(np.diff(one, axis=1)).mean((0, 2)) for one in (back, parts))
    assert steps_of_parts.max() < 1.5 * steps.max()  # windows differ a little, but nowhere by a step


def test_the_prompt_can_change_along_a_wide_image(pipeline):
    wide = [
        replace(
            pipeline.image_request(Interpolation(end, end, 0.0), None, width=1536), height=64, seeds=SeedPair(1, 1, 0.0)
        )
        for end in (A, C)
    ]
    along = replace(wide[0], condition_end=wide[1].condition)
    a, c, both = (pipeline.latents([request], DenoisingConfig(1, "ddim"))[0] for request in (*wide, along))
    left, right = slice(0, 40), slice(-40, None)
    torch.testing.assert_close(both[..., left], a[..., left], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(both[..., right], c[..., right], atol=1e-4, rtol=1e-3)
    assert not torch.allclose(both[..., 90:100], a[..., 90:100], atol=1e-5)


def test_magic_mix_stays_nearer_to_the_image_than_plain_repainting(pipeline, small_image):
    clean = pipeline.encode(small_image)
    clip = Interpolation(replace(A, denoising=0.5), replace(A, denoising=0.5), 0.0)
    config = replace(FAST, steps=20, scheduler="ddim")
    plain = latents(pipeline, clip, small_image, config=config)
    mixed = latents(pipeline, clip, small_image, config=replace(config, mix=MagicMix()))
    assert 0 < float((mixed - clean).norm()) < float((plain - clean).norm())
    nothing = latents(pipeline, clip, small_image, config=replace(config, mix=MagicMix(0.3, 0.5, 1.0)))
    torch.testing.assert_close(nothing, plain)
