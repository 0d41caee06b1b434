"""``lullwave models``: installed checkpoints, and random ones to try out an installation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from ... import checkpoints
from ...errors import InvalidInput, MissingExtra, NotFound, Unsupported
from ...options import parse_pairs
from ..flags import AsJson, Quiet
from ..outputs import print_json
from ..parsing import WordCommand

app = typer.Typer(invoke_without_command=True, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A name on the Hugging Face hub, such as facebook/musicgen-small.")
]
_RIFFUSION = {"riffusion/riffusion-model-v1": "full", "riffusion-tiny": "tiny"}
_STABLE_AUDIO: dict[str, Literal["tiny", "small", "medium"]] = {
    "stabilityai/stable-audio-3-small-music": "small",
    "stable-audio-small": "small",
    "stabilityai/stable-audio-3-medium": "medium",
    "stable-audio-medium": "medium",
    "stable-audio-tiny": "tiny",
}


@app.callback()
def models(context: typer.Context, as_json: AsJson = False) -> None:
    """List, pull, locate and remove model weights on this machine."""
    if context.invoked_subcommand is None:
        list_models(as_json=as_json)


@app.command("list", cls=WordCommand)
def list_models(
    available: Annotated[
        bool, typer.Option("--available", help="List published models instead, with the speed expected here.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the installed models with size and licence."""
    console = Console()
    if available:
        _list_available(console, as_json)
        return
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
        typer.Argument(
            metavar="NAME",
            help="An architecture: facebook/musicgen-small and its kin, riffusion/riffusion-model-v1, "
            "stable-audio-small, stable-audio-medium; musicgen-tiny, riffusion-tiny or stable-audio-tiny.",
        ),
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

            write_stable_audio(directory, _STABLE_AUDIO[name], seed)
        else:
            from ...engines.musicgen.model.random_checkpoint import random_names, write_random

            if name not in random_names():
                raise NotFound("architecture", name, [*random_names(), *_RIFFUSION, *_STABLE_AUDIO])
            write_random(name, directory, seed)
    except ModuleNotFoundError as error:
        raise MissingExtra("making random weights", "ai", error.name or "torch") from None
    print(f"wrote {name} with random weights to {directory}: it sounds like noise")


@app.command(cls=WordCommand)
def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An installed model, or a directory of weights.")],
    engine: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Engine that plays it, if the files do not tell.")
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", "-s", min=1, max=60, metavar="SECONDS", help="Length of the clip.")
    ] = 5.0,
    option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Any load option of the engine; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a model: against its library, by a short clip, for speed and memory. One line of verdict."""
    from ...engines import engine_facts, load_engine
    from ...models.check import check as check_model
    from ...models.check import engine_of

    directory = checkpoints.locate(name, offline=True)
    kind = engine or engine_of(directory)
    facts = engine_facts(kind)
    if not facts.weights:
        raise Unsupported("--engine", kind, f"the engine {kind!r} has no weights")
    options = parse_pairs(option or (), facts.load_options)
    with load_engine(kind, **{**options, facts.weights: str(directory)}) as loaded:
        found = check_model(loaded, seconds)
    if as_json:
        print_json(found.data())
    else:
        if found.comparison is not None:
            compared = found.comparison
            print(f"{compared.what}: largest difference {compared.largest:.2g}, cosine {compared.cosine:.6f}")
        else:
            print(f"not compared: {found.why_not_compared}")
        print(
            f"clip of {found.seconds:g} s: {found.level_dbfs:g} dBFS, peak {found.peak:g}, "
            f"{found.silent_share:.0%} silent, {found.clipped_share:.2%} clipped"
        )
        print(f"{name} ({kind}): {found.verdict}")
    if found.faults:
        raise typer.Exit(1)


def _list_available(console: Console, as_json: bool) -> None:
    """Print the models to choose from."""
    from ...engines import engine_names
    from ...models.machine import available, this_machine

    found = available(engine_names(), this_machine())
    if as_json:
        print_json(found)
        return
    table = Table("model", "engine", "disk", "memory", "sound", "speed here", "licence")
    for one in found:
        sound = f"{one['rate'] / 1000:g} kHz {'stereo' if one['channels'] == 2 else 'mono'}"
        gated = "; gated" if one["gated"] else ""
        name = one["name"] + (" (installed)" if one["installed"] else "")
        memory = f"{one['memory_gb']:g} GB" + ("" if one["fits"] else "\ndoes not fit")
        table.add_row(
            f"{name}\n{one['good_at']}", one["engine"], f"{one['disk_gb']:g} GB", memory, sound,
            f"{one['speed']:g}x", f"{one['licence']}{gated}\n{one['terms']}",
        )  # fmt: skip
    console.print(table)
    print("speed: seconds of sound in a second on this machine, estimated; gated: accept the terms on the hub first")


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
