"""``lullwave replay``: a moment that a station had on air, made again into a file; needs no running server."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ..archive.clips import ClipStore
from ..archive.history import History
from ..codecs import format_of, write
from ..engines import engine_class, load_engine
from ..engines.base import Engine
from ..errors import InvalidInput, NotFound
from ..server.engine_config import load_options
from ..settings import Settings, load
from ..station import RATE, ArchiveEngine, OutputLevels
from ..station.replay import replay
from .outputs import check_file


def command(
    station: Annotated[str, typer.Argument(help="Id of the station.")],
    time: Annotated[str, typer.Argument(help="When: 2025-01-31T22:15:00, or seconds since 1970.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to make.")] = Path("replay.mp3"),
    seconds: Annotated[float, typer.Option("--seconds", "-s", min=1, max=3600, help="How much.")] = 60.0,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="Where the server keeps its history.")] = None,
    kbps: Annotated[int, typer.Option(help="Bit rate of the lossy formats.")] = 192,
    config: Annotated[Path | None, typer.Option("--config", help="The server's settings file.")] = None,
) -> None:
    """Make a past moment of a station again, to the sample, while the engine's version is the same."""
    named = format_of(output)
    check_file(output)
    wall = _wall(time)
    settings = load({"data_dir": data_dir}, config)
    path = settings.paths.history
    if not path.is_file():
        raise NotFound("history", str(path))
    history = History(path, settings.max_history_mb * 1e6)
    engines: dict[str, Engine] = {}

    def engine(name: str) -> Engine:
        if name not in engines:
            engines[name] = _engine(name, settings, station)
        return engines[name]

    try:
        moment = history.moment(station, wall)
        frames = round(seconds * RATE)
        levels = OutputLevels(0, *history.levels(moment.run))
        sound, exact = replay(history.states(moment, frames + RATE), moment.frame, frames, levels, engine)
    finally:
        history.close()
        for loaded in engines.values():
            loaded.close()
    write(output, sound, named.name, kbps)
    print(f"{output}: {seconds:g} s of {station}" + ("" if exact else " (alike, not exact)"))


def _engine(name: str, settings: Settings, station: str) -> Engine:
    """An engine as the server has it, but without the memory of what it played, which is the server's alone."""
    if name == ArchiveEngine.name:
        return ArchiveEngine(ClipStore(settings.paths.clips(station), settings.max_clips, settings.max_clip_mb * 1e6))
    options = load_options(settings)(name, engine_class(name))
    options.pop("memory_file", None)
    return load_engine(name, **options)


def _wall(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError, OSError):
            seconds = math.nan
    if not math.isfinite(seconds):
        raise InvalidInput("time", text, "2025-01-31T22:15:00, or seconds since 1970")
    return seconds
