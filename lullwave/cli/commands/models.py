"""``lullwave models``: installed checkpoints, and random ones to try out an installation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from ... import checkpoints
from ...errors import InvalidInput, MissingExtra, NotFound
from ..flags import AsJson, Quiet
from ..outputs import print_json
from ..parsing import WordCommand

app = typer.Typer(invoke_without_command=True, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A name on the Hugging Face hub, such as facebook/musicgen-small.")
]
_RIFFUSION = {"riffusion/riffusion-model-v1": "full", "riffusion-tiny": "tiny"}
_STABLE_AUDIO = {
    "stabilityai/stable-audio-3-small-music": "small",
    "stable-audio-small": "small",
    "stable-audio-tiny": "tiny",
}


@app.callback()
def models(context: typer.Context, as_json: AsJson = False) -> None:
    """List, pull, locate and remove model weights on this machine."""
    if context.invoked_subcommand is None:
        list_models(as_json)


@app.command("list", cls=WordCommand)
def list_models(as_json: AsJson = False) -> None:
    """List the installed models with size and licence."""
    console = Console()
    found = checkpoints.installed()
    if as_json:
        print_json([_fields(one) for one in found])
        return
    if not found:
        print(f"no models in {checkpoints.models_dir()}; get one with: lullwave models pull NAME")
        return
    table = Table("model", "size", "licence", "directory")
    for one in found:
        table.add_row(one.name, _size(one.bytes), one.licence or "not stated", escape(str(one.path)))
    console.print(table)


@app.command(cls=WordCommand)
def pull(name: Name, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Download a model. After an interruption, run it again: it resumes."""
    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )
    with bars:
        task = bars.add_task(name, total=None)

        def show(file: str, done: int, total: int) -> None:
            bars.update(task, description=file, completed=done, total=total)

        got = checkpoints.pull(name, show)
    if as_json:
        print_json(_fields(got))
        return
    if quiet:
        return
    print(f"{got.name}: {_size(got.bytes)} in {got.path}")
    print(f"licence: {got.licence or 'not stated; see the model card on the hub'}")
    if "nc" in got.licence.lower().split("-"):
        print("this licence does not allow commercial use of the weights")


@app.command(cls=WordCommand)
def path(name: Name) -> None:
    """Print the directory of an installed model."""
    print(checkpoints.locate(name, offline=True))


@app.command(cls=WordCommand)
def remove(name: Name) -> None:
    """Delete an installed model."""
    print(f"removed {checkpoints.remove(name)}")


@app.command("make-random", cls=WordCommand)
def make_random(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="An architecture: facebook/musicgen-small and its kin, or musicgen-tiny."),
    ],
    directory: Annotated[Path, typer.Argument(metavar="FOLDER", help="Empty or new directory to write into.")],
    seed: Annotated[int, typer.Option(min=0, metavar="NUMBER", help="The same seed gives the same weights.")] = 0,
) -> None:
    """Write random weights of a published architecture, to test speed and setup. They sound like noise."""
    if directory.exists() and any(directory.iterdir()):
        raise InvalidInput("directory", str(directory), "an empty directory, or one that does not exist")
    try:
        if name in _RIFFUSION:
            from ...engines.riffusion.model.random_checkpoint import make_random as write

            write(directory, "full" if _RIFFUSION[name] == "full" else "tiny", seed)
        elif name in _STABLE_AUDIO:
            from ...engines.stable_audio.model.random_checkpoint import make_random as write_stable_audio

            write_stable_audio(directory, "small" if _STABLE_AUDIO[name] == "small" else "tiny", seed)
        else:
            from ...engines.musicgen.model.random_checkpoint import random_names, write_random

            if name not in random_names():
                raise NotFound("architecture", name, [*random_names(), *_RIFFUSION, *_STABLE_AUDIO])
            write_random(name, directory, seed)
    except ModuleNotFoundError as error:
        raise MissingExtra("making random weights", "ai", error.name or "torch") from None
    print(f"wrote {name} with random weights to {directory}: it sounds like noise")


def _fields(one: checkpoints.Installed) -> dict[str, str | int]:
    return {
        "name": one.name,
        "path": str(one.path),
        "bytes": one.bytes,
        "licence": one.licence,
        "revision": one.revision,
    }


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
