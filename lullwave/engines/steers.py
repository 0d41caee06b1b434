"""Changes of prompt while a stream plays, and the shares of the prompts at a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Steer:
    """A change of prompt: begins at ``frame`` and takes ``over_s`` seconds."""

    frame: int
    prompt: str
    over_s: float


def shares(steers: Sequence[Steer], frame: int, rate: int) -> dict[str, float]:
    """The share of each prompt at ``frame``, adding up to 1; the first steer is the beginning of the stream.

    A change mixes the prompts before it, as they are, with its own; its share grows in a straight line.
    """
    mixed: dict[str, float] = {}
    for n, steer in enumerate(steers):
        if n and steer.frame > frame:
            break
        whole = n == 0 or steer.over_s <= 0
        share = 1.0 if whole else min(1.0, (frame - steer.frame) / (steer.over_s * rate))
        mixed = {prompt: part * (1.0 - share) for prompt, part in mixed.items() if share < 1.0}
        mixed[steer.prompt] = mixed.get(steer.prompt, 0.0) + share
    return mixed
