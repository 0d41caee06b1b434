"""Makes a clip from audio: changes all of it, or makes a passage of it anew."""

from __future__ import annotations

import math
import threading

import numpy as np
import torch

from ...audio import Audio
from ...errors import InvalidInput, Unsupported
from ...request import Request
from .noise import latent_noise
from .options import StableAudioOptions
from .pipeline import Config, Encode, Paint, fitted, sound_of
from .stream import Studio
from .track import Latents


def rework(studio: Studio, source: Audio, request: Request, options: StableAudioOptions, longest: int) -> Latents:
    """(channels, T): the latents of a clip made from ``source``.

    With ``options.repaint`` the latents outside of the passage are those of the source, and the model sees them; else
    all of the source is noised to ``options.strength`` and denoised.

    Args:
        studio: the engine.
        source: audio of any rate; what the clip has beyond its end is made from silence.
        request: of a finite length.
        options: those of the request.
        longest: latents of a clip, at most.

    Raises:
        InvalidInput: the request is endless or too long, or the passage lies outside of the clip.
    """
    seconds = request.duration_s
    if seconds is None:
        raise Unsupported("source", source, "an endless stream is not made from audio; give a length")
    frames = round(seconds * studio.rate)
    length = -(-frames // studio.hop)
    if length > longest:
        allowed = f"at most {longest * studio.hop / studio.rate:.0f} seconds for a clip made from audio"
        raise InvalidInput("duration_s", seconds, allowed)
    sound = fitted(source, studio.rate, studio.channels)[:frames]
    closed = threading.Event()
    encoded = torch.zeros(studio.size, length)
    if sound.frames:
        latents = studio.work(Encode(sound_of(sound)), Config(), closed)
        encoded[:, : latents.shape[1]] = latents
    mask = _mask(options, seconds, length, studio.rate / studio.hop)
    paint = Paint(
        prompts={request.prompt: 1.0},
        length=length,
        noise=lambda step: latent_noise(request.seed, step, 0, length, studio.size),
        told_s=seconds,
        known=None if mask is None else encoded,
        mask=mask,
        init=encoded if mask is None else None,
    )
    strength = options.strength if mask is None else 1.0
    painted = studio.work(paint, studio.config(options, strength), closed)
    if mask is not None:
        painted = torch.where(mask > 0, encoded, painted)
    made: Latents = np.ascontiguousarray(painted.numpy())
    return made


def _mask(options: StableAudioOptions, seconds: float, length: int, latents_a_second: float) -> torch.Tensor | None:
    """(T,): 0 in the passage to make anew, 1 elsewhere; None without a passage."""
    if options.repaint is None:
        return None
    start_s, stop_s = options.passage()
    if start_s >= seconds:
        raise InvalidInput("options.repaint", options.repaint, f"a passage of the {seconds:g} seconds of the clip")
    mask = torch.ones(length)
    mask[int(start_s * latents_a_second) : math.ceil(stop_s * latents_a_second)] = 0.0
    return mask
