"""Circular padding along time for the convolutions of any network, so that images loop without a seam.

While the switch is on, every convolution pads its left and right edges with the columns of the opposite side. The
other axis, frequency, is padded as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional


class LoopSwitch:
    """Turns circular padding on and off. Not thread-safe: the pipeline holds its lock while it is on."""

    def __init__(self) -> None:
        self.closed: bool | torch.Tensor = False  # a tensor of 0 or 1 while the network is traced

    @contextmanager
    def set(self, closed: bool | torch.Tensor) -> Iterator[None]:
        """Set the switch for a ``with`` block."""
        before, self.closed = self.closed, closed
        try:
            yield
        finally:
            self.closed = before


class LoopConv2d(nn.Conv2d):
    """A convolution that pads its time axis (the last) circularly while its switch is on."""

    loop: LoopSwitch

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        closed = self.loop.closed
        if isinstance(closed, bool) and not closed:
            return super().forward(input)
        along_frequency, along_time = int(self.padding[0]), int(self.padding[1])
        if isinstance(closed, torch.Tensor):  # one graph for zeros and for the opposite edge
            assert along_time == 1
            padded = torch.cat([input[..., -1:] * closed, input, input[..., :1] * closed], dim=-1)
        elif along_time:
            padded = functional.pad(input, (along_time, along_time, 0, 0), mode="circular")
        else:  # the VAE's encoder has padded one column of zeros on the right itself
            padded = torch.cat([input[..., :-1], input[..., :1]], dim=-1)
        return functional.conv2d(
            padded, self.weight, self.bias, self.stride, (along_frequency, 0), self.dilation, self.groups
        )


def make_loopable(network: nn.Module, loop: LoopSwitch) -> None:
    """Make the convolutions of ``network`` obey ``loop``. The weights are not copied."""
    for module in network.modules():
        if type(module) is nn.Conv2d and module.kernel_size[1] > 1:
            assert module.padding_mode == "zeros"
            assert not isinstance(module.padding, str)
            module.__class__ = LoopConv2d
            module.loop = loop  # type: ignore[assignment]
