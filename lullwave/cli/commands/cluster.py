"""``lullwave cluster``: engines on a Ray cluster."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ...engines.cluster.options import check_address, default_address, use_token
from ...errors import MissingExtra
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
    """Start and stop engines on a Ray cluster, and show what runs there."""
    if find_spec("ray") is None:
        raise MissingExtra("lullwave cluster", "ray", "ray")
    use_token()


@app.command(cls=WordCommand)
def up(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="TOML file of engines; without it, one embedded engine."),
    ] = None,
    address: Address = "",
    as_json: AsJson = False,
) -> None:
    """Start the engines of FILE, or change the running ones to it. Starts Ray here if there is no cluster."""
    from ...cluster import control
    from ...cluster.config import ClusterConfig

    config = ClusterConfig() if file is None else ClusterConfig.read(file)
    where = _checked(address)
    if not control.has_cluster(where):
        control.start_ray()
    _show(control.up(config, where), as_json)


@app.command(cls=WordCommand)
def status(address: Address = "", as_json: AsJson = False) -> None:
    """Show the actors: where they run, their streams, speed and restarts."""
    from ...cluster import control

    _show(control.status(_checked(address)), as_json)


@app.command(cls=WordCommand)
def down(
    address: Address = "",
    ray: Annotated[bool, typer.Option("--ray", help="Stop Ray on this machine, too.")] = False,
) -> None:
    """Stop all our engines on the cluster. Ray itself goes on."""
    from ...cluster import control

    try:
        print(f"stopped {control.down(_checked(address))} engines")
    finally:
        if ray:
            control.stop_ray()


def _checked(address: str) -> str:
    return check_address(address or default_address())


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    table = Table("actor", "node", "process", "streams", "waiting", "speed", "restarts", "state")
    for row in rows:
        answers = "ready" if row["answers"] else "starting"
        speed = "" if row["speed"] is None else f"{row['speed']:.1f}"
        process, waiting = str(row["pid"] or ""), "" if row["waiting"] is None else str(row["waiting"])
        table.add_row(
            row["actor"], row["node"], process, str(row["streams"]), waiting, speed, str(row["restarts"]), answers
        )
    Console().print(table)
