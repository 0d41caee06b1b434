"""Decodes latents into sound and encodes sound into latents, in chunks whose result equals that of the whole.

Every layer sees ``sliding_window`` latents to each side, so that a latent changes only the sound of its neighbours.
A chunk is computed with ``context`` latents around it, which are then dropped.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .banded_attention import use_banded_attention
from .decoder import Decoder
from .native_layers import NativeLayers
from .packing import available

CHUNK = 96  # latents at a time: 9 s of sound; bounds the memory of long files


class Autoencoder:
    """An ``AutoencoderSAME`` on one device. One thread at a time."""

    def __init__(
        self, network: Any, device: torch.device, dtype: torch.dtype, native: NativeLayers | None = None
    ) -> None:
        """``native``: layers of the decoder are computed by the native package, where it knows their sizes."""
        use_banded_attention(network)
        self._net, self._device, self._dtype = network, device, dtype
        config = network.config
        self.rate = int(config.sampling_rate)
        self.channels = int(config.audio_channels)
        self.hop = int(network.downsampling_ratio)  # frames per latent
        self.size = int(config.latent_dim)
        self._decoder = Decoder(network, packed=available(device, dtype), native=native)
        self.context = self._decoder.context  # latents on each side that a latent's sound depends on

    @torch.inference_mode()
    def decode(self, latents: Tensor, left: int = 0, right: int = 0) -> Tensor:
        """(B, C, frames) float32: the sound of (B, channels, T) latents but the first ``left`` and last ``right``."""
        return self._decoder(latents.to(self._device, self._dtype), left, right).float().cpu()

    def decode_whole(self, latents: Tensor) -> Tensor:
        """(B, C, T x hop) float32: the sound of (B, channels, T) latents, chunk by chunk."""
        return torch.cat([self.decode(*part) for part in self._chunks(latents, latents.shape[-1])], dim=-1)

    @torch.inference_mode()
    def encode(self, sound: Tensor) -> Tensor:
        """(B, channels, T) float32: the latents of (B, C, frames), whose end is filled up with silence."""
        count = -(-sound.shape[-1] // self.hop)
        sound = F.pad(sound, (0, count * self.hop - sound.shape[-1]))
        encoded = []
        for part, left, right in self._chunks(sound, count, self.hop):
            latents = self._net.encode(part.to(self._device, self._dtype)).latents
            encoded.append(latents[..., left : latents.shape[-1] - right].float().cpu())
        return torch.cat(encoded, dim=-1)

    def _chunks(self, whole: Tensor, count: int, size: int = 1) -> list[tuple[Tensor, int, int]]:
        """Parts of ``whole``, which has ``size`` values a latent, with their context: (part, left, right)."""
        parts = []
        for start in range(0, max(1, count), CHUNK):
            stop = min(count, start + CHUNK)
            left, right = min(self.context, start), min(self.context, count - stop)
            parts.append((whole[..., (start - left) * size : (stop + right) * size], left, right))
        return parts
