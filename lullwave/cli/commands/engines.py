"""``lullwave engines``: tables of engines and options, or the same as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ...engines import engine_facts, engine_names
from ...engines.base import EngineFacts
from ...errors import EngineError, MissingExtra, UnknownEngine
from ...options import OptionInfo, describe
from ..flags import AsJson
from ..outputs import print_json


@dataclass(frozen=True)
class EngineEntry:
    """One engine: what it says of itself, if it can be imported, and what keeps it from being used."""

    name: str
    facts: type[EngineFacts] | None
    problem: str  # empty: it can be used

    def as_json(self) -> dict[str, Any]:
        """The entry as JSON values."""
        found = {"name": self.name, "summary": self.facts.summary if self.facts else "", "ready": not self.problem}
        if self.problem:
            found["problem"] = self.problem
        if self.facts:
            if self.facts.kernels():
                found["kernels"] = self.facts.kernels()
            found["load_options"] = [_option_json(info) for info in describe(self.facts.load_options)]
            found["options"] = [_option_json(info) for info in describe(self.facts.options)]
        return found


def engines(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Show the options of this engine.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the engines; with a name, the options of that one."""
    if as_json:
        print_json(entry_of(name).as_json() if name else [entry_of(one).as_json() for one in engine_names()])
        return
    console = Console(soft_wrap=False)
    if name is None:
        console.print(_overview())
        return
    entry = entry_of(name)
    if entry.facts is None:
        raise EngineError(entry.problem)
    console.print(f"{entry.name}: {escape(entry.facts.summary)}")
    if entry.problem:
        console.print(f"not ready: {entry.problem}", markup=False, highlight=False)
    if kernels := entry.facts.kernels():
        console.print(f"kernels: {kernels}", markup=False, highlight=False)
    for title, options in (("load options", entry.facts.load_options), ("options of a request", entry.facts.options)):
        if described := describe(options):
            console.print(_options(title, described))


def entry_of(name: str) -> EngineEntry:
    """The entry of one engine; built-in ones are described where their packages are not installed, too.

    Raises:
        UnknownEngine: nothing of that name is installed.
    """
    problem = ""
    try:
        return EngineEntry(name, engine_facts(name), "")
    except MissingExtra as error:
        problem = f"pip install 'lullwave[{error.extra}]'"
    except UnknownEngine:
        raise
    except EngineError as error:
        return EngineEntry(name, None, str(error))
    return EngineEntry(name, engine_facts(name, usable=False), problem)


def _overview() -> Table:
    table = Table("engine", "what it is", "ready", "options")
    for name in engine_names():
        entry = entry_of(name)
        summary, kernels, names = "", "", list[str]()
        if entry.facts is not None:
            summary = entry.facts.summary
            names = [info.name for info in (*describe(entry.facts.load_options), *describe(entry.facts.options))]
            kernels = entry.facts.kernels()
        ready = f"no: {entry.problem}" if entry.problem else f"yes; {kernels}" if kernels else "yes"
        table.add_row(name, escape(summary), escape(ready), escape(", ".join(names)))
    return table


def _options(title: str, described: list[OptionInfo]) -> Table:
    table = Table("option", "meaning", "allowed", "default", title=title, title_justify="left")
    for info in described:
        default = "none" if info.default is None else str(info.default)
        table.add_row(info.name, *(escape(text) for text in (info.limits.doc, info.allowed, default)))
    return table


def _option_json(info: OptionInfo) -> dict[str, Any]:
    said = {"name": info.name, "type": info.type.__name__, "default": info.default, "meaning": info.limits.doc}
    return {**said, "allowed": info.allowed}
