"""How far results in bfloat16 are from exact ones, and networks whose weights bfloat16 has."""

import torch


def error(made, exact):
    return float((made.float() - exact).norm() / exact.norm())


def disturb(network):
    """Give every parameter, those of the norms included, a value of its own that bfloat16 has."""
    for parameter in network.parameters():
        spread = 0.7 * parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.2
        parameter.add_(torch.randn_like(parameter) * spread)
        parameter.copy_(parameter.bfloat16().float())
