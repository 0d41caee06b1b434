"""``lullwave replay``: a moment that a station had on air, made again into a file; needs no running server."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ..codecs import format_of, write
from ..engines import load_engine
from ..engines.base import Engine
from ..errors import InvalidInput, NotFound
from ..history import History
from ..settings import load
from ..station import RATE
from ..station.air import Levels
from ..station.replay import replay
from .destination import check_file


def command(
    station: Annotated[str, typer.Argument(help="Id of the station.")],
    time: Annotated[str, typer.Argument(help="When: 2025-01-31T22:15:00, or seconds since 1970.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to make.")] = Path("replay.mp3"),
    seconds: Annotated[float, typer.Option("--seconds", "-s", min=1, max=3600, help="How much.")] = 60.0,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="Where the server keeps its history.")] = None,
    kbps: Annotated[int, typer.Option(help="Bit rate of the lossy formats.")] = 192,
) -> None:
    """Make a past moment of a station again, to the sample, while the engine's version is the same."""
    named = format_of(output)
    check_file(output)
    settings = load({"data_dir": data_dir})
    path = settings.paths.history
    if not path.is_file():
        raise NotFound("history", str(path))
    history = History(path, settings.max_history_mb * 1e6)
    engines: dict[str, Engine] = {}

    def engine(name: str) -> Engine:
        return engines.setdefault(name, engines.get(name) or load_engine(name))

    try:
        moment = history.moment(station, _wall(time))
        frames = round(seconds * RATE)
        levels = Levels(0, *history.levels(moment.run))
        sound, exact = replay(history.states(moment, frames + RATE), moment.frame, frames, levels, engine)
    finally:
        history.close()
        for loaded in engines.values():
            loaded.close()
    write(output, sound, named.name, kbps)
    print(f"{output}: {seconds:g} s of {station}" + ("" if exact else " (alike, not exact)"))


def _wall(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise InvalidInput("time", text, "2025-01-31T22:15:00, or seconds since 1970") from None
