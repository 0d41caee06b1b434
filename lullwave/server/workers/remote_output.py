"""The output of a private stream, in a worker process as long as there is one.

What the process made of a block comes with the state after it. So when the process ends, the stream goes on in another
one, or in this process, with the block that was not answered: no sample is lost, and the music is the same. Only the
first two MP3 frames of the new encoder (52 ms) are silent.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from ...audio import Samples
from ...errors import EngineError
from ...mastering.biquads import F64
from ...station import Made, Output, OutputLevels, OutputPoint
from ...storage.packing import Arrays, pack_arrays
from .output_process import OutputProcess, Step

RECENT = 2  # blocks of mastered sound that are kept for another encoder to begin with
TRIES = 2  # processes for one block

log = logging.getLogger(__name__)


class RemoteOutput(Output):
    """The output of one private stream. Thread-safe like ``Output``; ``process`` blocks for the worker process.

    ``find`` returns the process of the stream, None for this one. It is called with the first block, and again after a
    process was lost.
    """

    def __init__(
        self,
        stream: str,
        find: Callable[[], OutputProcess | None],
        levels: OutputLevels,
        level: Mapping[str, F64] | None = None,
    ) -> None:
        super().__init__(levels, level)
        self._stream = stream
        self._find = find
        self._place: OutputProcess | None = None
        self._here = False  # this process makes the output
        self._point = OutputPoint(super().arrays(), next_frame=self._encoder.next_frame)  # but for its recent sound
        self._recent: deque[Samples] = deque(maxlen=RECENT)

    @property
    def count(self) -> int:
        return super().count if self._here else self._point.count

    def level(self) -> Mapping[str, F64]:
        prefix = "level_"
        arrays = self.arrays()
        return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}

    def state(self) -> bytes:
        return pack_arrays(self.arrays())

    def arrays(self) -> Arrays:
        return super().arrays() if self._here else self._point.master

    def process(self, samples: Samples) -> Made:
        for _ in range(0 if self._here else TRIES):
            try:
                made = self._made_elsewhere(samples)
            except EngineError as error:
                log.warning("a private stream has lost its output: %s", error)
                self._place = None
            else:
                if made is not None:
                    return made
                break
        if not self._here:
            self.go_on(self._current())
            self._here = True
        return super().process(samples)

    def close(self) -> None:
        if self._place is not None:
            self._place.forget(self._stream)
            self._place = None

    def _made_elsewhere(self, samples: Samples) -> Made | None:
        """What the worker process makes of a block; None if there is no such process.

        Raises:
            EngineLost, EngineFailed
        """
        point = self._current() if self._place is None else None
        place = self._place = self._place or self._find()
        if place is None:
            return None
        answer = place.step(Step(self._stream, samples, self.levels, point))
        if answer is None:  # the process is another one since
            answer = place.step(Step(self._stream, samples, self.levels, self._current()))
        assert answer is not None
        made, end = answer.made, self._point.frame + len(samples)
        self._recent.append(made.mastered)
        if made.chunk is None:
            self._point = replace(self._point, master=answer.master, frame=end)
        else:
            begin, count = made.chunk.frame + made.chunk.frames, made.chunk.number + 1
            self._point = OutputPoint(answer.master, end, None, begin, count)
        return made

    def _current(self) -> OutputPoint:
        """Where another output goes on."""
        return replace(self._point, recent=np.concatenate(self._recent)) if self._recent else self._point
