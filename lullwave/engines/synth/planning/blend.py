"""A mixture of styles, from which choices are drawn by their shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ..chance import Chance
from .styles import STYLES, Style

T = TypeVar("T")


@dataclass(frozen=True)
class Blend:
    """Styles with shares that add up to 1."""

    shares: tuple[tuple[str, float], ...]

    def number(self, of: Callable[[Style], float]) -> float:
        """The mean of a number."""
        return float(sum(of(STYLES[style]) * share for style, share in self.shares))

    def span(self, of: Callable[[Style], tuple[float, float]]) -> tuple[float, float]:
        """The mean of a range."""
        pairs = [(of(STYLES[style]), share) for style, share in self.shares]
        return sum(p[0] * s for p, s in pairs), sum(p[1] * s for p, s in pairs)

    def weights(self, of: Callable[[Style], Mapping[T, float]]) -> dict[T, float]:
        """The weights of a choice, each style's scaled to its share."""
        mixed: dict[T, float] = {}
        for style, share in self.shares:
            own = of(STYLES[style])
            total = sum(own.values()) or 1.0
            for choice, weight in own.items():
                mixed[choice] = mixed.get(choice, 0.0) + share * weight / total
        return mixed

    def draw(self, chance: Chance) -> Style:
        """One of the styles, as likely as its share."""
        return STYLES[chance.weighted(list(self.shares))]

    def leading(self) -> str:
        """The style with the largest share."""
        return max(self.shares, key=lambda s: s[1])[0]
