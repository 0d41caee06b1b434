"""What renders a programme for its producer: a stream of one engine, mastered. Knows nothing of stores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..audio import Audio
from ..engines.base import Engine
from ..errors import EngineError, EngineLost, SnapshotError, StreamClosed
from ..mastering import Master
from ..request import Request
from ..station import CHANNELS, RATE, Event, OutputLevels
from ..station.adapter import StationStream
from .segment import SEGMENT_FRAMES, ProgrammeState, Segment


@dataclass(frozen=True)
class Rendered:
    """A segment, and the state at its end where that is to be kept."""

    segment: Segment
    state: ProgrammeState | None = None


class Renderer(Protocol):
    """Makes the segments of one programme in order. One thread.

    ``restore`` or ``begin`` comes before the first ``render``, and after each ``close``.
    """

    def load(self) -> None:
        """Load what takes long.

        Raises:
            EngineError
        """

    def begin(self, number: int) -> None:
        """Begin new music at segment ``number``.

        Raises:
            EngineError
        """

    def restore(self, state: ProgrammeState, number: int) -> None:
        """Go on from the state before segment ``number``.

        Raises:
            SnapshotError: it is of another engine or version.
        """

    def render(self, number: int, air: float, state_due: bool, again: bool) -> Rendered | None:
        """The next segment, which goes on air at ``air`` (seconds since 1970); None if its music is not made yet.

        ``state_due``: the state at its end is wanted, too. ``again``: it was written before, and is dropped.

        Raises:
            EngineError
        """

    def set_asleep(self, asleep: bool) -> None:
        """Tell whether nobody wants the music."""

    def close(self) -> None:
        """Free what renders. No effect if it is closed."""


class StreamRenderer:
    """Renders one engine's stream of one request."""

    def __init__(self, load: Callable[[], Engine], request: Request, levels: OutputLevels | None = None) -> None:
        self._load, self._request, self._levels = load, request, levels or OutputLevels()
        self._engine: Engine | None = None
        self._stream: StationStream | None = None
        self._master = self._new_master()

    def load(self) -> None:
        self._engine = self._engine or self._load()

    def begin(self, number: int) -> None:
        assert self._engine is not None
        self._master = self._new_master()
        self._stream = StationStream(self._engine.stream(self._request), number * SEGMENT_FRAMES)

    def restore(self, state: ProgrammeState, number: int) -> None:
        assert self._engine is not None
        if state.engine != self._engine.name:
            raise SnapshotError(f"it is a state of {state.engine!r}, not of {self._engine.name!r}")
        if not state.snapshot:
            raise SnapshotError(f"the engine {self._engine.name!r} has no snapshots")
        master = self._new_master()
        master.restore(state.master)
        stream = StationStream(self._engine.restore(state.snapshot), number * SEGMENT_FRAMES - state.skip)
        stream.read(state.skip)
        self._master, self._stream = master, stream

    def render(self, number: int, air: float, state_due: bool, again: bool) -> Rendered:
        assert self._stream is not None
        stream, start = self._stream, self._stream.position
        mastered = self._master.process(Audio(stream.read(SEGMENT_FRAMES), RATE))
        delay = self._master.latency_frames  # the engine's frames are heard later by it
        events = tuple(Event(m.kind, m.frame + delay, dict(m.data)) for m in stream.marks(start, stream.position))
        return Rendered(Segment(number, mastered, events), self._state(stream) if state_due else None)

    def set_asleep(self, asleep: bool) -> None:
        pass

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream = None

    def _state(self, stream: StationStream) -> ProgrammeState:
        assert self._engine is not None
        try:
            frame, snapshot = stream.snapshot()
        except (EngineLost, StreamClosed):
            raise
        except EngineError:
            frame, snapshot = stream.position, b""
        skip = stream.position - frame
        return ProgrammeState(self._engine.name, snapshot, skip, self._master.state(), self._request.prompt)

    def _new_master(self) -> Master:
        return Master(RATE, CHANNELS, self._levels.loudness_lufs, self._levels.ceiling_dbtp)
