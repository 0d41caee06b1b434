"""Commands that are imported only when they run: help reads their summaries from the source.

A command is a module of the same name with a function of the same name, in the style of typer; its docstring is the
help. Where flags depend on the other arguments the module has ``build(arguments)``, which returns the function; where
the command is a group of commands it has an ``app``.
"""

from __future__ import annotations

import ast
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from .exit_codes import translated
from .parsing import WordCommand


class LazyCommand(TyperCommand):
    """Stands in help for a command that is not imported yet, and becomes it when its arguments are parsed."""

    def __init__(self, name: str) -> None:
        super().__init__(name, rich_markup_mode=None)
        self._function = name.replace("-", "_")
        self._module = f"{__package__}.commands.{self._function}"

    def get_short_help_str(self, limit: int = 45) -> str:
        """The summary, whole."""
        return summary_of(self._module, self._function)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The context of the command itself."""
        return self._load(args).make_context(info_name, args, parent, **extra)

    def _load(self, args: list[str]) -> Any:
        module = import_module(self._module)
        if (group := getattr(module, "app", None)) is not None:
            return typer.main.get_command(group)
        build = getattr(module, "build", None)
        function = getattr(module, self._function) if build is None else build(args)
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(self.name, cls=WordCommand)(function)
        return typer.main.get_command(single)


class LazyGroup(TyperGroup):
    """The program: the commands of ``names``, in that order."""

    names: tuple[str, ...] = ()

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name in self.names:
            self.commands[name] = LazyCommand(name)

    def invoke(self, ctx: Any) -> Any:
        """Parse and run the command, its failures translated."""
        with translated(bool(ctx.params.get("verbose"))):
            return super().invoke(ctx)


def summary_of(module: str, function: str) -> str:
    """The first line of a function's docstring, read from the source of its module, which is not imported."""
    spec = find_spec(module)
    assert spec is not None, f"no module {module}"
    assert spec.origin is not None, f"{module} is not a file"
    with open(spec.origin, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    found = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
    return (ast.get_docstring(next(found)) or "").partition("\n")[0]
