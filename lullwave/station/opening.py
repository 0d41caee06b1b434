"""How the streams of a station are begun: its own, one that goes on where it was lost, and the embedded engine's.

Each is a function for a ``Reader``, which calls it on its own thread; knows neither reserve nor rungs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..engines.base import Engine
from ..errors import EngineError, EngineLost, InvalidInput, StreamClosed
from ..options import build, describe
from ..request import Request
from .adapter import StationStream
from .source import STEP, OpenStream, Source, StreamSnapshot


def fresh(engine: Callable[[], Engine], request: Request) -> Callable[[Source], OpenStream]:
    """A stream of ``request`` from its beginning."""

    def open_it(reader: Source) -> OpenStream:
        loaded = engine()
        return OpenStream(loaded, StationStream(loaded.stream(request), 0), request.prompt)

    return open_it


def going_on(
    engine: Callable[[], Engine], kept: StreamSnapshot, until: int, request: Request
) -> Callable[[Source], OpenStream]:
    """The stream that was lost, from frame ``until`` of its reader on; where that cannot be, a fresh one.

    The frames from the snapshot to ``until`` have been heard: they are made once more, for nobody.
    """

    def open_it(reader: Source) -> OpenStream:
        loaded = engine()
        try:
            stream = loaded.restore(kept.snapshot)
        except EngineLost:
            raise
        except EngineError:  # it has no snapshots, or is another one than it was
            return OpenStream(loaded, StationStream(loaded.stream(request), 0), request.prompt)
        feed = StationStream(stream, kept.frame)
        try:
            while feed.position < until:
                if reader.closing:
                    raise StreamClosed("nobody needs it any more")
                feed.read(min(STEP, until - feed.position))
        except BaseException:
            feed.close()
            raise
        reader.resumed = True
        reader.kept.append(kept)
        return OpenStream(loaded, feed, request.prompt)

    return open_it


def in_place_of(
    engine: Callable[[], Engine], prompt: str, seed: int, piece: Mapping[str, Any]
) -> Callable[[Source], OpenStream]:
    """A stream of another engine, in the key and tempo of the piece before where it knows such wishes."""

    def open_it(reader: Source) -> OpenStream:
        loaded = engine()
        request = Request(prompt, seed, options=wishes(type(loaded), piece))
        return OpenStream(loaded, StationStream(loaded.stream(request), 0), prompt)

    return open_it


def wishes(kind: type[Engine], piece: Mapping[str, Any]) -> dict[str, Any]:
    """``tempo_bpm`` and ``key`` of a piece as options of an engine that has them and takes their values."""
    known = {info.name for info in describe(kind.options)}
    found: dict[str, Any] = {}
    for name in ("tempo_bpm", "key"):
        if name in known and piece.get(name) is not None:
            try:
                build(kind.options, {name: piece[name]})
            except InvalidInput:
                continue
            found[name] = piece[name]
    return found


def lightest(lighter: tuple[Mapping[str, Any], ...], level: int) -> dict[str, Any]:
    """The first ``level`` steps of an engine's lighter options, as one set."""
    options: dict[str, Any] = {}
    for step in lighter[:level]:
        options |= step
    return options
