"""Playout: takes music from the reserve by the clock, lets it be mastered and encoded, and hands it on.

One thread and one output for the life of the station. Frame numbers that leave it count what is heard: the delays of
mastering and codec are subtracted. Knows neither engines nor listeners.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..audio import Samples
from ..clock import FOREVER, Clock, Waiter
from ..mastering.biquads import F64
from .adapter import RATE
from .output import MP3_FRAME, Chunk, Output
from .reserve import Block, Reserve

CHUNK_FRAMES = 19 * MP3_FRAME  # 0.496 s
CHUNK_S = CHUNK_FRAMES / RATE
WALL_JUMP_S = 2.0  # a larger difference to the time of day means that the system clock was set
CATCH_UP_S = 10.0  # after a longer delay playout does not catch up: the stream goes on later

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Epoch:
    """Maps station frames to the time of day: ``frame`` goes on air at ``wall``; later frames follow the clock."""

    frame: int
    wall: float  # seconds since 1970


@dataclass(frozen=True)
class PlayoutStep:
    """What one step of playout put on air."""

    chunk: Chunk
    block: Block  # as it left the reserve
    mastered: Samples  # (T, 2), heard from station frame `mastered_frame` on
    mastered_frame: int
    epoch: Epoch
    master_state: bytes = b""  # before this step; only if the block has restore points


@dataclass
class Schedule:
    """When the next step is due."""

    epoch: Epoch
    start: float  # clock time at which the epoch's frame is due
    on_time: bool = False  # the burst at the beginning, which runs ahead, is over


class Playout:
    """The thread that puts a station on air while it has listeners.

    ``on_step`` and ``on_sleep`` are called on that thread. All public methods and properties are thread-safe.
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
        self._reserve = reserve
        self._clock = clock
        self._waiter: Waiter | None = None  # set by `start`
        self._burst_s = burst_s
        self._sleep_after_s = sleep_after_s
        self._on_step = on_step
        self._on_sleep = on_sleep
        self._output = output
        self._late_s = 0.0
        self._callback_failed = False
        self._stopping = threading.Event()
        self._listening = False
        self._idle_since = -FOREVER
        self._asleep = False
        self._step_at = FOREVER  # when the last step was made, or the thread began or woke
        self._name = name
        self._thread = self._new_thread()

    @property
    def edge(self) -> int:
        """The station frame that goes on air next."""
        return self._reserve.begin

    @property
    def late_s(self) -> float:
        """The longest delay so far between the time a chunk was due and the time it went on air."""
        return self._late_s

    @property
    def silent_s(self) -> float:
        """For how long nothing went on air that should have; 0 while it sleeps."""
        return 0.0 if self._asleep or self._stopping.is_set() else max(0.0, self._clock.now() - self._step_at)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def level(self) -> Mapping[str, F64]:
        """The state of the level control now, for a station that goes on with this music."""
        return self._output.level()

    def start(self) -> None:
        self._waiter = self._clock.waiter()
        self._step_at = self._clock.now()
        self._reserve.watch(self._wake)
        self._thread.start()

    def restart(self) -> None:
        """Begin a new thread if the last one died; master, encoder and frames go on."""
        if self._thread.is_alive() or self._stopping.is_set():
            return
        self._waiter = self._clock.waiter()
        self._thread = self._new_thread()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._reserve.close()
        self._wake()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; False if it is still busy."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def set_listening(self, listening: bool) -> None:
        """Tell whether there are listeners. Playout sleeps after a while without, and wakes at once with one."""
        if listening == self._listening:
            return
        self._idle_since = self._clock.now()
        self._listening = listening
        self._wake()

    def sleep_early(self) -> None:
        """Sleep at once if there are no listeners."""
        if not self._listening:
            self._idle_since = -FOREVER
            self._wake()

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self._run, name=f"playout-{self._name}", daemon=True)

    def _wake(self) -> None:
        if self._waiter is not None:
            self._waiter.wake()

    def _run(self) -> None:
        assert self._waiter is not None
        schedule: Schedule | None = None
        try:
            while not self._stopping.is_set():
                if self._clock.now() >= self._sleep_moment():
                    self._sleep()
                    schedule = None
                    continue
                schedule = schedule or self._begin_epoch()
                due = self._due(schedule)
                late = self._clock.now() - due
                if late < -1e-6:
                    schedule.on_time = True
                    self._waiter.wait_until(min(due, self._sleep_moment()))
                elif late > CATCH_UP_S:
                    schedule = self._fell_behind(schedule)
                elif self._reserve.closed:
                    break
                elif not self._step(schedule):
                    self._waiter.wait_until(self._sleep_moment())  # for music, or until it may sleep
        except Exception:  # ``restart`` begins a new thread
            log.exception("%s: playout failed", self._thread.name)
        finally:
            if self._stopping.is_set():
                self._output.close()
            self._waiter.close()

    def _step(self, schedule: Schedule) -> bool:
        """Put one chunk on air; False if there is no music for it."""
        block = self._reserve.take(CHUNK_FRAMES)
        if block is None:
            return False
        self._step_at = self._clock.now()
        self._check_time(schedule, block.frame)
        state = self._output.state() if block.restore_points else b""
        made = self._output.process(block.samples)
        if made.chunk is not None:
            begin = block.frame - self._output.latency_frames
            step = PlayoutStep(made.chunk, block, made.mastered, begin, schedule.epoch, state)
            self._call(lambda: self._on_step(step))
        return True

    def _due(self, schedule: Schedule) -> float:
        """When the next step is due, by the clock."""
        return schedule.start + (self._reserve.begin - schedule.epoch.frame) / RATE

    def _fell_behind(self, schedule: Schedule) -> Schedule | None:
        """What to do after a long delay: the stream goes on later."""
        return None

    def _check_time(self, schedule: Schedule, frame: int) -> None:
        """Note the delay of a step, and begin a new epoch if the system clock was set."""
        due = schedule.start + (frame - schedule.epoch.frame) / RATE
        now = self._clock.now()
        if schedule.on_time:
            self._late_s = max(self._late_s, now - due)
        wall = self._clock.wall() - (now - due)
        if abs(wall - (schedule.epoch.wall + (due - schedule.start))) > WALL_JUMP_S:
            # The system clock jumped: keep playing, start a new epoch.
            schedule.epoch, schedule.start = Epoch(frame, wall), due

    def _call(self, callback: Callable[[], None]) -> None:
        """Call back; an error there is logged once and does not stop playout."""
        try:
            callback()
        except Exception:
            if not self._callback_failed:
                log.exception("%s: a callback failed; playout goes on", self._thread.name)
            self._callback_failed = True

    def _begin_epoch(self) -> Schedule:
        """Tie frames to the clock from now on. A station's first epoch runs ahead by the burst."""
        now, wall = self._clock.now(), self._clock.wall()
        ahead_s = self._burst_s if self._output.count == 0 else 0.0
        return Schedule(Epoch(self._reserve.begin, wall - ahead_s), now - ahead_s)

    def _sleep_moment(self) -> float:
        return FOREVER if self._listening else self._idle_since + self._sleep_after_s

    def _sleep(self) -> None:
        self._asleep = True
        self._call(lambda: self._on_sleep(True))
        assert self._waiter is not None
        while not (self._listening or self._stopping.is_set()):
            self._waiter.wait_until(FOREVER)
        self._asleep, self._step_at = False, self._clock.now()
        if not self._stopping.is_set():
            self._call(lambda: self._on_sleep(False))
