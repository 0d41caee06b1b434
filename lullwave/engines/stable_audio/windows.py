"""The windows in which a stream is made: how long the next one is, and how much of it is kept. Counts latents.

After the beginning and after a change of prompt the first window is short, and made in fewer steps on a slow machine,
so that it is heard soon; each next one is longer. Some latents behind a window are made and dropped, because the model
lets the music end where the sound ends.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ...errors import SnapshotError

FIRST_S = 2.0  # seconds of the first window
TAIL_S = 2.0  # seconds that are made behind a window and dropped
WHOLE_S = 120.0  # the longest clip that is made in one window, on which the published models were trained
LARGEST = 100_000  # latents; larger counts in a snapshot are damage

# From the slowest machines on: speed from which it holds, seconds of a window, seconds of context. The longer a window,
# the less of the work is context; the longer the context, the better the music holds together.
MIDDLING_SPEED = 1.3
LENGTHS_BY_SPEED = ((0.0, 36.0, 6.0), (MIDDLING_SPEED, 24.0, 8.0), (6.0, 12.0, 12.0))

# The share of the steps in which a first window is made, from the slowest machines on, so that it is heard within 3 s.
FIRST_STEPS_BY_SPEED = ((0.0, 0.375), (MIDDLING_SPEED, 0.5), (2.5, 1.0))
FEWEST_STEPS = 3  # of a first window, unless the others have fewer


@dataclass(frozen=True)
class Lengths:
    """The lengths that a stream keeps for life, in latents."""

    window: int
    context: int
    first: int
    tail: int
    whole: int

    @classmethod
    def of(cls, window_s: float, context_s: float, latents_a_second: float, lookahead: int) -> Lengths:
        """The lengths for these seconds; a window is longer than the ``lookahead`` of the decoder."""

        def latents(seconds: float) -> int:
            return max(1, round(seconds * latents_a_second))

        window = max(latents(window_s), lookahead + 1)
        first = min(max(latents(FIRST_S), lookahead + 1), window)
        return cls(window, latents(context_s), first, latents(TAIL_S), latents(WHOLE_S))

    @classmethod
    def restored(cls, values: dict[str, Any]) -> Lengths:
        """The lengths of ``values()``.

        Raises:
            SnapshotError: they are not allowed.
        """
        lengths = cls(**values)
        for name, count in asdict(lengths).items():
            if type(count) is not int or not 1 <= count <= LARGEST:
                raise SnapshotError(f"snapshot: {name} of {count!r} latents; allowed: 1 to {LARGEST}")
        return lengths

    def next(self, start: int, begun: int, total: int | None) -> tuple[int, int]:
        """Latents to keep and latents to drop of the window that begins at ``start``.

        Args:
            start: number of its first latent.
            begun: where the stream began or its prompt last changed.
            total: latents of a finite stream.
        """
        length = min(self.window, max(self.first, 2 * (start - begun)))
        if total is None:
            return length, self.tail
        left = total - start
        if left <= length + self.tail or (total <= self.whole and start == begun):
            return left, 0
        return length, self.tail


def lengths_for(speed: float) -> tuple[float, float]:
    """Seconds of a window and of its context for a speed in times real time."""
    _, window_s, context_s = max(row for row in LENGTHS_BY_SPEED if row[0] <= speed)
    return window_s, context_s


def first_steps_for(steps: int, speed: float) -> int:
    """Denoising steps of a first window, for the steps of the others and the speed with them in times real time."""
    share = max(row for row in FIRST_STEPS_BY_SPEED if row[0] <= speed)[1]
    return max(min(steps, FEWEST_STEPS), round(share * steps))
