"""Flags that several commands share, and flags from option dataclasses (``lullwave.options``).

A flag that is not given leaves the default of the dataclass. ``lullwave.options`` checks the values, so that the
command line reports a wrong value in the same words as Python and HTTP.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InvalidInput, Unsupported
from ..options import OptionInfo, describe

_ALSO = {"checkpoint": "--model"}  # a second name that the flag of an option has

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="PROMPT", help="What the music should sound like; quotes are optional."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only: no progress bar, no summary.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Kbps = Annotated[int, typer.Option("--kbps", metavar="NUMBER", help="Bit rate of the lossy formats, in kbit/s.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", metavar="FOLDER", help="The server's data directory.")]
Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="The server's settings file (TOML).")]
Seconds = Annotated[float, typer.Option("--seconds", "-s", metavar="SECONDS", help="Length in seconds.")]
Limit = Annotated[
    int, typer.Option("--limit", "-l", metavar="NUMBER", help="Only the first files, this many; 0 or less: all.")
]
Glob = Annotated[
    str, typer.Option("--glob", "-g", metavar="TEXT", help="Only files whose path inside the folder matches.")
]
Processes = Annotated[
    int,
    typer.Option(
        "--num-processes", "--num-threads", min=0, metavar="NUMBER", help="Processes at once; 0: one for each core."
    ),
]
AudioFile = Annotated[Path, typer.Option("--audio", "-a", metavar="FILE", help="Audio file to read.")]
AudioFolder = Annotated[
    Path, typer.Option("--audio-dir", "-a", metavar="FOLDER", help="Folder of audio files to read.")
]
OutputFolder = Annotated[Path, typer.Option("--output-dir", "-o", metavar="FOLDER", help="Folder to write into.")]
ImageFile = Annotated[Path, typer.Option("--image", "-i", metavar="FILE", help="Image file to read.")]


@dataclass(frozen=True)
class FlagGroup:
    """Flags made from one option dataclass. The values that were given reach the command as one dictionary."""

    keyword: str  # the command's parameter that receives the dictionary
    options: type
    only: tuple[str, ...] = ()  # names of the options that become flags; empty: all
    renamed: Mapping[str, str] = field(default_factory=dict)  # option → its flag, where it is not --option
    short: Mapping[str, str] = field(default_factory=dict)  # option → its flag of one letter


def with_flags(command: Callable[..., None], groups: Iterable[FlagGroup]) -> Callable[..., None]:
    """``command`` with a flag for each option. It must have a keyword parameter for each group.

    Where the command or an earlier group already has a flag of that name, an option that is on by default keeps its
    ``--no-name``; others are set by ``--option name=value``.
    """
    groups = tuple(groups)
    own = inspect.signature(command, eval_str=True).parameters
    parameters = [p for name, p in own.items() if name not in {g.keyword for g in groups}]
    taken = {p.name for p in parameters}
    homes: dict[str, tuple[FlagGroup, str]] = {}
    for group in groups:
        for info in describe(group.options):
            if group.only and info.name not in group.only:
                continue
            name, flag = info.name, _flag(info, group.renamed.get(info.name), group.short.get(info.name))
            if name in taken:
                if info.default is not True:
                    continue
                name, flag = (
                    f"no_{name}",
                    typer.Option(f"--no-{name.replace('_', '-')}", help=f"Without {info.limits.doc}."),
                )
            taken.add(name)
            homes[name] = (group, info.name)
            annotation = Annotated[info.type | None, flag]  # type: ignore[name-defined]
            parameters.append(
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
            )

    @functools.wraps(command)
    def flagged(*args: Any, **values: Any) -> None:
        gathered: dict[str, dict[str, Any]] = {group.keyword: {} for group in groups}
        for name, (group, option) in homes.items():
            value = values.pop(name)
            if value is not None:
                gathered[group.keyword][option] = value if name == option else not value
        with called(_names(groups, gathered)):
            command(*args, **values, **gathered)

    del flagged.__wrapped__
    flagged.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    flagged.__annotations__ = {p.name: p.annotation for p in parameters}
    return flagged


@contextmanager
def called(names: Mapping[str, str]) -> Iterator[None]:
    """Inside the block, errors name fields as the command line does; ``names`` maps field to flag."""
    try:
        yield
    except InvalidInput as error:
        if error.field not in names:
            raise
        if isinstance(error, Unsupported):
            raise Unsupported(names[error.field], error.value, error.reason) from None
        allowed = error.allowed.removesuffix(", or none")  # to give none, a flag is left out
        raise InvalidInput(names[error.field], error.value, allowed) from None


def _names(groups: Iterable[FlagGroup], gathered: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The flags that were given, by the names that errors have for their options."""
    names: dict[str, str] = {}
    for group in groups:
        for option in gathered[group.keyword]:
            flag = _declared(option, group.renamed.get(option)).partition("/")[0]
            names |= {option: flag, f"options.{option}": flag}
    return names


def given(arguments: list[str], flag: str, default: str) -> str:
    """The value of ``flag`` in arguments that are not parsed yet."""
    value = default
    for position, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == flag and position + 1 < len(arguments):
            value = arguments[position + 1]
        elif argument.startswith(flag + "="):
            value = argument[len(flag) + 1 :]
    return value


def _flag(info: OptionInfo, name: str | None = None, short: str | None = None) -> Any:
    name = _declared(info.name, name)
    if info.type is bool:
        return typer.Option(name if "/" in name else f"{name}/--no-{name[2:]}", help=_help(info))
    also = _ALSO.get(info.name)
    return typer.Option(
        name, *([short] if short else []), *([also] if also else []), help=_help(info), metavar=_metavar(info)
    )


def _declared(option: str, renamed: str | None) -> str:
    return renamed or "--" + option.replace("_", "-")


def _metavar(info: OptionInfo) -> str:
    """What stands for the value of a flag in help."""
    if info.limits.choices is not None:
        return "CHOICE"
    return "TEXT" if info.type is str else "SECONDS" if info.limits.unit == "s" else "NUMBER"


def _help(info: OptionInfo) -> str:
    """Sentences: the meaning, the limits of numbers and choices, and the default, unless it is empty."""
    said = sentence(info.limits.doc)
    if info.limits.choices is not None or info.type in (int, float):
        said += " " + sentence(info.allowed.removesuffix(", or none"))
    if info.default is None or info.default == "":
        return said
    default = ("off", "on")[info.default] if info.type is bool else info.default
    return f"{said}  [default: {default}]"


def sentence(words: str) -> str:
    """``words`` with a capital letter and a full stop, without the code marks of Markdown."""
    plain = words.replace("`", "")
    return f"{plain[:1].upper()}{plain[1:]}."
