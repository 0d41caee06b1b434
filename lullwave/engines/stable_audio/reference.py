"""Compares the engine with the pipeline of diffusers, on the same prompt, noise and latents, in float32."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ...errors import CheckpointError
from ..comparison import Comparison, compared
from .pipeline import Config, Decode, Paint, Work

STEPS = 4
SECONDS = 3.0
TEXT = "calm piano, rainy night"


@torch.inference_mode()
def compare(directory: Path, make: Callable[[Work, Config], Tensor]) -> Comparison:
    """Compare latents after a few steps, and the sound of the same latents; returns the comparison that is worse.

    Args:
        directory: the checkpoint, which the reference loads a second time.
        make: makes a piece of work with the networks to be compared; see ``Pipeline.make``.

    Raises:
        CheckpointError: the reference cannot load the directory.
    """
    import diffusers

    try:
        reference = diffusers.StableAudio3Pipeline.from_pretrained(
            directory, torch_dtype=torch.float32, local_files_only=True
        )
    except Exception as error:  # the library raises errors of all kinds
        raise CheckpointError(f"diffusers cannot load {directory}: {error}") from error
    reference.set_progress_bar_config(disable=True)
    config = reference.vae.config
    length = math.ceil(SECONDS * config.sampling_rate / reference.vae.downsampling_ratio)
    draws = _draws(config.latent_dim, length)
    expected = reference(
        TEXT,
        SECONDS,
        num_inference_steps=STEPS,
        guidance_scale=1.0,
        generator=torch.Generator().manual_seed(1),
        output_type="latent",
    ).audios[0]
    made = make(Paint({TEXT: 1.0}, length, draws, SECONDS), Config(STEPS))
    sound = reference.vae.decode(expected[None]).sample[0]
    return min(
        compared(f"latents of {STEPS} steps", expected.numpy(), made.numpy()),
        compared("sound of the same latents", sound.numpy(), make(Decode(expected), Config()).numpy()),
        key=lambda one: -1.0 if math.isnan(one.cosine) else one.cosine,  # what is no number is worst
    )


def _draws(channels: int, length: int) -> Callable[[int], Tensor]:
    """The noise that the reference draws from its generator, by step."""
    generator = torch.Generator().manual_seed(1)
    drawn = [torch.randn((1, channels, length), generator=generator)[0] for _ in range(STEPS + 1)]
    return drawn.__getitem__
