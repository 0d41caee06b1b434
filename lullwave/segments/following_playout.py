"""Puts a programme from a store on air: at the moments that its manifest names, as it was mastered by its producer."""

from __future__ import annotations

from collections.abc import Callable

from ..audio import Audio
from ..clock import Clock
from ..station import RATE, ChunkEncoder, Epoch, Output, PlayoutStep
from ..station.playout import CHUNK_FRAMES, Playout, Schedule
from ..station.reserve import Reserve

LOOK_S = 0.25  # between two looks whether the programme goes on elsewhere
SHIFT_S = 0.002  # the programme's own times are rounded; a larger difference is a gap


class FollowingPlayout(Playout):
    """The playout of one station in a server that does not make its music. Thread-safe like ``Playout``.

    ``air`` gives the time of day at which a frame goes on air, ``lost`` is called when the reserve is far behind that.
    Both are set before ``start``. Where the reserve begins elsewhere than it ended, a new encoder takes over. It is
    warmed on what lies before ``heard_from``.
    """

    def __init__(
        self,
        name: str,
        reserve: Reserve,
        clock: Clock,
        output: Output,
        burst_s: float,
        sleep_after_s: float,
        on_step: Callable[[PlayoutStep], None],
        on_sleep: Callable[[bool], None],
    ) -> None:
        super().__init__(name, reserve, clock, output, burst_s, sleep_after_s, on_step, on_sleep)
        self.air: Callable[[int], float | None] = lambda frame: None
        self.lost: Callable[[], None] = lambda: None
        self.heard_from = 0  # the frame with which listeners may begin
        self._kbps = output.levels.kbps
        self._encoder = ChunkEncoder(self._kbps, 0)
        self._next = -1  # the frame after the last one

    @property
    def silent_s(self) -> float:
        return 0.0  # what is not in the store is not there: a restart of this station would not help

    def _step(self, schedule: Schedule) -> bool:
        block = self._reserve.take(CHUNK_FRAMES)
        if block is None:
            return False
        if block.frame != self._next:
            self._encoder = ChunkEncoder(self._kbps, block.frame, self._encoder.count)
        self._next = block.end
        self._step_at = self._clock.now()
        sound = Audio(block.samples, RATE)
        if block.end <= self.heard_from:
            self._encoder.warm(sound)
            return True
        chunk = self._encoder.encode(sound)
        if chunk is not None:
            self._check_time(schedule, block.frame)
            step = PlayoutStep(chunk, block, block.samples, block.frame, schedule.epoch)
            self._call(lambda: self._on_step(step))
        return True

    def _begin_epoch(self) -> Schedule:
        frame, now = self._reserve.begin, self._clock.now()
        wall = self.air(frame)
        if wall is None:
            return Schedule(Epoch(frame, self._clock.wall()), now)
        return Schedule(Epoch(frame, wall), now + wall - self._clock.wall())

    def _due(self, schedule: Schedule) -> float:
        """When the next step is due: later where the programme has a gap, elsewhere where the reserve was restarted."""
        frame, epoch = self._reserve.begin, schedule.epoch
        wall = self.air(frame)
        if wall is not None and abs(wall - epoch.wall - (frame - epoch.frame) / RATE) > SHIFT_S:
            begun = self._begin_epoch()
            schedule.epoch, schedule.start, schedule.on_time = begun.epoch, begun.start, False
        return super()._due(schedule)

    def _fell_behind(self, schedule: Schedule) -> Schedule | None:
        """Go on where the programme is now, once that has been read."""
        assert self._waiter is not None
        if self._reserve.frames >= CHUNK_FRAMES:
            self.lost()
        self._waiter.wait_until(min(self._clock.now() + LOOK_S, self._sleep_moment()))
        return None

    def _check_time(self, schedule: Schedule, frame: int) -> None:
        """Note the delay of a step."""
        if schedule.on_time:
            due = schedule.start + (frame - schedule.epoch.frame) / RATE
            self._late_s = max(self._late_s, self._clock.now() - due)
