"""The air edge: takes music from the reserve when the clock says so, masters and encodes it, hands it out.

One thread, one master and one encoder for the life of the station. Knows neither engines nor listeners; all that
leaves it is stamped with the station frame that is heard, the delays of mastering and codec taken off.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from ..audio import Audio, Samples
from ..clock import FOREVER, Clock, Waiter
from ..codecs import Mp3Encoder, mp3_frames, muted
from ..codecs.mp3 import MUTED_LEAD
from ..mastering import Master
from .adapter import CHANNELS, RATE
from .reserve import Block, Reserve

MP3_FRAME = 1152
CHUNK_FRAMES = 19 * MP3_FRAME  # 0.496 s
CHUNK_S = CHUNK_FRAMES / RATE
WALL_OFF_S = 2.0  # the time of day is off by more only when somebody set it
CATCH_UP_S = 10.0  # after a longer hold-up the time is lost: the stream goes on, later

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of whole MP3 frames of a station's one encoder."""

    number: int  # counts from 0 for the life of the station
    frame: int  # the stream frame that is heard at its beginning
    frames: int
    data: bytes
    lead: bytes = b""  # silent MP3 frames that a decoder needs when it begins here (see ``codecs.mp3.muted``)


@dataclass(frozen=True)
class Epoch:
    """From when on frames follow the clock without a break: ``frame`` goes on air at ``wall``."""

    frame: int
    wall: float  # seconds since 1970


@dataclass(frozen=True)
class PlayoutStep:
    """What went on air in one step."""

    chunk: Chunk
    block: Block  # as it came from the reserve
    mastered: Samples  # (T, 2), heard from station frame `mastered_frame` on
    mastered_frame: int
    epoch: Epoch
    master_state: bytes = b""  # before this step, where the block has states of the music


@dataclass(frozen=True)
class OutputLevels:
    """How the air sounds; from the settings."""

    kbps: int = 192
    loudness_lufs: float = -15.0
    ceiling_dbtp: float = -1.0


@dataclass
class _Plan:
    """When the next step is due."""

    epoch: Epoch
    start: float  # clock time at which the epoch's frame is due
    on_time: bool = False  # the beginning, which runs ahead, is over


class Playout:
    """The thread that puts a station on air while somebody listens."""

    def __init__(
        self,
        name: str,
        reserve: Reserve,
        clock: Clock,
        levels: OutputLevels,
        burst_s: float,
        sleep_after_s: float,
        on_step: Callable[[PlayoutStep], None],
        on_sleep: Callable[[bool], None],
    ) -> None:
        self._reserve = reserve
        self._clock = clock
        self._waiter: Waiter | None = None  # from the start on
        self._burst_s = burst_s
        self._sleep_after_s = sleep_after_s
        self._on_step = on_step
        self._on_sleep = on_sleep
        self._master = Master(RATE, CHANNELS, levels.loudness_lufs, levels.ceiling_dbtp)
        self._encoder = Mp3Encoder(RATE, CHANNELS, levels.kbps)
        self._lead: list[bytes] = []  # the last MP3 frames, for listeners who come in after them
        self._number = 0
        self.late_s = 0.0  # the longest that anything went on air after its time
        self._complained = False
        self._stopping = threading.Event()
        self._listening = False
        self._unheard_since = -FOREVER
        self._thread = threading.Thread(target=self._run, name=f"air-{name}", daemon=True)

    @property
    def edge(self) -> int:
        """The station frame that goes on air next."""
        return self._reserve.begin

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._waiter = self._clock.waiter()
        self._reserve.on_change.append(self._wake)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._reserve.close()
        self._wake()

    def join(self, timeout_s: float) -> bool:
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def set_listening(self, listening: bool) -> None:
        """Whether anybody listens, from any thread. Nobody for long: the air sleeps; somebody: it wakes at once."""
        if listening == self._listening:
            return
        self._unheard_since = self._clock.now()
        self._listening = listening
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None:
            self._waiter.wake()

    def _run(self) -> None:
        assert self._waiter is not None
        plan: _Plan | None = None
        try:
            while not self._stopping.is_set():
                if self._unheard_s() >= self._sleep_after_s:
                    self._sleep()
                    plan = None
                    continue
                plan = plan or self._anchor()
                due = plan.start + (self._reserve.begin - plan.epoch.frame) / RATE
                late = self._clock.now() - due
                if late < -1e-6:
                    plan.on_time = True
                    self._waiter.wait_until(min(due, self._sleep_moment()))
                elif late > CATCH_UP_S:
                    plan = None
                elif self._reserve.closed:
                    break
                elif not self._step(plan):
                    self._waiter.wait_until(self._sleep_moment())  # for music, or for the listeners' end
        finally:
            self._waiter.close()

    def _step(self, plan: _Plan) -> bool:
        """One chunk; False when there is no music for it."""
        block = self._reserve.take(CHUNK_FRAMES)
        if block is None:
            return False
        self._note_late(plan, block.frame)
        state = self._master.state() if block.restore_points else b""
        mastered = self._master.process(Audio(block.samples, RATE))
        first = self._encoder.frames_out * MP3_FRAME - self._encoder.delay_frames - self._master.latency_frames
        data = self._encoder.encode(mastered)
        frames = mp3_frames(data)
        if frames:
            lead = muted(self._lead)
            self._lead = [*self._lead, *frames][-MUTED_LEAD:]
            chunk = Chunk(self._number, first, len(frames) * MP3_FRAME, data, lead)
            self._number += 1
            begin = block.frame - self._master.latency_frames
            step = PlayoutStep(chunk, block, mastered.samples, begin, plan.epoch, state)
            self._tell(lambda: self._on_step(step))
        return True

    def _note_late(self, plan: _Plan, frame: int) -> None:
        """Remember the longest that anything came too late for whoever listens, and follow the time of day."""
        due = plan.start + (frame - plan.epoch.frame) / RATE
        now = self._clock.now()
        if plan.on_time:
            self.late_s = max(self.late_s, now - due)
        wall = self._clock.wall() - (now - due)
        if abs(wall - (plan.epoch.wall + (due - plan.start))) > WALL_OFF_S:
            # Somebody set the clock: the sound goes on, and is called by the new time from here.
            plan.epoch, plan.start = Epoch(frame, wall), due

    def _tell(self, news: Callable[[], None]) -> None:
        """Tell whoever is told; what breaks there must not end the sound."""
        try:
            news()
        except Exception:
            if not self._complained:
                log.exception("%s: somebody who is told what is aired failed; the music goes on", self._thread.name)
            self._complained = True

    def _anchor(self) -> _Plan:
        """Tie frames to the clock, from now on. A station that begins runs ahead by the burst, once."""
        now, wall = self._clock.now(), self._clock.wall()
        ahead_s = self._burst_s if self._number == 0 else 0.0
        return _Plan(Epoch(self._reserve.begin, wall - ahead_s), now - ahead_s)

    def _unheard_s(self) -> float:
        return 0.0 if self._listening else self._clock.now() - self._unheard_since

    def _sleep_moment(self) -> float:
        return FOREVER if self._listening else self._unheard_since + self._sleep_after_s

    def _sleep(self) -> None:
        self._tell(lambda: self._on_sleep(True))
        assert self._waiter is not None
        while not (self._listening or self._stopping.is_set()):
            self._waiter.wait_until(FOREVER)
        if not self._stopping.is_set():
            self._tell(lambda: self._on_sleep(False))
