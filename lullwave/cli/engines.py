"""``lullwave engines``: what can make music here."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..engines import engine_facts, engine_names
from ..errors import EngineError, MissingExtra
from ..options import OptionInfo, describe


def command(
    name: Annotated[str | None, typer.Argument(help="Show the options of this engine.")] = None,
) -> None:
    """List the engines; with a name, the options of that one."""
    console = Console(soft_wrap=False)
    if name is None:
        console.print(_overview())
        return
    found = engine_facts(name)
    console.print(f"{found.name}: {escape(found.summary)}")
    for title, options in (("to load it", found.load_options), ("for each request", found.options)):
        if described := describe(options):
            console.print(_options(title, described))


def _overview() -> Table:
    table = Table("engine", "what it is", "ready", "options")
    for name in engine_names():
        try:
            found = engine_facts(name)
        except MissingExtra as error:
            table.add_row(name, "", f"no: pip install 'lullwave\\[{error.extra}]'", "")
        except EngineError as error:
            table.add_row(name, "", "no: " + escape(str(error)), "")
        else:
            names = [info.name for info in (*describe(found.load_options), *describe(found.options))]
            table.add_row(name, escape(found.summary), "yes", escape(", ".join(names)))
    return table


def _options(title: str, described: list[OptionInfo]) -> Table:
    table = Table("option", "meaning", "allowed", "default", title=title, title_justify="left")
    for info in described:
        default = "nothing" if info.default is None else str(info.default)
        table.add_row(info.name, *(escape(text) for text in (info.limits.doc, info.allowed, default)))
    return table
