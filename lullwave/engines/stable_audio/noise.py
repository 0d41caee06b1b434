"""Noise that is a function of seed, step and latent: streams, forks and batches draw what they would have drawn."""

from __future__ import annotations

import hashlib

import numpy as np
import torch

_PURPOSE = "stable-audio"


def latent_noise(seed: int, step: int, first: int, count: int, size: int) -> torch.Tensor:
    """(size, count) standard normal float32 for the latents from number ``first`` on.

    Each latent has a generator of its own (Philox, Salmon et al. 2011), so that a repainted latent starts from the
    noise that it had. Latents before the beginning of a stream have negative numbers.
    """
    key = int.from_bytes(hashlib.blake2b(f"{seed}/{_PURPOSE}".encode(), digest_size=16).digest(), "little")
    drawn = np.empty((count, size), np.float32)
    for n in range(count):
        counter = np.array([0, 0, (first + n) % 2**64, step], np.uint64)
        drawn[n] = np.random.Generator(np.random.Philox(key=key, counter=counter)).standard_normal(size, np.float32)
    return torch.from_numpy(drawn.T.copy())
