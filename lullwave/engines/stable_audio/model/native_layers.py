"""Transformer layers of both networks by the native package: each is one call that computes outside the GIL.

``denoiser.py`` and ``decoder.py`` define the layers. Here products take bfloat16 and sum in float32, and what goes from
layer to layer stays float32, so that less is rounded than by torch in bfloat16.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ....errors import EngineError, InvalidInput
from ...native_package import FAST_LAYERS, find_native
from ...networks import return_memory
from .attention import Rotary

HEAD = 64  # channels of a head, which the kernels are made for
HALVES = (0, 16, 32)  # angles of a rotation


def choose_layers(backend: str, device: torch.device, dtype: torch.dtype, int8: bool = False) -> NativeLayers | None:
    """What makes layers of the native package, or None for torch's. ``auto``: where they are faster.

    Raises:
        InvalidInput: ``native`` on another device than a CPU, or in another precision than bfloat16.
        EngineError: ``native``, and the package is missing or has no kernels for this CPU.
    """
    fits = device.type == "cpu" and dtype is torch.bfloat16 and not int8
    if backend == "torch" or (backend == "auto" and not fits):
        return None
    if not fits:
        told = "int8" if int8 else str(dtype).removeprefix("torch.")
        raise InvalidInput("backend", backend, f"auto or torch with {told} on {device} (native: bfloat16 on a CPU)")
    found = find_native()
    if backend == "native" and not found.layer_levels:
        raise EngineError(f"backend native: {found.problem or 'lullwave-native has no such kernels for this CPU'}")
    wanted = FAST_LAYERS in found.layer_levels or backend == "native"
    return NativeLayers(found.module) if wanted else None


class NativeLayers:
    """Makes layers that share one team of threads, of as many as torch has when a layer is called."""

    def __init__(self, module: Any, level: str = "") -> None:
        """``module`` is ``lullwave_native``."""
        self.module = module
        self._level = level
        self._team: Any = None

    @property
    def team(self) -> Any:
        """The threads; a layer at a time."""
        if self._team is None or self._team.threads != torch.get_num_threads():
            self._team = self.module.LayerTeam(torch.get_num_threads(), self._level)
        return self._team

    def takes(self, attn: Any, ff: Any, rotary: Rotary, norms: Sequence[Any], text: Any = None) -> bool:
        """Tell whether the kernels know a layer: its sizes, norms of one kind, and weights that are not quantized.

        ``text``: the attention to the text of a layer that has one.
        """
        parts = [attn.to_qkv, attn.to_out, ff.proj_in, ff.proj_out]
        if text is not None:
            parts += [text.to_q, text.to_out]
            norms = [*norms, text.q_norm]
        linear = all(isinstance(part, nn.Linear) for part in parts)
        plain = linear and attn.to_qkv.bias is None and (text is None or text.to_q.bias is None)
        tanh = hasattr(attn.q_norm, "alpha")
        of_a_kind = all(hasattr(norm, "alpha" if tanh else "eps") for norm in (attn.q_norm, attn.k_norm, *norms))
        sizes = (attn.to_out.out_features, ff.proj_in.out_features // 2) if linear else (1,)
        fit = attn.dim_heads == HEAD and rotary.angles in HALVES and not any(size % HEAD for size in sizes)
        return plain and of_a_kind and fit


class _NativeLayer:
    """What the layers of both networks have in common; its weights are taken out of the network."""

    def __init__(self, layers: NativeLayers, attn: Any, ff: Any, rotary: Rotary, band: int = -1) -> None:
        self._layers, self._rotary = layers, rotary
        maps, inner = 2 if attn.use_differential else 1, ff.proj_in.out_features // 2
        tanh, sine = hasattr(attn.q_norm, "alpha"), bool(getattr(ff, "sinusoidal", False))
        self._layer = layers.module.TransformerLayer(
            attn.to_out.out_features, attn.heads, maps, inner, band, tanh, sine
        )
        for name, owner, part in (
            ("qkv", attn, "to_qkv"),
            ("out", attn, "to_out"),
            ("ff_in", ff, "proj_in"),
            ("ff_out", ff, "proj_out"),
        ):
            self._take(name, owner, part)
        self._norm("q", attn.q_norm)
        self._norm("k", attn.k_norm)

    def _take(self, name: str, owner: Any, part: str) -> None:
        linear = getattr(owner, part)
        bias = None if linear.bias is None else linear.bias.detach().float().contiguous()
        self._layer.set_product(name, linear.weight.detach().bfloat16().contiguous().view(torch.int16), bias)
        setattr(owner, part, None)

    def _norm(self, name: str, norm: Any, weights: bool = True) -> None:
        """``weights``: those of the norm count; else what multiplies and is added is given with each call."""
        gamma = norm.gamma.detach().float().tolist() if weights else []
        beta = norm.beta.detach().float().tolist() if weights and hasattr(norm, "beta") else []
        alpha = float(norm.alpha) if hasattr(norm, "alpha") else 1.0
        self._layer.set_norm(name, gamma, beta, alpha, float(getattr(norm, "eps", 0.0)))

    def _run(self, x: Tensor, *rest: Tensor | None) -> None:
        """``x`` (B, T, width) in float32 is changed in place; see ``TransformerLayer.run``."""
        modulation, *text = rest or (None,)
        self._layer.run(self._layers.team, x, modulation, *self._rotary.halves(x.shape[1]), *text)


class NativeDenoiserLayer(_NativeLayer):
    """A layer of ``StableAudio3DiTModel``; the weights for the text stay in the network."""

    @torch.no_grad()
    def __init__(self, layers: NativeLayers, block: Any, rotary: Rotary) -> None:
        super().__init__(layers, block.self_attn, block.ff, rotary)
        self._norm("attn", block.pre_norm, weights=False)
        self._norm("ff", block.ff_norm, weights=False)
        self._take("text_q", block.cross_attn, "to_q")
        self._take("text_out", block.cross_attn, "to_out")
        self._norm("text", block.cross_attend_norm)
        self._norm("text_q", block.cross_attn.q_norm)
        return_memory()

    def __call__(self, x: Tensor, modulation: Tensor, text: tuple[Tensor, ...], known: Tensor | None) -> None:
        """Change (B, T, width) states in place.

        Args:
            x: float32, as everything else.
            modulation: (6, B, width) factor, summand, gate of the attention, and of the feed-forward. A factor stands
                for the weights of the norm, too.
            text: keys and values (B, heads, L, D), and an (L,) bias of their scores.
            known: (B, known, width), added to the last positions.
        """
        self._run(x, modulation, *text, known)


class NativeDecoderLayer(_NativeLayer):
    """A layer of the decoder of ``AutoencoderSAME``."""

    @torch.no_grad()
    def __init__(self, layers: NativeLayers, layer: Any) -> None:
        processor = layer.attn.processor
        super().__init__(layers, layer.attn, layer.ff, processor.rotary, processor.band)
        self._norm("attn", layer.norm_attn)
        self._norm("ff", layer.norm_ff)
        return_memory()

    def __call__(self, x: Tensor) -> Tensor:
        """(B, T, width) → the same in float32: the tensor itself, changed, if it is of that type and contiguous."""
        x = x.float().contiguous()
        self._run(x)
        return x
