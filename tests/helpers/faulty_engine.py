"""An engine of sines that fails, hangs, loads long or is slow by a simulated clock, on command."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field

from sine_engine import SineEngine, SineOptions, SineStream

from lullwave.audio import Audio
from lullwave.clock import FOREVER, SimulatedClock
from lullwave.engines.base import Understanding
from lullwave.options import build, option
from lullwave.request import Request

HZ = 330.0  # the embedded engine of the tests plays 220
LIGHTER_HZ, SMALLER_HZ = 550.0, 660.0  # its tone with lighter options


@dataclass(frozen=True)
class FaultyOptions(SineOptions):
    hz: float = option(HZ, "the tone", low=20, high=2000, unit="Hz")
    smaller: bool = option(False, "by the smaller model")


@dataclass
class Fault:
    """What is wrong with the engine; tests change it while a station plays."""

    clock: SimulatedClock
    loading_s: float = 0.0
    load_error: Exception | None = None
    error: Exception | None = None  # of every call
    hangs: bool = False  # every read, until it is false again
    speed: float = FOREVER  # seconds of music in a second
    speeds: dict[float, float] = field(default_factory=dict)  # speed by tone, where it differs
    window_s: float = 0.0  # music that is made at once, while the window before is read; the first ones are shorter
    busy_until: float = 0.0  # with windows, which streams make one after the other
    refuses: dict[str, Exception] = field(default_factory=dict)  # by option: opening a stream with it fails
    breaks: dict[float, Exception] = field(default_factory=dict)  # by tone: every read fails
    stuck: set[float] = field(default_factory=set)  # tones whose reads hang until they are removed
    snapshots: bool = True
    loads: int = 0
    opened: list[str] = field(default_factory=list)  # "stream" or "restore"
    options: list[dict] = field(default_factory=list)

    @contextmanager
    def waiting(self):
        waiter = self.clock.waiter()
        try:
            yield waiter
        finally:
            waiter.close()

    def pause(self, seconds: float) -> None:
        if seconds > 0:
            with self.waiting() as waiter:
                waiter.wait_until(self.clock.now() + seconds)

    def begin_window(self, seconds_of_work: float) -> float:
        """When a window is ready that begins to be made as soon as the engine is free."""
        self.busy_until = max(self.busy_until, self.clock.now()) + seconds_of_work
        return self.busy_until

    def check(self) -> None:
        while self.hangs:
            self.pause(0.1)
        if self.error is not None:
            raise self.error


def faulty(fault: Fault) -> type[SineEngine]:
    class FaultyEngine(SineEngine):
        name = "faulty"
        options = FaultyOptions
        lighter = ({"hz": LIGHTER_HZ}, {"smaller": True})

        def __init__(self) -> None:
            fault.loads += 1
            fault.pause(fault.loading_s)
            if fault.load_error is not None:
                raise fault.load_error

        def understand(self, prompt: str) -> Understanding:
            fault.check()
            return super().understand(prompt)

        def open(self, request: Request, **audio_prompts: Audio) -> SineStream:
            fault.check()
            fault.opened.append("stream")
            fault.options.append(dict(request.options))
            for error in (fault.refuses[name] for name in request.options if name in fault.refuses):
                raise error
            chosen = build(self.options, request.options)
            return FaultyStream(self, request, SMALLER_HZ if chosen.smaller else chosen.hz, 0, [])

        def restore(self, snapshot: bytes) -> SineStream:
            fault.check()
            fault.opened.append("restore")
            made = super().restore(snapshot)
            return FaultyStream(self, made.request, made._hz, made.position, made._steers)

    class FaultyStream(SineStream):
        def read(self, frames: int):
            fault.check()
            while self._hz in fault.stuck:
                fault.pause(1.0)
            if self._hz in fault.breaks:
                raise fault.breaks[self._hz]
            speed = fault.speeds.get(self._hz, fault.speed)
            if fault.window_s:
                self.wait_for_window(frames, speed)
            else:
                fault.pause(frames / self.rate / speed)
            fault.check()
            return super().read(frames)

        window_end_s, window_s = 0.0, 6.0  # of the window that is read, and the length of the next one
        ready: float | None = None  # when the next one is made

        def wait_for_window(self, frames: int, speed: float) -> None:
            while (self.position + frames) / self.rate > self.window_end_s:
                ready = fault.begin_window(self.window_s / speed) if self.ready is None else self.ready
                fault.pause(ready - fault.clock.now())
                self.window_end_s += self.window_s
                self.window_s = min(2.0 * self.window_s, fault.window_s)
                self.ready = fault.begin_window(self.window_s / speed)

        def close(self) -> None:
            if self.ready is not None and self.ready == fault.busy_until:
                fault.busy_until = fault.clock.now()  # it gives up the window in progress
            super().close()

        def steer(self, prompt: str, over_s: float = 8.0):
            fault.check()
            return super().steer(prompt, over_s)

        def snapshot(self, at_frame: int | None = None) -> bytes:
            if not fault.snapshots:
                from lullwave.errors import EngineError

                raise EngineError("no snapshots")
            return super().snapshot(at_frame)

    return FaultyEngine
