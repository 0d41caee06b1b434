"""The codec's layers by the native package, in float32; ``codec.py`` is their definition.

Sequences are (B, C, T) as there, but the channels of one moment lie side by side in memory. So every convolution is one
product of rows that overlap, and an upsampling by s is one with s outputs for each channel: nothing is unfolded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .codec import Conv, Layers, Lstm, Up, depth_of
from .grouped_int8 import quantize

_SHAPE = torch.device("meta")  # without numbers


class NativeLayers(Layers):
    """Makes layers that share one team of threads."""

    def __init__(self, module: Any, threads: int, pinned: bool = False, level: str = "") -> None:
        """``module`` is ``lullwave_native``."""
        super().__init__(torch.device("cpu"), torch.float32)
        self._module = module
        self._team = module.CodecTeam(threads, pinned, level)
        self._level = level

    def conv(self, weight: Tensor, bias: Tensor) -> Conv:
        return _NativeConv(weight.to(_SHAPE), bias, self._product(weight.permute(0, 2, 1), bias))

    def up(self, weight: Tensor, bias: Tensor) -> Up:
        stride = weight.shape[2] // 2
        # (in, out, 2 s) → (s, out, 2, in): an output takes from the input before and from its own
        parts = torch.stack([weight[..., stride:], weight[..., :stride]]).permute(3, 2, 0, 1)
        return _NativeUp(weight.to(_SHAPE), bias, self._product(parts.flatten(0, 1), bias.repeat(stride)))

    def lstm(self, weights: dict[str, Tensor]) -> Lstm:
        if weights["weight_hh_l0"].shape[1] % 16:
            return super().lstm(weights)
        return _NativeLstm(self, weights)

    def elu(self, x: Tensor, inplace: bool) -> Tensor:
        rows = _rows(x)
        out = rows if inplace else torch.empty_like(rows)
        self._team.elu(rows, out)
        return out.transpose(1, 2)

    def _product(self, weight: Tensor, bias: Tensor) -> _Product:
        """``weight`` is (out, taps, in)."""
        packed = self._module.FloatMatrix(weight.flatten(1).float().contiguous(), bias.float().contiguous())
        return _Product(self._team, packed, weight.shape[1], weight.shape[0])

    def recurrent(self, weight: Tensor) -> Any:
        """8-bit weights (4 H, H) of an LSTM."""
        found = quantize(weight)
        return self._module.Linear(found.values, found.scales, found.loud, found.loud_weights, self._level)

    def gates(self, weight: Tensor, bias: Tensor) -> _Product:
        """The product of an LSTM's inputs with (4 H, H)."""
        return self._product(weight[:, None], bias)

    def recur(self, weights: Any, gates: Tensor, h: Tensor, c: Tensor) -> Tensor:
        """Run an LSTM layer: gates (B, T, 4 H) without the recurrent part → (B, T, H); changes h and c (B, H)."""
        out = gates.new_empty(*gates.shape[:2], h.shape[1])
        self._team.lstm(weights, gates, h, c, out)
        return out


@dataclass(frozen=True)
class _Product:
    """A matrix and the team that multiplies it with rows of a sequence."""

    team: Any
    matrix: Any
    taps: int
    outputs: int

    def __call__(
        self, before: Tensor | None, x: Tensor, after: Tensor | None = None, added: Sequence[Tensor] = ()
    ) -> Tensor:
        """Rows (B, n, C) of the joined parts → (B, n - taps + 1, outputs)."""
        rows = sum(part.shape[1] for part in (before, x, after) if part is not None)
        out = x.new_empty(x.shape[0], rows - self.taps + 1, self.outputs)
        self.team.multiply(self.matrix, self.taps, before, x, after, *(None, None, *added)[-2:], out)
        return out


@dataclass(frozen=True)
class _NativeConv(Conv):
    multiply: _Product

    def product(self, parts: Sequence[Tensor], added: Sequence[Tensor]) -> Tensor:
        rows = [_rows(part) for part in parts]
        before, x, after = rows[0] if self.tail else None, rows[1 if self.tail else 0], rows[2] if rows[2:] else None
        return self.multiply(before, x, after, [_rows(part) for part in added]).transpose(1, 2)


@dataclass(frozen=True)
class _NativeUp(Up):
    """State: the last input."""

    multiply: _Product

    def __call__(self, x: Tensor, state: Tensor | None, last: bool) -> tuple[Tensor, Tensor]:
        rows = _rows(x)
        nothing = rows.new_zeros(rows.shape[0], 1, rows.shape[2])
        made = self.multiply(nothing if state is None else _rows(state), rows, nothing if last else None)
        y = made.view(made.shape[0], -1, self.bias.shape[0]).transpose(1, 2)
        start = self.lag if state is None else 0
        return y[..., start : x.shape[-1] * self.stride + (self.lag if last else 0)], x[..., -1:]


class _NativeLstm:
    """State: h and c per layer. The recurrent weights have 8 bits, in groups of 256."""

    def __init__(self, layers: NativeLayers, weights: dict[str, Tensor]) -> None:
        self._layers = layers
        self._weights = [
            (
                layers.gates(weights[f"weight_ih_l{i}"], weights[f"bias_ih_l{i}"] + weights[f"bias_hh_l{i}"]),
                layers.recurrent(weights[f"weight_hh_l{i}"]),
            )
            for i in range(depth_of(weights))
        ]
        self.cells = 2 * len(self._weights)

    def __call__(self, x: Tensor, state: Sequence[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        y = rows = _rows(x)
        new: list[Tensor] = []
        for i, (gates, recurrent) in enumerate(self._weights):
            h, c = (
                [part.clone() for part in state[2 * i : 2 * i + 2]]
                if state is not None
                else rows.new_zeros(2, rows.shape[0], rows.shape[2]).unbind()
            )
            y = self._layers.recur(recurrent, gates(None, y), h, c)
            new += [h, c]
        return (y + rows).transpose(1, 2), new


def _rows(x: Tensor) -> Tensor:
    """(B, C, T) → (B, T, C), a copy only where the memory lies otherwise."""
    return x.transpose(1, 2).contiguous()
