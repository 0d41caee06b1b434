"""The progress bar of making audio: seconds made, speed against real time, time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from ..audio import Audio


class Progress:
    """Shown only on a terminal. ``speed`` is seconds of audio for each second that they took."""

    def __init__(self, console: Console, total_s: float, tokens: Callable[[], int | None] = lambda: None) -> None:
        self._tokens = tokens  # token steps done so far; None if the engine makes no tokens
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f} of {task.total:.0f} s"),
            TextColumn("{task.fields[speed]:.1f}x real time"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bars.add_task("composing", total=total_s, speed=0.0)
        self._began = time.perf_counter()
        self.speed = 0.0

    def through(self, blocks: Iterable[Audio]) -> Iterator[Audio]:
        """The same blocks; the bar follows them."""
        made_s = 0.0
        for block in blocks:
            made_s += block.duration_s
            self.speed = made_s / max(1e-9, time.perf_counter() - self._began)
            steps = self._tokens()
            work = "composing" if steps is None else f"composing, {steps} token steps"
            self._bars.update(self._task, description=work, completed=made_s, speed=self.speed)
            yield block
        self._bars.update(self._task, description="mastering")

    def __enter__(self) -> Self:
        self._bars.start()
        self._began = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
