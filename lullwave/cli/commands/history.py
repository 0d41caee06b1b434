"""``lullwave history``: reads the server's history file, without a running server, or asks one (``--server``)."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ...archive.history import History, HistoryEntry
from ...archive.times import time_text, wall_time
from ...errors import NotFound
from ...settings import Settings, load
from ..flags import AsJson, Config, DataDir
from ..outputs import print_json
from ..server import Server, Token, open_client, refuse_local


def history(
    station: Annotated[
        str | None, typer.Argument(metavar="STATION", help="Id of one station; all stations if absent.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=500, metavar="NUMBER", help="At most this many entries.")
    ] = 20,
    before: Annotated[str | None, typer.Option(metavar="TIME", help="Only what began before this time.")] = None,
    data_dir: DataDir = None,
    config: Config = None,
    server: Server = None,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """List what was played, newest first, with times that replay accepts."""
    if server is not None:
        refuse_local({"--data-dir": data_dir, "--config": config})
        _show(_from_server(server, token, station, limit, before), station, as_json)
        return
    settings = load({"data_dir": data_dir}, config)
    end = wall_time(before, "--before") if before is not None else None
    stations = [one.id for one in settings.stations] if station is None else [station]
    kept = open_history(settings)
    try:
        found = [(name, entry) for name in stations for entry in kept.entries(name, limit, end)]
    finally:
        kept.close()
    found.sort(key=lambda pair: pair[1].wall, reverse=True)
    _show([{"station": name, **_fields(entry)} for name, entry in found[:limit]], station, as_json)


def _from_server(server: str, token: str, station: str | None, limit: int, before: str | None) -> list[dict[str, Any]]:
    """The entries that a running server tells, newest first."""
    with open_client(server, token) as client:
        names = [one.id for one in client.stations()] if station is None else [station]
        found = [(name, entry) for name in names for entry in client.history(name, limit, before)]
    found.sort(key=lambda pair: float(pair[1].data["wall"]), reverse=True)
    placed = ("run", "frame", "until", "wall", "at", "kind")
    return [
        {
            "station": name,
            "time": entry.at,
            "kind": entry.kind,
            **{key: value for key, value in entry.data.items() if key not in placed},
        }
        for name, entry in found[:limit]
    ]


def _show(found: list[dict[str, Any]], station: str | None, as_json: bool) -> None:
    """Print entries as JSON or as a table."""
    if as_json:
        print_json(found)
        return
    if not found:
        print("nothing was played" + (f" at {station}" if station else ""))
        return
    table = Table("time", "station", "what", "title or prompt")
    for entry in found:
        text = str(entry.get("title") or entry.get("prompt") or "")
        table.add_row(entry["time"], entry["station"], entry["kind"], escape(text))
    Console().print(table)


def open_history(settings: Settings) -> History:
    """The server's history, which is only read: servers may write it at the same time.

    Raises:
        NotFound: there is no file yet.
        MissingExtra: it is in PostgreSQL, and the package for that is not installed.
    """
    if settings.database_url:
        return History(settings.database_url, settings.max_history_mb * 1e6, read_only=True)
    path = settings.paths.history
    if not path.is_file():
        raise NotFound("history file", str(path))
    return History(path, settings.max_history_mb * 1e6, read_only=True)


def _fields(entry: HistoryEntry) -> dict[str, Any]:
    return {"time": _time(entry), "kind": entry.kind, **entry.data}


def _time(entry: HistoryEntry) -> str:
    """Local time with its zone."""
    return time_text(entry.wall, zone=None)
