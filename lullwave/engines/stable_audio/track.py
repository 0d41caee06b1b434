"""The latents of a stream: windows in a row, of which the last may have been cut by a change of prompt."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Latents = npt.NDArray[np.float32]  # (channels, T)


@dataclass(frozen=True, eq=False)
class Window:
    """Latents ``start`` to ``stop`` of a stream.

    A change of prompt at frame ``cut_at`` ends a window early; ``latents`` holds all of it. ``steers`` is the number of
    changes of prompt that had been asked for when it was made.
    """

    start: int
    stop: int
    latents: Latents
    steers: int
    cut_at: int | None = None

    def whole(self) -> Window:
        """The window as it was before it was cut."""
        return replace(self, stop=self.start + self.latents.shape[1], cut_at=None)

    def without_before(self, first: int) -> Window:
        """The window without the latents before number ``first``."""
        if first <= self.start:
            return self
        return replace(self, start=first, latents=self.latents[:, first - self.start :].copy())


class Track:
    """Windows in a row, without gaps. One thread."""

    def __init__(self, windows: list[Window]) -> None:
        self.windows = windows
        self.trimmed = False  # whether latents from the beginning of the stream were dropped

    @classmethod
    def before_the_beginning(cls, latents: Latents) -> Track:
        """Latents (channels, T) that a stream continues: numbers -T to -1."""
        return cls([Window(-latents.shape[1], 0, np.ascontiguousarray(latents), 0)])

    @property
    def begin(self) -> int:
        """The first latent held."""
        return self.windows[0].start if self.windows else 0

    @property
    def made(self) -> int:
        """The latent after the last one made."""
        return self.windows[-1].stop if self.windows else 0

    def latents(self, start: int, stop: int) -> Latents:
        """(channels, stop - start): held latents."""
        parts = [
            window.latents[:, max(start, window.start) - window.start : min(stop, window.stop) - window.start]
            for window in self.windows
            if window.start < stop and start < window.stop
        ]
        return np.concatenate(parts, axis=1)

    def add(self, latents: Latents, steers: int) -> None:
        """Append a window."""
        start = self.made
        self.windows.append(Window(start, start + latents.shape[1], latents, steers))

    def cut(self, at: int, frame: int) -> None:
        """Drop the latents from ``at`` on, because of a change of prompt at ``frame``."""
        self.windows = [window for window in self.windows if window.start < at]
        if self.windows and (last := self.windows[-1]).stop > at:
            self.windows[-1] = replace(last, stop=at, cut_at=frame if last.cut_at is None else last.cut_at)

    def trim(self, before: int) -> None:
        """Drop windows that end at latent ``before`` or earlier."""
        while len(self.windows) > 1 and self.windows[0].stop <= before:
            self.windows.pop(0)
            self.trimmed = True

    def as_before(self, frame: int, steers: int, first: int) -> list[Window]:
        """The windows as they were when ``steers`` changes of prompt had been asked for, from latent ``first`` on."""
        kept = [window for window in self.windows if window.steers <= steers]
        kept = [one.whole() if one.cut_at is not None and one.cut_at > frame else one for one in kept]
        return [window.without_before(first) for window in kept if window.stop > first]
