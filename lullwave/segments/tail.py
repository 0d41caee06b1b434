"""Reads one station's programme ahead of what is on air into a reserve, while somebody listens. Knows no encoder.

While it does, it renews the wish for the music. It also reads what the producer tells, awake or asleep.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

import numpy as np

from ..audio import Audio
from ..clock import FOREVER, Clock, Waiter
from ..engines.base import Mark
from ..errors import CodecError, StorageUnavailable
from ..ring import FellBehind
from ..station import CHANNELS, RATE, Event
from ..station.playout import CHUNK_FRAMES
from ..station.reserve import Block, Reserve
from ..storage.objects import ObjectStore
from .heartbeat import RENEW_S, Heartbeat
from .present import Present, read_present
from .reader import POLL_S, SegmentReader
from .segment import SEGMENT_FRAMES, Keys, Manifest, Segment

WARM_S = 1.0  # of music that an encoder gets before what is heard first
PLACE_S = 0.25  # between two looks for the first music
FACTS_S, ASLEEP_FACTS_S = 1.0, 5.0  # between two looks at what the producer tells

log = logging.getLogger(__name__)


class ProgrammeTail:
    """The thread that reads one station. Thread-safe.

    Called on that thread: ``on_facts`` with what the producer tells when it has changed, ``on_place`` with the first
    frame in the reserve and the first one that is heard, each time that it begins to read somewhere.
    """

    def __init__(
        self,
        store: ObjectStore,
        station: str,
        reserve: Reserve,
        clock: Clock,
        burst_s: float,
        on_facts: Callable[[Present], None],
        on_place: Callable[[int, int], None],
    ) -> None:
        self._store, self._station, self._reserve, self._clock = store, station, reserve, clock
        self._burst_frames = round(burst_s * RATE)
        self._on_facts, self._on_place = on_facts, on_place
        self._wanted = Heartbeat(store, Keys(station).wanted, clock)
        self._looker = SegmentReader(store, station)  # of the manifest, to find a place
        self._reader: SegmentReader | None = None  # while there is a place to read on from
        self._manifest: Manifest | None = None
        self._facts: Present | None = None
        self._events: deque[Event] = deque()  # that no block carries
        self._held: list[Mark] = []  # heard in the beginning of the next segment
        self._active = False
        self._jump = False
        self._renew_at = self._facts_at = -FOREVER
        self._answers = True
        self._stopping = threading.Event()
        self._waiter: Waiter | None = None  # set by `start`
        self._thread = self._new_thread()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def manifest(self) -> Manifest | None:
        """The manifest as it was read last, while somebody listens; None before the first."""
        return self._manifest

    def start(self) -> None:
        self._waiter = self._clock.waiter()
        self._thread.start()

    def restart(self) -> None:
        """Begin a new thread if the last one died."""
        if not (self._thread.is_alive() or self._stopping.is_set()):
            self._thread = self._new_thread()
            self.start()

    def stop(self) -> None:
        self._stopping.set()
        self._wake()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; False if it is still busy."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def set_active(self, active: bool) -> None:
        """Tell whether to read; what was read before is forgotten."""
        if active != self._active:
            self._active, self._jump = active, True
            self._wake()

    def jump(self) -> None:
        """Go on where the programme is now: what was read is of the past."""
        self._jump = True
        self._wake()

    def air(self, frame: int) -> float | None:
        """When a frame goes on air, in seconds since 1970; None while that is not known."""
        manifest = self._manifest
        if manifest is None or frame < manifest.runs[0].first * SEGMENT_FRAMES:
            return None
        return manifest.frame_air(frame)

    def events(self, until: int) -> list[Event]:
        """The events before a frame that no block carries and that were not given yet."""
        found = []
        while self._events and self._events[0].frame < until:
            found.append(self._events.popleft())
        return found

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self._run, name=f"tail-{self._station}", daemon=True)

    def _wake(self) -> None:
        if self._waiter is not None:
            self._waiter.wake()

    def _run(self) -> None:
        assert self._waiter is not None
        try:
            while not self._stopping.is_set():
                self._waiter.wait_until(self._clock.now() + self._attempt())
        except Exception:  # ``restart`` begins a new thread
            log.exception("station %s: reading its programme failed", self._station)
        finally:
            self._waiter.close()

    def _attempt(self) -> float:
        """Do what is due; returns the seconds after which to look again."""
        try:
            left = self._look()
            self._answers = True
            return left
        except StorageUnavailable as error:
            if self._answers:
                log.warning("station %s: %s; trying again", self._station, error)
            self._answers = False
        except FellBehind as error:
            log.warning("station %s: %s; going on where the programme is now", self._station, error)
            self._jump = True
        return POLL_S

    def _look(self) -> float:
        if self._jump:
            self._jump, self._reader, self._held = False, None, []
            self._events.clear()
        if self._active:
            self._read()
            if self._clock.now() >= self._renew_at:
                self._wanted.renew()
                self._renew_at = self._clock.now() + RENEW_S / 2
        if self._clock.now() >= self._facts_at or (self._active and self._reader is None):
            self._read_facts()
        if not self._active:
            return max(0.0, self._facts_at - self._clock.now())
        return POLL_S if self._reader is not None else PLACE_S

    def _read_facts(self) -> None:
        facts = read_present(self._store, self._station)
        self._facts_at = self._clock.now() + (FACTS_S if self._active else ASLEEP_FACTS_S)
        if facts is not None and facts != self._facts:
            self._facts = facts
            self._on_facts(facts)

    def _read(self) -> None:
        """Read what is new; first find the place to begin at."""
        if self._reader is None and not self._place():
            return
        assert self._reader is not None
        try:
            for segment in self._reader.ready():
                self._manifest = self._reader.latest
                if self._jump or self._stopping.is_set():
                    return
                self._take(segment)
        except CodecError as error:
            log.warning("station %s: %s; there is silence instead", self._station, error)
            number = self._reader.number or 0
            self._reader.number = number + 1
            self._take(Segment(number, Audio(np.zeros((SEGMENT_FRAMES, CHANNELS), np.float32), RATE)))
        self._manifest = self._reader.latest

    def _place(self) -> bool:
        """Begin a little before what is on air now; False if nothing is."""
        manifest = self._looker.manifest()
        now = None if manifest is None else manifest.frame_at(self._clock.wall())
        if manifest is None or now is None:
            return False
        heard = now - self._burst_frames
        number = max(manifest.contiguous_from(now // SEGMENT_FRAMES), (heard - round(WARM_S * RATE)) // SEGMENT_FRAMES)
        self._read_facts()
        self._manifest = manifest
        self._on_place(number * SEGMENT_FRAMES, max(number * SEGMENT_FRAMES, heard - CHUNK_FRAMES))
        self._reserve.restart(number * SEGMENT_FRAMES)
        self._held = []
        self._reader = SegmentReader(self._store, self._station, number)
        return True

    def _take(self, segment: Segment) -> None:
        """Append a segment to the reserve, unless the station begins elsewhere now."""
        end = segment.frame + SEGMENT_FRAMES
        marks, self._held = self._held, []
        for event in segment.events:
            if event.kind == "piece":
                marks.append(Mark(event.frame, "piece", event.data))
            elif event.kind == "steer":
                marks.append(Mark(event.frame, "steer", event.data))
            else:
                self._events.append(event)
        self._held = [mark for mark in marks if mark.frame >= end]
        block = Block(segment.frame, segment.audio.samples, tuple(mark for mark in marks if mark.frame < end))
        with self._reserve.lock:
            if segment.frame == self._reserve.end:
                self._reserve.append(block)
            else:
                self._jump = True
