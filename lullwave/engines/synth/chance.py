"""Keyed random numbers: they depend on the key alone, never on what was drawn elsewhere.

``Chance(seed, "bass", 3)`` gives the same draws wherever and whenever it is made, so that a stream can be cut,
steered, forked and restored, and each part still plays what it would have played.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


class Chance:
    """A random generator for one purpose; the n-th draw of a key is always the same."""

    __slots__ = ("_count", "_key")

    def __init__(self, *keys: int | str) -> None:
        self._key = digest(*keys)
        self._count = 0

    def of(self, *keys: int | str) -> Chance:
        """The draws of a finer purpose; independent of how many this one has given."""
        return Chance(self._key, *keys)

    def uniform(self) -> float:
        """A number from 0 up to but not 1."""
        # splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
        self._count += 1
        z = (self._key + self._count * _GOLDEN) & _MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((z ^ (z >> 31)) >> 11) * 2.0**-53

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.uniform()

    def whole(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both possible."""
        return low + int(self.uniform() * (high - low + 1))

    def yes(self, probability: float) -> bool:
        return self.uniform() < probability

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(self.uniform() * len(choices))]

    def weighted(self, choices: Mapping[T, float] | Iterable[tuple[T, float]]) -> T:
        """One of the choices, each as likely as its weight; weights need not add up to 1."""
        pairs = list(choices.items()) if isinstance(choices, Mapping) else list(choices)
        left = self.uniform() * sum(weight for _, weight in pairs)
        for choice, weight in pairs:
            left -= weight
            if left < 0:
                return choice
        return next(choice for choice, weight in reversed(pairs) if weight > 0)

    def normal(self, sigma: float, clip: float = 2.5) -> float:
        """Gaussian with mean 0, cut off at ``clip`` sigmas."""
        radius = math.sqrt(-2.0 * math.log(1.0 - self.uniform()))
        value = radius * math.cos(2.0 * math.pi * self.uniform())
        return sigma * max(-clip, min(clip, value))

    def order(self, items: Sequence[T]) -> list[T]:
        """The items in some order."""
        keyed = [(self.uniform(), i) for i in range(len(items))]
        return [items[i] for _, i in sorted(keyed)]


def digest(*keys: int | str) -> int:
    """A hash of the keys, 64 bits."""
    return int.from_bytes(blake2b(repr(keys).encode(), digest_size=8).digest(), "little")
