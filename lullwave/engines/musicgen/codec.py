"""The EnCodec decoder as a stream: codes in, samples out, chunk after chunk; knows nothing of songs.

Défossez et al. 2022 (arXiv:2210.13438), the 32 kHz model of MusicGen: convolutions that look both ways, an LSTM, four
upsampling stages. Every layer carries what it needs of the past (the tail of its input, the LSTM's state, the overlap
of an upsampling) and waits for the future that it looks at, so that the chunks joined are the whole, whatever their
sizes. State goes in and comes out; it is a plain tuple of tensors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import CheckpointError
from .linear import Int8Linear, int8_available
from .weights import Weights

_ROOT = "audio_encoder.decoder.layers."
_LSTM = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
State = tuple[Tensor, ...]  # empty before the first chunk


@dataclass(frozen=True)
class _Conv:
    """A convolution of stride 1 with reflected ends. State: the last (k - 1) · dilation inputs."""

    weight: Tensor
    bias: Tensor
    dilation: int = 1

    @property
    def tail(self) -> int:
        return int(self.weight.shape[2] - 1) * self.dilation

    @property
    def lag(self) -> int:
        """Outputs that wait for the future; the odd one of an uneven padding stands on the left."""
        return self.tail // 2

    def __call__(self, x: Tensor, state: Tensor | None, last: bool) -> tuple[Tensor, Tensor]:
        if self.tail:
            left = self.tail - self.lag
            if state is None:
                x = torch.cat([x[..., 1 : left + 1].flip(-1), x], -1)
            else:
                x = torch.cat([state, x], -1)
        state = x[..., x.shape[-1] - self.tail :]
        if last and self.lag:
            x = torch.cat([x, x[..., -self.lag - 1 : -1].flip(-1)], -1)
        return F.conv1d(x, self.weight, self.bias, dilation=self.dilation), state


@dataclass(frozen=True)
class _Up:
    """A transposed convolution whose kernel is twice its stride. State: what the last input adds to the next."""

    weight: Tensor
    bias: Tensor

    @property
    def stride(self) -> int:
        return int(self.weight.shape[2]) // 2

    @property
    def lag(self) -> int:
        """Outputs cut off at the beginning, and so many wait for the end."""
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

    first: _Conv
    second: _Conv
    shortcut: _Conv | None

    def __call__(self, x: Tensor, state: Sequence[Tensor] | None, last: bool) -> tuple[Tensor, list[Tensor]]:
        y, tail = self.first(F.elu(x), None if state is None else state[0], last)
        delayed = x if state is None else torch.cat([state[1], x], -1)
        waiting = delayed[..., y.shape[-1] :]
        delayed = delayed[..., : y.shape[-1]]
        if self.shortcut is not None:
            delayed = self.shortcut(delayed, None, False)[0]
        y = self.second(F.elu(y, inplace=True), None, False)[0] + delayed
        return y, [tail, waiting]


class _Lstm:
    """A stack of LSTM layers with a skip around it (Hochreiter and Schmidhuber 1997), in float32."""

    cells = 2  # tensors of state: h and c of all layers

    def __init__(self, weights: dict[str, Tensor], device: torch.device) -> None:
        size = weights["weight_hh_l0"].shape[1]
        self._module = torch.nn.LSTM(size, size, _depth(weights), device=device)
        self._module.load_state_dict(weights)
        self._module.requires_grad_(False).flatten_parameters()

    def __call__(self, x: Tensor, state: Sequence[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        y = x.permute(2, 0, 1).float().contiguous()  # (T, B, C)
        y, (h, c) = self._module(y, None if state is None else (state[0], state[1]))
        return y.permute(1, 2, 0).to(x.dtype) + x, [h, c]


class _CompactLstm:
    """The same on a CPU with 8-bit recurrence. State: h and c per layer.

    The input's products are made for the whole chunk; only the recurrent ones go step by step. They wait for memory,
    and 8 bits are a quarter of it.
    """

    def __init__(self, weights: dict[str, Tensor], dtype: torch.dtype) -> None:
        self._layers: list[tuple[Tensor, Tensor, Int8Linear]] = []
        for i in range(_depth(weights)):
            bias = weights[f"bias_ih_l{i}"].float() + weights[f"bias_hh_l{i}"].float()
            recurrent = Int8Linear(weights[f"weight_hh_l{i}"])
            self._layers.append((weights[f"weight_ih_l{i}"].to(dtype), bias, recurrent))
        self.cells = 2 * len(self._layers)

    def __call__(self, x: Tensor, state: Sequence[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        y = x.permute(2, 0, 1)  # (T, B, C)
        new: list[Tensor] = []
        for i, (into, bias, recurrent) in enumerate(self._layers):
            flat = F.linear(y.reshape(-1, y.shape[2]).to(into.dtype), into)  # two dimensions: three go slowly in bf16
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


def _depth(weights: dict[str, Tensor]) -> int:
    return sum(name.startswith("weight_hh") for name in weights)


class CodecDecoder:
    """Codes to samples, a chunk at a time."""

    def __init__(
        self, weights: Weights, config: Any, device: torch.device, dtype: torch.dtype, compact: bool = False
    ) -> None:
        """``config`` is the codec's own; ``dtype`` that of the convolutions; ``compact``: 8-bit recurrence.

        Raises:
            CheckpointError: weights are absent, or of a codec with other layers.
        """
        if config.norm_type != "weight_norm" or config.pad_mode != "reflect" or config.num_residual_layers != 1:
            raise CheckpointError(
                f"the codec of {weights.directory} is of an unknown kind: known is EnCodec with weight norm, "
                "reflected ends and one residual layer per stage"
            )
        self.device, self.dtype = device, dtype
        quantizers = config.num_quantizers
        names = [f"audio_encoder.quantizer.layers.{i}.codebook.embed" for i in range(quantizers)]
        tables = [weights.get(name, (config.codebook_size, config.codebook_dim)) for name in names]
        self._table = torch.cat(tables).to(device=device, dtype=torch.float32)
        self._offsets = torch.arange(quantizers, device=device)[:, None] * config.codebook_size

        def conv(name: str, dilation: int = 1) -> _Conv:
            weight, bias = _folded(weights, _ROOT + name)
            return _Conv(weight.to(device, dtype), bias.to(device, dtype), dilation)

        self._first = conv("0.conv")
        names = [f"{kind}_l{i}" for i in range(config.num_lstm_layers) for kind in _LSTM]
        recurrent = {name: weights.get(f"{_ROOT}1.lstm.{name}") for name in names}
        self._lstm = _CompactLstm(recurrent, dtype) if compact and int8_available() else _Lstm(recurrent, device)
        self._stages: list[tuple[_Up, _Residual]] = []
        at, lag, ratio = 3, float(self._first.lag), 1
        for _ in config.upsampling_ratios:
            weight, bias = _folded(weights, f"{_ROOT}{at}.conv")
            up = _Up(weight.to(device, dtype), bias.to(device, dtype))
            shortcut = conv(f"{at + 1}.shortcut.conv") if config.use_conv_shortcut else None
            residual = _Residual(conv(f"{at + 1}.block.1.conv"), conv(f"{at + 1}.block.3.conv"), shortcut)
            self._stages.append((up, residual))
            ratio *= up.stride
            lag += (up.lag + residual.first.lag) / ratio
            at += 3
        self._final = conv(f"{at}.conv")
        self.lookahead_frames = math.ceil(lag + self._final.lag / ratio)

    def __call__(self, codes: Tensor, state: State = (), last: bool = False) -> tuple[Tensor, State]:
        """Codes (B, K, T) and the state after the frames before them → samples (B, N) and the new state.

        Samples come late by less than ``lookahead_frames``; ``last`` brings the rest. The first chunk needs at least
        eight frames. Samples are float32.
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
            x, rest = up(F.elu(x, inplace=True), old.pop(0) if state else None, last)
            x, pair = residual(x, [old.pop(0), old.pop(0)] if state else None, last)
            new += [rest, *pair]
        x, tail = self._final(F.elu(x, inplace=True), old.pop(0) if state else None, last)
        new.append(tail)
        return x[:, 0].float(), tuple(part.clone() for part in new)


def _folded(weights: Weights, name: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution, weight norm folded: g · v / |v| (Salimans and Kingma 2016), by either name."""
    for size, direction in (
        (f"{name}.parametrizations.weight.original0", f"{name}.parametrizations.weight.original1"),
        (f"{name}.weight_g", f"{name}.weight_v"),
    ):
        if size in weights:
            v = weights.get(direction).float()
            norm = v.flatten(1).norm(dim=1).view(-1, 1, 1)
            return weights.get(size).float() * v / norm, weights.get(f"{name}.bias").float()
    return weights.get(f"{name}.weight").float(), weights.get(f"{name}.bias").float()
