"""Commands that are imported when they run: help lists them by their summaries alone; knows no command.

A command is a module with a function ``command`` in the style of typer, or, where its flags depend on the other
arguments, with a function ``build(arguments)`` that gives one, or with an ``app`` of commands of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from .exit_codes import translated
from .parsing import WordCommand


class LazyCommand(TyperCommand):
    """Stands in help for a command that is not imported yet, and becomes it when its arguments are parsed."""

    def __init__(self, name: str, module: str, summary: str) -> None:
        super().__init__(name, help=summary, rich_markup_mode=None)
        self._module = module
        self._summary = summary

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The context of the command itself."""
        return self._load(args).make_context(info_name, args, parent, **extra)

    def _load(self, args: list[str]) -> Any:
        module = import_module(self._module)
        if hasattr(module, "app"):
            return typer.main.get_command(module.app)
        build: Callable[[list[str]], Callable[..., None]] | None = getattr(module, "build", None)
        function = build(args) if build is not None else module.command
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(self.name, cls=WordCommand, help=function.__doc__ or self._summary)(function)
        return typer.main.get_command(single)


class LazyGroup(TyperGroup):
    """The program: its commands by a table of name → (module, summary)."""

    table: Mapping[str, tuple[str, str]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (module, summary) in self.table.items():
            self.commands[name] = LazyCommand(name, module, summary)

    def invoke(self, ctx: Any) -> Any:
        """Parse and run the command, its failures translated."""
        with translated(bool(ctx.params.get("verbose"))):
            return super().invoke(ctx)
