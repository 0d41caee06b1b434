"""``lullwave cluster``: engines and stations on a Ray cluster."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from ...engines.cluster.options import check_address, default_address, use_token
from ...errors import MissingExtra
from ...settings import load
from ..flags import AsJson
from ..outputs import print_json
from ..parsing import WordCommand

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
Address = Annotated[
    str,
    typer.Option(metavar="TEXT", help="auto, HOST:PORT or ray://HOST:PORT.  [default: RAY_ADDRESS, else auto]"),
]


@app.callback()
def cluster() -> None:
    """Start and stop engines and stations on a Ray cluster, and show what runs there."""
    if find_spec("ray") is None:
        raise MissingExtra("lullwave cluster", "ray", "ray")
    use_token()


@app.command(cls=WordCommand)
def up(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="TOML file of engines; without it, one embedded engine."),
    ] = None,
    stations: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Settings file of servers with a store: their stations run here, too."),
    ] = None,
    address: Address = "",
    as_json: AsJson = False,
) -> None:
    """Start the engines of FILE, or change the running ones to it. Starts Ray here if there is no cluster."""
    from ...cluster import control
    from ...cluster.config import ClusterConfig

    config = ClusterConfig() if file is None else ClusterConfig.read(file)
    where = _checked(address)
    settings = None if stations is None else load({"cluster": where}, stations)
    if not control.has_cluster(where):
        control.start_ray()
    _show(control.up(config, where, settings), as_json)


@app.command(cls=WordCommand)
def status(address: Address = "", as_json: AsJson = False) -> None:
    """Show stations and engines: where they run, their streams, speed and restarts."""
    from ...cluster import control

    _show(control.status(_checked(address)), as_json)


@app.command(cls=WordCommand)
def down(
    address: Address = "",
    ray: Annotated[bool, typer.Option("--ray", help="Stop Ray on this machine, too.")] = False,
) -> None:
    """Stop all our engines and stations on the cluster. Ray itself goes on."""
    from ...cluster import control

    try:
        engines, actors = control.down(_checked(address))
        print(f"stopped {engines} engines and {actors} stations")
    finally:
        if ray:
            control.stop_ray()


def _checked(address: str) -> str:
    return check_address(address or default_address())


def _show(rows: dict[str, list[dict[str, Any]]], as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    console = Console()
    if rows["stations"]:
        table = _table("station", "node", "pid", "engine", "speed", "ahead", "restarts", "state")
        for row in rows["stations"]:
            ahead = "" if row["ahead_s"] is None else f"{row['ahead_s']:.0f} s"
            where = row["station"], row["node"], str(row["pid"] or ""), row["engine"] or ""
            table.add_row(*where, _times(row["speed"]), ahead, str(row["restarts"]), row["state"])
        console.print(table)
    table = _table("actor", "node", "pid", "streams", "waiting", "speed", "restarts", "state")
    for row in rows["engines"]:
        waiting = "" if row["waiting"] is None else str(row["waiting"])
        where = row["actor"], row["node"], str(row["pid"] or ""), str(row["streams"])
        state = "ready" if row["answers"] else f"failed: {row['failed']}" if row["failed"] else "starting"
        table.add_row(*where, waiting, _times(row["speed"]), str(row["restarts"]), state)
    console.print(table)


def _table(*names: str) -> Table:
    """A table whose cells are never cut off, however narrow the terminal is."""
    return Table(*(Column(name, overflow="fold") for name in names), box=SIMPLE)


def _times(speed: float | None) -> str:
    return "" if speed is None else f"{speed:.1f}"
