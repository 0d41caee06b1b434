"""Predicts velocities with the diffusion transformer of diffusers; what does not change between steps is computed once.

The layers are those of ``StableAudio3DiTModel``. Its own ``forward`` computes at every step the keys and values of the
text, the projections of what is known of the sound, and the angles of the positions; here a ``Conditioning`` holds
them for all steps of a pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .attention import Rotary, combine, norm, project, project_text
from .native_layers import NativeDenoiserLayer, NativeLayers
from .packed_layers import MULTIPLE, PackedDenoiserLayer


@dataclass(frozen=True, eq=False)
class Conditioning:
    """What a pass of B rows is conditioned on, at each of its steps."""

    text: list[tuple[Tensor, Tensor]]  # per layer: keys and values, (B, heads, L, D)
    text_bias: Tensor  # (L,) float32, added to the scores of the text
    modulations: Tensor  # (steps, B, 6 x width)
    known: list[Tensor] | None  # per layer: (B, T, width); None: nothing is known of the sound


class Denoiser:
    """The velocity of noisy latents. One thread at a time."""

    def __init__(self, transformer: Any, packed: bool = False, native: NativeLayers | None = None) -> None:
        """Prepare the layers.

        Args:
            transformer: a ``StableAudio3DiTModel``, whose weights may be taken out.
            packed: pack the products of all layers, for bfloat16 on a CPU; see ``packing.available``.
            native: compute the layers by the native package instead, if it knows their sizes.
        """
        self._net = transformer
        self.memory_tokens = int(transformer.config.num_memory_tokens)  # learned, before the latents
        self._rotary = Rotary(transformer.rotary_pos_emb.inv_freq)
        self._packed: list[PackedDenoiserLayer] = []
        self._native: list[NativeDenoiserLayer] = []
        blocks = transformer.transformer_blocks
        if packed or native is not None:
            self._gammas = torch.stack([torch.stack((one.pre_norm.gamma, one.ff_norm.gamma)) for one in blocks])
            self._own_modulation = torch.stack([one.to_scale_shift_gate for one in blocks])
        if native is not None and all(
            native.takes(
                one.self_attn, one.ff, self._rotary, (one.pre_norm, one.cross_attend_norm, one.ff_norm), one.cross_attn
            )
            for one in blocks
        ):
            self._native = [NativeDenoiserLayer(native, one, self._rotary) for one in blocks]
        elif packed:
            self._gammas = self._gammas * math.sqrt(transformer.config.embed_dim)
            self._packed = [PackedDenoiserLayer(one, self._rotary) for one in blocks]

    @property
    def native(self) -> bool:
        """Tell whether the native package computes the layers."""
        return bool(self._native)

    def condition(self, text: Tensor, duration: Tensor, timesteps: Tensor, known: Tensor | None) -> Conditioning:
        """Compute the conditioning of a pass.

        Args:
            text: (B, L, D) text states, which begin or end with the same padding.
            duration: (B, D) the state of the duration.
            timesteps: (steps,) noise levels of the steps, 0 to 1.
            known: (B, 1 + latent channels, T) the mask (1: known) and the known latents; None: text to audio.
        """
        net = self._net
        words, padding, count = _without_padding(text)
        context = net.to_cond_embed(torch.cat([duration[:, None], words, padding], dim=1))
        of_text = [project_text(block.cross_attn, context) for block in net.transformer_blocks]
        if self._packed:
            scales = [layer.key_scale for layer in self._packed]
            of_text = [((k * scale).to(k.dtype), v) for (k, v), scale in zip(of_text, scales, strict=True)]
        bias = torch.zeros(context.shape[1], device=context.device)
        bias[-1] = math.log(count)  # the last one stands for all of the padding, in the sum of a softmax, too
        features = net.timestep_features(timesteps.float()[:, None]).to(context.dtype)
        levels = net.to_global_embed(duration)[None] + net.to_timestep_embed(features)[:, None]
        local = None
        if known is not None:
            rows = known.transpose(1, 2)
            local = [block.to_local_embed(rows) for block in net.transformer_blocks]
        if self._native:
            of_text = [(k.float(), v.float()) for k, v in of_text]
            local = local and [one.float() for one in local]
        return Conditioning(of_text, bias, net.global_cond_embedder(levels), local)

    def velocity(
        self, latents: Tensor, step: int, given: Conditioning, between: Callable[[], None] = lambda: None
    ) -> Tensor:
        """(B, channels, T): the velocity of latents of the same shape at a step of the pass.

        ``between`` is called before each layer; what it raises ends the pass.
        """
        net = self._net
        latents = net.preprocess_conv(latents) + latents
        x = net.proj_in(latents.transpose(1, 2))
        if self.memory_tokens:
            x = torch.cat([net.memory_tokens.expand(len(x), -1, -1), x], dim=1)
        if self._native:
            return self._predicted(self._native_layers(x, step, given, between).to(x.dtype))
        if self._packed:
            return self._predicted(self._packed_layers(x, step, given, between))
        tables = self._rotary.tables(x.shape[1])
        modulation = given.modulations[step]
        for layer, block in enumerate(net.transformer_blocks):
            between()
            known = None if given.known is None else given.known[layer]
            x = self._block(block, x, modulation, tables, (*given.text[layer], given.text_bias), known)
        return self._predicted(x)

    def _predicted(self, x: Tensor) -> Tensor:
        """(B, channels, T): the velocity, of the states after the last layer."""
        out = self._net.proj_out(x[:, self.memory_tokens :]).transpose(1, 2)
        velocity: Tensor = self._net.postprocess_conv(out) + out
        return velocity

    def _packed_layers(self, x: Tensor, step: int, given: Conditioning, between: Callable[[], None]) -> Tensor:
        """(B, T, width) → the same by all packed layers."""
        count = x.shape[1]
        x = torch.cat([x, x[:, -1:].expand(-1, -count % MULTIPLE, -1)], dim=1)  # what is added is seen by nobody
        modulations = self._modulations(given.modulations[step])
        for number, layer in enumerate(self._packed):
            between()
            known = None if given.known is None else given.known[number]
            modulation = tuple(one[number, :, None] for one in modulations)
            x = layer(x, count, modulation, (*given.text[number], given.text_bias), known)
        return x[:, :count]

    def _native_layers(self, x: Tensor, step: int, given: Conditioning, between: Callable[[], None]) -> Tensor:
        """(B, T, width) → the same in float32 by all native layers."""
        x = x.float().contiguous()
        modulations = torch.stack(self._modulations(given.modulations[step].float()), dim=1)  # (layers, 6, B, width)
        for number, layer in enumerate(self._native):
            between()
            known = None if given.known is None else given.known[number]
            layer(x, modulations[number], (*given.text[number], given.text_bias), known)
        return x

    def _modulations(self, given: Tensor) -> tuple[Tensor, ...]:
        """Factor, summand and gate of the attention, and of the feed-forward, of all layers: (layers, B, width) each.

        ``given``: (B, 6 x width). A factor stands for the weights of the norm, too.
        """
        scale, shift, gate, scale_ff, shift_ff, gate_ff = (self._own_modulation[:, None] + given).chunk(6, dim=-1)
        factor, factor_ff = (1 + scale) * self._gammas[:, :1], (1 + scale_ff) * self._gammas[:, 1:]
        return factor, shift, torch.sigmoid(1 - gate), factor_ff, shift_ff, torch.sigmoid(1 - gate_ff)

    def _block(
        self,
        block: Any,
        x: Tensor,
        modulation: Tensor,
        tables: tuple[Tensor, Tensor],
        text: tuple[Tensor, Tensor, Tensor],
        known: Tensor | None,
    ) -> Tensor:
        """One layer on (B, T, width): self-attention, attention to the text, the known sound, feed-forward."""
        parts = (block.to_scale_shift_gate + modulation)[:, None].chunk(6, dim=-1)
        scale, shift, gate, scale_ff, shift_ff, gate_ff = parts
        attended = _self_attention(block.self_attn, _modulated(block.pre_norm, x, scale, shift), tables)
        x = torch.addcmul(x, attended, torch.sigmoid(1 - gate))
        x = x + _text_attention(block.cross_attn, norm(block.cross_attend_norm, x), text)
        if known is not None:
            x[:, self.memory_tokens :] += known
        fed = _feed_forward(block.ff, _modulated(block.ff_norm, x, scale_ff, shift_ff))
        return torch.addcmul(x, fed, torch.sigmoid(1 - gate_ff))


def _without_padding(text: Tensor) -> tuple[Tensor, Tensor, int]:
    """(B, L, D) text states without those that equal the first or the last of their row, one of these, how many it is.

    Tokenizers pad on either side. Without padding, the first or last state stands for itself. The order of text states
    does not matter: nothing tells the denoiser their positions.
    """
    first, last = ((text == text[:, at : at + 1 or None]).all(-1).all(0) for at in (0, -1))
    same, at = (first, 0) if first.sum() > last.sum() else (last, -1)
    return text[:, ~same], text[:, at : at + 1 or None], int(same.sum())


def _modulated(layer: Any, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """The norm of (B, T, width), times (B, 1, width) 1 + scale, plus shift."""
    return torch.addcmul(shift, norm(layer, x), 1 + scale)


def _feed_forward(ff: Any, x: Tensor) -> Tensor:
    """The gated layers ("SwiGLU", Shazeer 2020) of (B, T, width)."""
    inner, gate = ff.proj_in(x).chunk(2, dim=-1)
    out: Tensor = ff.proj_out(F.silu(gate).mul_(inner))
    return out


def _self_attention(attn: Any, x: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
    queries, keys, values = project(attn, x, tables)
    return _attend(attn, queries, keys.transpose(1, 2), values.transpose(1, 2))


def _text_attention(attn: Any, x: Tensor, text: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    queries = attn.to_q(x).unflatten(-1, (-1, attn.dim_heads))
    return _attend(attn, norm(attn.q_norm, queries), *text)


def _attend(attn: Any, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None = None) -> Tensor:
    """Attention of (B, T, heads, D) queries to (B, heads, L, D) keys and values, whose scores get an (L,) ``bias``."""
    mask = None if bias is None else bias.expand(queries.shape[0], 1, queries.shape[1], -1)
    out = F.scaled_dot_product_attention(queries.transpose(1, 2), keys, values, attn_mask=mask)
    return combine(attn, out.transpose(1, 2))
