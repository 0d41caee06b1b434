"""Command classes that parse arguments as people type them.

A prompt may be typed without quotes, and its words may begin with ``-``: ``lullwave generate piano, -drums -o a.mp3``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from typer.core import TyperCommand

from ..errors import InvalidInput

_ATTACHED = re.compile(r"-?[\d.]+$|.*[./]")  # a value that follows a short flag without a space: -s30, -onight.mp3


class WordCommand(TyperCommand):
    """A command whose arguments may begin with ``-``. A flag that does not exist is still an error."""

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first line of the help, whole."""
        return (self.help or "").strip().partition("\n")[0]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse with the flags first and all other words behind ``--``, if the command takes words."""
        parameters = self.get_params(ctx)
        if any(parameter.param_type_name == "argument" for parameter in parameters):
            args = words_last(args, parameters)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; errors about what the command line gave name it as help does."""
        try:
            return super().invoke(ctx)
        except InvalidInput as error:
            for parameter in self.get_params(ctx):
                source = ctx.get_parameter_source(parameter.name)
                if parameter.name == error.field and source is not None and source.name == "COMMANDLINE":
                    error.args = (str(error).replace(f"{error.field}:", f"{_shown_as(parameter)}:", 1),)
            raise


def _shown_as(parameter: Any) -> str:
    """A flag, or what stands for an argument in help."""
    return str(parameter.metavar if parameter.param_type_name == "argument" else parameter.opts[0])


def words_last(args: Sequence[str], parameters: Iterable[Any]) -> list[str]:
    """``args`` in another order: flags with their values, then ``--`` and the words.

    ``parameters`` are those of the command. Flags are exact names, everything that begins with ``--``, a single letter
    after ``-``, and a short flag with its value attached. ``-drums`` is a word.
    """
    takes_value = {
        flag: not parameter.is_flag
        for parameter in parameters
        if parameter.param_type_name == "option"
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }
    flags: list[str] = []
    words: list[str] = []
    rest = iter(args)
    for arg in rest:
        if arg == "--":
            words += rest
        elif arg in takes_value:
            flags.append(arg)
            if takes_value[arg]:
                flags += [value for value in [next(rest, None)] if value is not None]
        elif _is_flag(arg, takes_value):
            flags.append(arg)
        else:
            words.append(arg)
    return [*flags, "--", *words] if words else flags


def _is_flag(arg: str, takes_value: dict[str, bool]) -> bool:
    if arg.startswith("--"):
        return not re.search(r"\s", arg.partition("=")[0])
    if len(arg) == 2:
        return arg[0] == "-" and arg[1].isalpha()
    return bool(takes_value.get(arg[:2])) and bool(_ATTACHED.match(arg[2:])) and " " not in arg


def prompt_of(words: Sequence[str] | None) -> str:
    """One prompt from the words of a command line."""
    return " ".join(words or ())
