"""Networks that see the end of an image joined to its beginning; knows nothing of which network it is.

Every convolution takes what lies beyond the left and right edge from the opposite side while the switch is on
("circular padding"), so that an image made under it, played again and again, has no seam. Frequencies, the other
axis, are padded as ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional


class Loop:
    """The switch that a network's convolutions look at."""

    def __init__(self) -> None:
        self.closed: bool | torch.Tensor = False  # a tensor of 0 or 1 while a network is traced

    @contextmanager
    def set(self, closed: bool | torch.Tensor) -> Iterator[None]:
        """Close the loop for the time of a ``with`` block."""
        before, self.closed = self.closed, closed
        try:
            yield
        finally:
            self.closed = before


class LoopConv2d(nn.Conv2d):
    """A convolution whose time axis (the last) is a circle while its loop is closed."""

    loop: Loop

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        closed = self.loop.closed
        if isinstance(closed, bool) and not closed:
            return super().forward(input)
        along_frequency, along_time = int(self.padding[0]), int(self.padding[1])
        if isinstance(closed, torch.Tensor):  # zeros or the opposite edge, by one graph
            assert along_time == 1
            padded = torch.cat([input[..., -1:] * closed, input, input[..., :1] * closed], dim=-1)
        elif along_time:
            padded = functional.pad(input, (along_time, along_time, 0, 0), mode="circular")
        else:  # the VAE's encoder pads one column of zeros by itself before it halves the size
            padded = torch.cat([input[..., :-1], input[..., :1]], dim=-1)
        return functional.conv2d(
            padded, self.weight, self.bias, self.stride, (along_frequency, 0), self.dilation, self.groups
        )


def make_loopable(network: nn.Module, loop: Loop) -> None:
    """Let the convolutions of ``network`` obey ``loop``. Weights stay where they are."""
    for module in network.modules():
        if type(module) is nn.Conv2d and module.kernel_size[1] > 1:
            assert module.padding_mode == "zeros"
            assert not isinstance(module.padding, str)
            module.__class__ = LoopConv2d
            module.loop = loop  # type: ignore[assignment]
