"""A playout without a thread: a producer takes the mastered music of a station when a segment is due."""

from __future__ import annotations

from ..station import Chunk, Epoch, PlayoutStep
from ..station.playout import Playout

NO_CHUNK = Chunk(0, 0, 0, b"")  # nothing is encoded


class PulledPlayout(Playout):
    """The music of one station for ``take``. Thread-safe like ``Playout``; ``take`` is for one thread."""

    @property
    def alive(self) -> bool:
        return True

    @property
    def silent_s(self) -> float:
        return 0.0

    @property
    def latency_frames(self) -> int:
        """By how many frames music is heard later than the station counts."""
        return self._output.latency_frames

    def start(self) -> None:
        pass

    def restart(self) -> None:
        pass

    def master_state(self) -> bytes:
        """The state of the master before the music that is taken next."""
        return self._output.state()

    def restore(self, state: bytes) -> None:
        """Let the master go on from a state.

        Raises:
            SnapshotError
        """
        self._output.restore(state)

    def take(self, frames: int, air: float) -> PlayoutStep | None:
        """The next ``frames`` frames, which go on air at ``air`` (seconds since 1970); None while there are fewer."""
        block = self._reserve.take(frames)
        if block is None:
            return None
        mastered = self._output.master(block.samples)
        begin = block.frame - self._output.latency_frames
        step = PlayoutStep(NO_CHUNK, block, mastered, begin, Epoch(block.frame, air))
        self._call(lambda: self._on_step(step))
        return step

    def set_asleep(self, asleep: bool) -> None:
        """Tell whether the station sleeps: a lost engine is not tried again while it does."""
        self._asleep = asleep
        self._call(lambda: self._on_sleep(asleep))
