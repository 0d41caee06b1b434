"""A streaming EnCodec decoder: codes in, samples out, chunk by chunk.

Défossez et al. 2022 (arXiv:2210.13438), the 32 kHz model of MusicGen: non-causal convolutions, an LSTM, four
upsampling stages. Every layer keeps the past that it needs (the tail of its input, the LSTM's state, the overlap of an
upsampling) and delays its output until the future that it needs has arrived. So the chunks joined equal the output for
all codes at once, whatever the chunk sizes. The state is passed in and out as a plain tuple of tensors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ....errors import CheckpointError
from ...linear import Int8Linear, Linear, int8_available
from .weights import Weights

_ROOT = "audio_encoder.decoder.layers."
_LSTM = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
State = tuple[Tensor, ...]  # empty before the first chunk


@dataclass(frozen=True)
class Conv:
    """A convolution of stride 1 with reflected ends. State: the last k - 1 inputs."""

    weight: Tensor
    bias: Tensor

    @property
    def tail(self) -> int:
        return int(self.weight.shape[2]) - 1

    @property
    def lag(self) -> int:
        """Outputs that wait for future inputs; with an odd padding the left side has one more."""
        return self.tail // 2

    def __call__(
        self, x: Tensor, state: Tensor | None, last: bool, added: Sequence[Tensor] = ()
    ) -> tuple[Tensor, Tensor]:
        """``added``: joined, it is added to the output, which may be shorter."""
        parts = [x]
        if self.tail:
            before = x[..., 1 : self.tail - self.lag + 1].flip(-1) if state is None else state
            parts = [before, x]
        state = end_of(parts, self.tail)
        if last and self.lag:
            parts.append(state[..., -self.lag - 1 : -1].flip(-1))
        return self.product(parts, added), state

    def product(self, parts: Sequence[Tensor], added: Sequence[Tensor]) -> Tensor:
        """The convolution of the joined parts, without padding."""
        y = F.conv1d(_joined(parts), self.weight, self.bias)
        return y + _joined(added)[..., : y.shape[-1]] if added else y


@dataclass(frozen=True)
class Up:
    """A transposed convolution whose kernel is twice its stride. State: what the last input adds to the next."""

    weight: Tensor
    bias: Tensor

    @property
    def stride(self) -> int:
        return int(self.weight.shape[2]) // 2

    @property
    def lag(self) -> int:
        """Outputs trimmed at the beginning; as many wait for the next input."""
        return self.stride - self.stride // 2

    def __call__(self, x: Tensor, state: Tensor | None, last: bool) -> tuple[Tensor, Tensor]:
        s = self.stride
        y = F.conv_transpose1d(x, self.weight, None, stride=s)
        if state is not None:
            y[..., :s] += state
        end = y.shape[-1] - s
        rest = y[..., end:]
        start = self.lag if state is None else 0
        stop = end + self.lag if last else end
        return y[..., start:stop] + self.bias[:, None], rest


@dataclass(frozen=True)
class _Residual:
    """ELU, convolution, ELU, convolution of length 1, added to the input. State: the convolution's and the delay's."""

    first: Conv
    second: Conv
    shortcut: Conv | None
    elu: Callable[[Tensor, bool], Tensor]

    def __call__(self, x: Tensor, state: Sequence[Tensor] | None, last: bool) -> tuple[Tensor, list[Tensor]]:
        y, tail = self.first(self.elu(x, False), None if state is None else state[0], last)
        delayed = [x] if state is None else [state[1], x]
        waiting = end_of(delayed, sum(part.shape[-1] for part in delayed) - y.shape[-1])
        if self.shortcut is not None:
            delayed = [self.shortcut(_joined(delayed)[..., : y.shape[-1]], None, False)[0]]
        y, _ = self.second(self.elu(y, True), None, False, delayed)
        return y, [tail, waiting]


class Lstm(Protocol):
    """A stack of LSTM layers with a skip around it: (B, C, T) and the state → (B, C, T) and the new state."""

    cells: int  # tensors of state

    def __call__(self, x: Tensor, state: Sequence[Tensor] | None) -> tuple[Tensor, list[Tensor]]: ...


class _Lstm:
    """A stack of LSTM layers with a skip around it (Hochreiter and Schmidhuber 1997), in float32."""

    cells = 2  # h and c of all layers

    def __init__(self, weights: dict[str, Tensor], device: torch.device) -> None:
        size = weights["weight_hh_l0"].shape[1]
        self._module = torch.nn.LSTM(size, size, depth_of(weights), device=device)
        self._module.load_state_dict(weights)
        self._module.requires_grad_(False).flatten_parameters()

    def __call__(self, x: Tensor, state: Sequence[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        y = x.permute(2, 0, 1).float().contiguous()  # (T, B, C)
        y, (h, c) = self._module(y, None if state is None else (state[0], state[1]))
        return y.permute(1, 2, 0).to(x.dtype) + x, [h, c]


class CompactLstm:
    """The same LSTM with 8-bit recurrent weights, for CPUs. State: h and c per layer.

    The products with the input are computed for the whole chunk; only the recurrent ones go step by step. Those are
    bound by memory bandwidth, and 8-bit weights need a quarter of it.
    """

    def __init__(
        self, weights: dict[str, Tensor], dtype: torch.dtype, recurrent: Callable[[Tensor], Linear] = Int8Linear
    ) -> None:
        """``recurrent`` makes the 8-bit products."""
        self._layers: list[tuple[Tensor, Tensor, Linear]] = []
        for i in range(depth_of(weights)):
            bias = weights[f"bias_ih_l{i}"].float() + weights[f"bias_hh_l{i}"].float()
            self._layers.append((weights[f"weight_ih_l{i}"].to(dtype), bias, recurrent(weights[f"weight_hh_l{i}"])))
        self.cells = 2 * len(self._layers)

    def __call__(self, x: Tensor, state: Sequence[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        y = x.permute(2, 0, 1)  # (T, B, C)
        new: list[Tensor] = []
        for i, (into, bias, recurrent) in enumerate(self._layers):
            flat = F.linear(y.reshape(-1, y.shape[2]).to(into.dtype), into)  # in 2-D: 3-D products are slow in bfloat16
            gates = flat.float().view(*y.shape[:2], -1) + bias
            h = torch.zeros_like(gates[0, :, : gates.shape[2] // 4]) if state is None else state[2 * i]
            c = torch.zeros_like(h) if state is None else state[2 * i + 1]
            out = []
            for gate in gates:
                enter, forget, update, emit = (gate + recurrent(h)).chunk(4, -1)
                c = torch.sigmoid(forget) * c + torch.sigmoid(enter) * torch.tanh(update)
                h = torch.sigmoid(emit) * torch.tanh(c)
                out.append(h)
            y = torch.stack(out)
            new += [h, c]
        return y.permute(1, 2, 0).to(x.dtype) + x, new


def depth_of(weights: dict[str, Tensor]) -> int:
    """The number of layers of an LSTM."""
    return sum(name.startswith("weight_hh") for name in weights)


def end_of(parts: Sequence[Tensor], count: int) -> Tensor:
    """The last ``count`` moments of the joined parts."""
    if not count:
        return parts[-1][..., :0]
    return _joined([part[..., -count:] for part in parts])[..., -count:]


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat([*parts], -1)


class Layers:
    """Makes the layers of the codec. These compute with torch's operators."""

    def __init__(self, device: torch.device, dtype: torch.dtype, compact: bool = False) -> None:
        """``dtype`` is that of the convolutions; ``compact`` quantizes the LSTM to 8 bits (CPU)."""
        self.device, self.dtype = device, dtype
        self._compact = compact and int8_available()

    def conv(self, weight: Tensor, bias: Tensor) -> Conv:
        return Conv(weight.to(self.device, self.dtype), bias.to(self.device, self.dtype))

    def up(self, weight: Tensor, bias: Tensor) -> Up:
        return Up(weight.to(self.device, self.dtype), bias.to(self.device, self.dtype))

    def lstm(self, weights: dict[str, Tensor]) -> Lstm:
        return CompactLstm(weights, self.dtype) if self._compact else _Lstm(weights, self.device)

    def elu(self, x: Tensor, inplace: bool) -> Tensor:
        return F.elu(x, inplace=inplace)


class CodecDecoder:
    """Decodes codes to samples, a chunk at a time; keeps no state between calls."""

    def __init__(
        self,
        weights: Weights,
        hf_config: Any,
        device: torch.device,
        dtype: torch.dtype,
        compact: bool = False,
        layers: Layers | None = None,
    ) -> None:
        """Load the weights. ``dtype`` and ``compact`` are those of ``Layers``; ``layers`` are others, of this dtype.

        Raises:
            CheckpointError: weights are missing, or the codec has other layers.
        """
        if (
            hf_config.norm_type != "weight_norm"
            or hf_config.pad_mode != "reflect"
            or hf_config.num_residual_layers != 1
        ):
            raise CheckpointError(
                f"the codec of {weights.directory} is not supported: it must be an EnCodec with weight norm, "
                "reflect padding and one residual layer per stage"
            )
        self.device, self.dtype = device, dtype
        layers = layers or Layers(device, dtype, compact)
        quantizers = hf_config.num_quantizers
        names = [f"audio_encoder.quantizer.layers.{i}.codebook.embed" for i in range(quantizers)]
        tables = [weights.get(name, (hf_config.codebook_size, hf_config.codebook_dim)) for name in names]
        self._table = torch.cat(tables).to(device=device, dtype=torch.float32)
        self._offsets = torch.arange(quantizers, device=device)[:, None] * hf_config.codebook_size

        def conv(name: str) -> Conv:
            return layers.conv(*_folded(weights, _ROOT + name))

        self._first = conv("0.conv")
        names = [f"{kind}_l{i}" for i in range(hf_config.num_lstm_layers) for kind in _LSTM]
        self._lstm = layers.lstm({name: weights.get(f"{_ROOT}1.lstm.{name}") for name in names})
        self._elu = layers.elu
        self._stages: list[tuple[Up, _Residual]] = []
        at, lag, ratio = 3, float(self._first.lag), 1
        for _ in hf_config.upsampling_ratios:
            up = layers.up(*_folded(weights, f"{_ROOT}{at}.conv"))
            shortcut = conv(f"{at + 1}.shortcut.conv") if hf_config.use_conv_shortcut else None
            first, second = conv(f"{at + 1}.block.1.conv"), conv(f"{at + 1}.block.3.conv")
            self._stages.append((up, _Residual(first, second, shortcut, layers.elu)))
            ratio *= up.stride
            lag += (up.lag + first.lag) / ratio
            at += 3
        self._final = conv(f"{at}.conv")
        self.lookahead_frames = math.ceil(lag + self._final.lag / ratio)

    def __call__(self, codes: Tensor, state: State = (), last: bool = False) -> tuple[Tensor, State]:
        """Decode codes (B, K, T), given the state after the earlier frames → float32 samples (B, N) and the new state.

        The output is delayed by less than ``lookahead_frames``; ``last`` flushes it. The first chunk needs at least
        eight frames.
        """
        x = F.embedding(codes.to(self.device) + self._offsets, self._table).sum(1).transpose(1, 2).to(self.dtype)
        old = list(state)
        new: list[Tensor] = []
        x, tail = self._first(x, old.pop(0) if state else None, last)
        new.append(tail)
        cells = self._lstm.cells
        x, memory = self._lstm(x, old[:cells] if state else None)
        new += memory
        old = old[cells:]
        for up, residual in self._stages:
            x, rest = up(self._elu(x, True), old.pop(0) if state else None, last)
            x, pair = residual(x, [old.pop(0), old.pop(0)] if state else None, last)
            new += [rest, *pair]
        x, tail = self._final(self._elu(x, True), old.pop(0) if state else None, last)
        new.append(tail)
        return x[:, 0].float(), tuple(part.clone() for part in new)


def _folded(weights: Weights, name: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution with its weight norm folded in: g · v / |v| (Salimans and Kingma 2016)."""
    for size, direction in (
        (f"{name}.parametrizations.weight.original0", f"{name}.parametrizations.weight.original1"),
        (f"{name}.weight_g", f"{name}.weight_v"),
    ):
        if size in weights:
            v = weights.get(direction).float()
            norm = v.flatten(1).norm(dim=1).view(-1, 1, 1)
            return weights.get(size).float() * v / norm, weights.get(f"{name}.bias").float()
    return weights.get(f"{name}.weight").float(), weights.get(f"{name}.bias").float()
