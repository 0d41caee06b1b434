"""An engine that can be slowed down while it plays: the embedded engine with a limited speed.

``lullwave inference`` finds it through an entry point that ``on_path`` writes. The file named by ``LULLWAVE_DRAG``
holds the largest speed in seconds of music per second; a second figure there is the speed of its smaller model.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lullwave.audio import Audio
from lullwave.engines.base import Mark, Stream, Understanding, smaller_weights
from lullwave.engines.synth.engine import SynthEngine
from lullwave.options import option
from lullwave.request import Request

VARIABLE = "LULLWAVE_DRAG"
ENTRY = "[lullwave.engines]\ndrag = bench.radio.dragging:Drag\n"


@dataclass(frozen=True)
class DragLoadOptions:
    """The engine has no weights; the option only tells the smaller model from the larger."""

    model: str = option("", "any folder makes it the smaller model", max_length=1000)
    smaller: str = smaller_weights()


class Drag(SynthEngine):
    """The embedded engine, slowed down."""

    name: ClassVar[str] = "drag"
    summary: ClassVar[str] = "the embedded engine with a limited speed"
    load_options: ClassVar[type] = DragLoadOptions
    weights: ClassVar[str] = "model"

    def __init__(self, model: str = "") -> None:
        super().__init__()
        self._smaller = bool(model)

    def open(self, request: Request, **audio_prompts: Audio) -> Stream:
        return Dragged(super().open(request), self._smaller)

    def restore(self, snapshot: bytes) -> Stream:  # type: ignore[override]
        return Dragged(super().restore(snapshot), self._smaller)


class Dragged(Stream):
    """A stream that waits so long that its speed stays below the limit."""

    def __init__(self, inner: Stream, smaller: bool) -> None:
        self._inner, self._smaller = inner, smaller
        self.request, self.rate, self.channels = inner.request, inner.rate, inner.channels

    @property
    def position(self) -> int:
        return self._inner.position

    def read(self, frames: int) -> Audio:
        began = time.monotonic()
        audio = self._inner.read(frames)
        speeds = Path(os.environ[VARIABLE]).read_text().split()
        takes_s = audio.duration_s / float(speeds[-1 if self._smaller else 0])
        time.sleep(max(0.0, takes_s - (time.monotonic() - began)))
        return audio

    def steer(self, prompt: str, over_s: float = 8.0) -> Understanding:
        return self._inner.steer(prompt, over_s)

    def snapshot(self, at_frame: int | None = None) -> bytes:
        return self._inner.snapshot(at_frame)

    def fork(self, at_frame: int | None = None) -> Stream:
        return Dragged(self._inner.fork(at_frame), self._smaller)

    def marks(self, start: int, stop: int) -> Sequence[Mark]:
        return self._inner.marks(start, stop)

    def beats(self, start: int, stop: int) -> Sequence[int]:
        return self._inner.beats(start, stop)

    def close(self) -> None:
        self._inner.close()


def on_path(folder: Path) -> str:
    """Write the entry point into ``folder``; returns the search path on which the engine is found."""
    facts = folder / "lullwave_drag-1.dist-info"
    facts.mkdir(parents=True, exist_ok=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: lullwave-drag\nVersion: 1\n")
    (facts / "entry_points.txt").write_text(ENTRY)
    return os.pathsep.join([str(folder), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
