"""The same latents and sound as the pipelines of diffusers, from the same noise."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from lullwave.engines.stable_audio.model.checkpoint import load  # noqa: E402
from lullwave.engines.stable_audio.pipeline import Config, Paint, Pipeline  # noqa: E402
from lullwave.engines.stable_audio.reference import compare  # noqa: E402

SECONDS = 5.0
RATE, HOP, CHANNELS = 8000, 1024, 8
LENGTH = -(-int(SECONDS * RATE) // HOP)
TOLERANCE = 5e-6  # the latents have a standard deviation of about 0.5


def theirs(kind, directory):
    import diffusers

    pipeline = getattr(diffusers, kind).from_pretrained(directory)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def drawn(seed):
    """What a pipeline draws from its generator, by step."""
    generator, draws = torch.Generator().manual_seed(seed), []

    def noise(step):
        while len(draws) <= step:
            draws.append(torch.randn((1, CHANNELS, LENGTH), generator=generator)[0])
        return draws[step]

    return noise


def difference(reference, ours):
    assert reference.shape == ours.shape
    assert reference.std() > 0.1
    return float((reference - ours).abs().max())


def test_text_to_audio(checkpoint, networks):
    expected = theirs("StableAudio3Pipeline", checkpoint)(
        ["rainy piano", "warm synth pads, tape"],
        SECONDS,
        generator=[torch.Generator().manual_seed(seed) for seed in (1, 2)],
        output_type="latent",
    ).audios
    asked = [
        Paint({prompt: 1.0}, LENGTH, drawn(seed), SECONDS)
        for prompt, seed in (("rainy piano", 1), ("warm synth pads, tape", 2))
    ]
    made = Pipeline(networks).paint(asked, Config())
    assert difference(expected, torch.stack(made)) < TOLERANCE


def test_sound_of_a_clip(checkpoint, networks):
    expected = theirs("StableAudio3Pipeline", checkpoint)(
        "rainy piano", SECONDS, generator=torch.Generator().manual_seed(1)
    ).audios[0]
    latents = Pipeline(networks).paint([Paint({"rainy piano": 1.0}, LENGTH, drawn(1), SECONDS)], Config())[0]
    sound = networks.autoencoder.decode_whole(latents[None])[0]
    made = sound[:, : expected.shape[1]].clamp(-1, 1)
    assert float((made - expected).abs().max()) < 1e-5
    assert expected.abs().max() > 0.01


@pytest.mark.parametrize("prompt", ["rainy piano, -drums", "rainy piano"])
def test_guidance_away_from_what_a_prompt_excludes_with_euler_steps(base_checkpoint, prompt):
    avoided = "drums" if "drums" in prompt else None
    expected = theirs("StableAudio3Pipeline", base_checkpoint)(
        "rainy piano",
        SECONDS,
        num_inference_steps=6,
        guidance_scale=3.0,
        negative_prompt=avoided,
        generator=torch.Generator().manual_seed(1),
        output_type="latent",
    ).audios[0]
    pipeline = Pipeline(load(base_checkpoint, torch.device("cpu"), torch.float32))
    made = pipeline.paint([Paint({prompt: 1.0}, LENGTH, drawn(1), SECONDS)], Config(6, guidance=3.0))[0]
    assert difference(expected, made) < TOLERANCE
    assert pipeline.steps == 100


def test_inpainting(checkpoint, networks):
    sound = torch.randn(1, 2, int(SECONDS * RATE), generator=torch.Generator().manual_seed(9)) * 0.3
    expected = theirs("StableAudio3InpaintPipeline", checkpoint)(
        "rainy piano",
        SECONDS,
        audio=sound,
        mask_start_seconds=1.0,
        mask_end_seconds=3.0,
        generator=torch.Generator().manual_seed(1),
        output_type="latent",
    ).audios[0]
    mask = torch.ones(LENGTH)
    mask[int(1.0 * RATE / HOP) : int(3.0 * RATE / HOP)] = 0.0
    known = networks.autoencoder.encode(sound)[0]
    asked = Paint({"rainy piano": 1.0}, LENGTH, drawn(1), SECONDS, known=known, mask=mask)
    made = Pipeline(networks).paint([asked], Config())[0]
    assert difference(expected, made) < TOLERANCE
    without = Pipeline(networks).paint([Paint({"rainy piano": 1.0}, LENGTH, drawn(1), SECONDS)], Config())[0]
    assert difference(expected, without) > 1e-3  # so what is known has an effect


def test_audio_to_audio(checkpoint, networks):
    sound = torch.randn(1, 2, int(SECONDS * RATE), generator=torch.Generator().manual_seed(9)) * 0.3
    expected = theirs("StableAudio3AudioToAudioPipeline", checkpoint)(
        "rainy piano",
        SECONDS,
        audio=sound,
        init_noise_level=0.6,
        generator=torch.Generator().manual_seed(1),
        output_type="latent",
    ).audios[0]
    init = networks.autoencoder.encode(sound)[0]
    asked = Paint({"rainy piano": 1.0}, LENGTH, drawn(1), SECONDS, init=init)
    made = Pipeline(networks).paint([asked], Config(strength=0.6))[0]
    assert difference(expected, made) < TOLERANCE


def test_the_check_of_a_model_finds_the_same_weights_and_tells_others(checkpoint, base_checkpoint, networks):
    def make(work, config):
        return Pipeline(networks).make([work], config)[0]

    found = compare(checkpoint, make)
    assert found.cosine > 0.99999
    assert found.largest < 1e-4
    assert compare(base_checkpoint, make).cosine < 0.9
