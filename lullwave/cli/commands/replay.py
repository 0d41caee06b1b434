"""``lullwave replay``: renders a past moment of a station from the history on disk, or asks a server (``--server``)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...archive.clips import ClipStore
from ...archive.times import wall_time
from ...codecs import format_of, write
from ...engines import engine_class, load_engine
from ...engines.base import Engine
from ...server.engine_config import load_options
from ...settings import Settings, load
from ...station import ArchiveEngine
from ...station.replay import replay_moment
from ...storage.atomic_files import replacing
from ..flags import Config, DataDir, Force, Kbps, Quiet
from ..outputs import check_file, next_free
from ..server import Server, Token, open_client, refuse_local
from .history import open_history


def replay(
    station: Annotated[str, typer.Argument(metavar="STATION", help="Id of the station.")],
    time: Annotated[
        str,
        typer.Argument(
            metavar="TIME", help="Time such as 2025-01-31T22:15:00.000, or seconds since 1970; see lullwave history."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="File to write.  [default: replay.mp3, or replay-2.mp3 and so on]"
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", "-s", min=1, max=3600, metavar="SECONDS", help="Length in seconds.")
    ] = 60.0,
    data_dir: DataDir = None,
    kbps: Kbps = 192,
    config: Config = None,
    server: Server = None,
    token: Token = "",
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Render a past moment of a station again: the same samples while the engine's version is the same."""
    output = output or next_free(Path("replay.mp3"))
    named = format_of(output)
    check_file(output, force=force)
    if server is not None:
        refuse_local({"--data-dir": data_dir, "--config": config})
        with open_client(server, token) as client:
            clip = client.replay(station, time, seconds, named.name)
        with replacing(output) as file:
            file.write(clip.file)
        if not quiet:
            print(f"{output}: {station} at {time}" + ("" if clip.exact else " (similar, not the same samples)"))
        return
    wall = wall_time(time, "time")
    settings = load({"data_dir": data_dir}, config)
    history = open_history(settings)
    engines: dict[str, Engine] = {}

    def engine(name: str) -> Engine:
        if name not in engines:
            engines[name] = _engine(name, settings, station)
        return engines[name]

    try:
        sound, exact = replay_moment(history, station, wall, seconds, engine)
    finally:
        history.close()
        for loaded in engines.values():
            loaded.close()
    write(output, sound, named.name, kbps, sound.tags)
    if not quiet:
        made = f"{output}: {sound.duration_s:g} s of {station}"
        notes = [] if exact else ["similar, not the same samples"]
        if sound.duration_s < seconds - 0.001:
            notes.append("then the station slept or stopped")
        print(made + (f" ({'; '.join(notes)})" if notes else ""))


def _engine(name: str, settings: Settings, station: str) -> Engine:
    """An engine with the server's load options, except its memory file, which only the server may write."""
    if name == ArchiveEngine.name:
        return ArchiveEngine(ClipStore(settings.paths.clips(station), settings.max_clips, settings.max_clip_mb * 1e6))
    options = load_options(settings)(name, engine_class(name))
    options.pop("memory_file", None)
    return load_engine(name, **options)
