"""Attention within a band, in blocks: the work grows with the length, not with its square.

The autoencoder of Stable Audio 3 lays a band mask over full attention, so that a token sees ``band`` neighbours on each
side. Here each block of queries meets only the keys that the band lets it see.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .attention import Rotary, combine, project

BLOCK = 64  # queries of a block, at least: fewer are slower per query, more compute more that the band hides


class BandedAttention:
    """A processor for the attention of ``AutoencoderSAME`` with ``band`` visible neighbours on each side."""

    def __init__(self, band: int, rotary: Rotary) -> None:
        self.band = band
        self._block = max(BLOCK, band)
        self.rotary = rotary
        self._masks: dict[tuple[int, torch.device], Tensor] = {}

    def __call__(self, attn: Any, hidden_states: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        """(B, N, width) attention; the dense ``attn_mask`` of the caller says what ``band`` says."""
        queries, keys, values = project(attn, hidden_states, self.rotary.tables(hidden_states.shape[1]))
        return combine(attn, self.attend(queries, keys, values))

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Attention of (B, N, heads, D) within the band."""
        rows, length, heads, size = queries.shape
        block, band = self._block, self.band
        blocks = -(-length // block)
        spare = blocks * block - length
        cut = F.pad(queries, (0, 0, 0, 0, 0, spare)).view(rows * blocks, block, heads, size).transpose(1, 2)

        def seen(one: Tensor) -> Tensor:
            """(rows x blocks, heads, block + 2 bands, D): what each block sees."""
            wide = F.pad(one, (0, 0, 0, 0, band, band + spare)).unfold(1, block + 2 * band, block)
            return wide.permute(0, 1, 2, 4, 3).flatten(0, 1)

        mask = self._mask(length, queries.device).repeat(rows, 1, 1, 1)
        out = F.scaled_dot_product_attention(cut, seen(keys), seen(values), attn_mask=mask)
        return out.transpose(1, 2).reshape(rows, blocks * block, heads, size)[:, :length]

    def _mask(self, length: int, device: torch.device) -> Tensor:
        """(blocks, 1, block, block + 2 bands): True where a query sees a key."""
        key = (length, device)
        if key not in self._masks:
            block, band = self._block, self.band
            starts = torch.arange(0, length, block, device=device)[:, None, None]
            query = starts + torch.arange(block, device=device)[:, None]
            there = starts + torch.arange(-band, block + band, device=device)
            near = (query - there).abs() <= band
            exists = (there >= 0) & (there < length)
            self._masks.clear()
            self._masks[key] = (near & (exists | (query >= length)))[:, None]  # padded queries see padding, not NaN
        return self._masks[key]


def use_banded_attention(autoencoder: Any) -> None:
    """Replace the attention of every layer of an ``AutoencoderSAME``; its results stay the same."""
    for block in (*autoencoder.encoder.blocks, *autoencoder.decoder.blocks):
        band = block.sliding_window * (block.stride + 1)
        rotary: Rotary | None = None
        for layer in block.transformers:
            rotary = rotary or Rotary(layer.attn.rope.inv_freq)
            layer.attn.set_processor(BandedAttention(band, rotary))
