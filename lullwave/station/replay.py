"""Renders a past moment of a station again: the sound sample for sample as it went on air, its notes and its stems.

The history holds engine snapshots and the state of the master. From these the engine renders the same music again,
and the master goes on from its own state; encoding is left out. Notes and stems belong to the music before mastering.
An engine of another version refuses the snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ..archive.history import History, SavedState
from ..audio import Audio, Samples, concat
from ..codecs import Tags
from ..engines.base import Engine, Stream
from ..errors import EngineFailed, SnapshotError, StreamClosed, Unsupported
from ..mastering import Master
from ..redaction import redacted
from .adapter import CHANNELS, RATE, StationStream
from .crossfade import equal_power
from .output import OutputLevels

Part = Literal["midi", "stems"]

_STEP = RATE  # frames rendered or mastered at a time
_BEFORE = 6 * RATE  # frames rendered before a moment: what rings at its beginning belongs to the part that played it
_SILENT = 1e-5  # peak of a stem that is left out

_WRITES: dict[Part, Callable[[Engine], bool]] = {
    "midi": lambda engine: engine.writes_midi,
    "stems": lambda engine: engine.writes_stems,
}
_NAMED: dict[Part, str] = {"midi": "MIDI", "stems": "stems"}


def replay_moment(
    history: History,
    station: str,
    wall: float,
    seconds: float,
    engine: Callable[[str], Engine],
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[Audio, bool]:
    """Render what ``station`` played from ``wall`` on (seconds since 1970); see ``replay``. The sound has its tags.

    It is shorter than ``seconds`` if the station slept or stopped before: what was not on air is not made.

    Raises:
        NotFound: the station was not on air then, or its states were deleted.
        SnapshotError: the engine's version changed, or it has no snapshots.
        StreamClosed: ``stopped()`` was true.
    """
    moment = history.moment(station, wall)
    frames = round(seconds * RATE)
    if moment.left is not None:
        frames = min(frames, moment.left)
    states = history.states(moment, frames + RATE)
    levels = OutputLevels(0, *history.levels(moment.run))
    sound, exact = replay(states, moment.frame, frames, levels, engine, stopped)
    piece = history.piece(moment)
    made_by = engine(next(s for s in reversed(states) if s.frame <= moment.frame).engine).made_by
    tags = Tags.of_generated(str(piece.get("title", "")), str(piece.get("prompt", "")), engine=made_by)
    return replace(sound, tags=tags), exact


def replay(
    states: list[SavedState],
    frame: int,
    frames: int,
    levels: OutputLevels,
    engine: Callable[[str], Engine],
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[Audio, bool]:
    """Render ``frames`` of mastered sound from station frame ``frame`` on; returns it and whether it is exact.

    ``states`` as ``History.states`` returns them. Music of an engine with another sample rate than the station's is
    resampled from another beginning, and so is alike, not equal.

    Raises:
        SnapshotError: the engine's version changed, or it has no snapshots.
        StreamClosed: ``stopped()`` was true; it is asked about once per second of sound.
    """
    master = Master(RATE, CHANNELS, levels.loudness_lufs, levels.ceiling_dbtp)
    anchor = next(s for s in reversed(states) if s.master_frame <= frame)
    master.restore(anchor.master)
    stop = frame + frames + master.latency_frames
    raw, exact = _unmastered(states, anchor.master_frame, stop, engine, stopped)
    out = []
    for at in range(0, len(raw), _STEP):
        _check(stopped)
        out.append(master.process(Audio(raw[at : at + _STEP], RATE)))
    begin = frame - (anchor.master_frame - master.latency_frames)
    return concat(out)[begin : begin + frames], exact


def _unmastered(
    states: list[SavedState], start: int, stop: int, engine: Callable[[str], Engine], stopped: Callable[[], bool]
) -> tuple[Samples, bool]:
    """What left the reserve from ``start`` to ``stop``, (T, 2), and whether all engines have the station's rate."""
    exact = True
    base = states[0].frame
    out = np.zeros((stop - base, CHANNELS), np.float32)
    for state, following in zip(states, [*states[1:], None], strict=True):
        end = stop if following is None else min(stop, following.frame + following.overlap)
        begin = state.frame
        if not state.snapshot:
            raise SnapshotError(
                f"engine {redacted(state.engine)!r} has no snapshots: its music cannot be rendered again"
            )
        restored = engine(state.engine).restore(state.snapshot)
        exact = exact and restored.rate == RATE
        stream = StationStream(restored, begin - state.skip)
        try:
            _read(stream, state.skip, stopped)
            samples = _read(stream, max(0, end - begin), stopped)
        finally:
            stream.close()
        n = min(state.overlap, len(samples))
        if n:
            rise, fall = equal_power(state.overlap)
            mixed = samples[:n] * rise[:n]
            mixed += out[begin - base : begin - base + n] * fall[:n]
            samples = np.concatenate([mixed, samples[n:]])
        out[begin - base : begin - base + len(samples)] = samples
    return out[start - base :], exact


def _read(stream: StationStream, frames: int, stopped: Callable[[], bool]) -> Samples:
    """``frames`` frames, (T, 2), read in steps so that ``stopped`` is asked between them."""
    parts = [np.zeros((0, CHANNELS), np.float32)]
    for at in range(0, frames, _STEP):
        _check(stopped)
        parts.append(stream.read(min(_STEP, frames - at)))
    return np.concatenate(parts)


@dataclass(frozen=True)
class _Span:
    """The station frames ``start`` to ``stop`` of a moment, in which the music from one saved state is heard."""

    state: SavedState
    start: int
    stop: int


@dataclass(frozen=True)
class MomentParts:
    """A moment of which the parts can be asked. ``frames`` are counted from station frame ``start``."""

    spans: Sequence[_Span]
    start: int
    frames: int
    engine: Callable[[str], Engine]

    @classmethod
    def find(
        cls, history: History, station: str, wall: float, seconds: float, engine: Callable[[str], Engine]
    ) -> MomentParts:
        """What ``station`` played from ``wall`` on (seconds since 1970); shorter if it slept or stopped before.

        Raises:
            NotFound: the station was not on air then, or its states were deleted.
        """
        moment = history.moment(station, wall)
        frames = round(seconds * RATE)
        if moment.left is not None:
            frames = min(frames, moment.left)
        states = history.states(moment, frames)
        return cls(_spans(states, moment.frame, frames), moment.frame, frames, engine)

    def written(self) -> list[Part]:
        """The parts that every engine of the moment writes."""
        return [part for part in _WRITES if not self._lacking(part)]

    def midi(self, stopped: Callable[[], bool] = lambda: False) -> bytes:
        """The notes as a MIDI file; the events lie where they are heard.

        Raises:
            Unsupported: an engine that played writes none, or several engines played.
            SnapshotError: the engine's version changed.
            StreamClosed: ``stopped()`` was true.
        """
        self._require("midi")
        names = {span.state.engine for span in self.spans}
        if len(names) > 1:
            raise Unsupported("at", None, "several engines played then; notes of one engine can be written")
        streams: list[Stream] = []
        passages: list[tuple[Stream, int]] = []
        try:
            for span, following in zip(self.spans, [*self.spans[1:], None], strict=True):
                stop = span.stop if following is None else following.start
                streams.append(self._opened(span, span.start, stopped))
                passages.append((streams[-1], stop - span.start))
            return self.engine(names.pop()).midi_of(passages)
        finally:
            for stream in streams:
                stream.close()

    def stems(self, folder: Path, stopped: Callable[[], bool] = lambda: False) -> dict[str, Samples]:
        """The parts by name, (T, 2) each, as arrays in files of ``folder``; their sum is the unmastered music.

        Raises:
            Unsupported: an engine that played writes none, or has another sample rate than the station.
            SnapshotError: the engine's version changed.
            StreamClosed: ``stopped()`` was true; it is asked about once per second of sound.
        """
        self._require("stems")
        made: dict[str, np.memmap[tuple[int, int], np.dtype[np.float32]]] = {}
        for span in self.spans:
            state = span.state
            rise, fall = equal_power(state.overlap)
            first, last = span.start - state.frame, min(state.overlap, span.stop - state.frame)
            if first < last:
                for samples in made.values():
                    samples[span.start - self.start :][: last - first] *= fall[first:last]
            at = max(state.frame - state.skip, span.start - _BEFORE)
            with self._opened(span, at, stopped) as stream:
                for block in stream.stems(span.stop - at):
                    _check(stopped)
                    for name, sound in block.items():
                        if name not in made:
                            shape = (self.frames, CHANNELS)
                            made[name] = np.memmap(folder / f"{len(made)}.f32", np.float32, "w+", shape=shape)
                        heard = sound.to_channels(CHANNELS).samples[max(0, span.start - at) :].copy()
                        begin = max(at, span.start)
                        faded = rise[begin - state.frame :][: len(heard)]
                        heard[: len(faded)] *= faded
                        made[name][begin - self.start :][: len(heard)] += heard
                    at += sound.frames
        return {name: samples for name, samples in made.items() if _peak(samples) > _SILENT}

    def _opened(self, span: _Span, at: int, stopped: Callable[[], bool]) -> Stream:
        """The music of a span, read up to station frame ``at``."""
        stream = self.engine(span.state.engine).restore(span.state.snapshot)
        if stream.rate != RATE:
            stream.close()
            raise Unsupported("at", None, f"the music then has {stream.rate} Hz, the station {RATE} Hz")
        ahead = at - (span.state.frame - span.state.skip)
        while ahead > 0:
            _check(stopped)
            if not (read := stream.read(min(_STEP, ahead)).frames):
                raise EngineFailed("the stream ended; a station needs an endless one")
            ahead -= read
        return stream

    def _lacking(self, part: Part) -> list[str]:
        """The engines of the moment that do not write a part."""
        names = dict.fromkeys(span.state.engine for span in self.spans)
        return [name for name in names if not _WRITES[part](self.engine(name))]

    def _require(self, part: Part) -> None:
        if lacking := self._lacking(part):
            reason = f"the engine {redacted(lacking[0])!r}, which played then, cannot write {_NAMED[part]}"
            raise Unsupported("at", None, reason)


def _spans(states: Sequence[SavedState], start: int, frames: int) -> list[_Span]:
    spans = []
    for state, following in zip(states, [*states[1:], None], strict=True):
        stop = start + frames
        if following is not None:
            stop = min(stop, following.frame + following.overlap)
        if max(start, state.frame) < stop:
            spans.append(_Span(state, max(start, state.frame), stop))
    return spans


def _peak(samples: Samples) -> float:
    return max((float(np.abs(samples[at : at + _STEP]).max()) for at in range(0, len(samples), _STEP)), default=0.0)


def _go_on(stopped: Callable[[], bool]) -> None:
    if stopped():
        raise StreamClosed("the parts are not wanted any more")


def _check(stopped: Callable[[], bool]) -> None:
    if stopped():
        raise StreamClosed("this moment is not wanted any more")
