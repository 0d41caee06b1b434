"""``--server URL``: commands that ask a running server instead of doing the work here (``lullwave.client``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from ..errors import Unsupported

if TYPE_CHECKING:
    from ..blocks import ClipFormat
    from ..client import Client, ClipProgress
    from ..request import Request

Server = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", help="Ask this server, such as http://localhost:8000; needs 'client'."),
]
Token = Annotated[
    str, typer.Option("--token", metavar="TEXT", envvar="LULLWAVE_TOKEN", help="Admin token, for --server.")
]


def open_client(server: str, token: str) -> Client:
    """A client of a server.

    Raises:
        MissingExtra: httpx is not installed.
        InvalidInput: the address is none.
    """
    from ..client import Client

    return Client(server, token)


def refuse_local(given: Mapping[str, object]) -> None:
    """Refuse flags that only work here: those with a value.

    Raises:
        Unsupported
    """
    for flag, value in given.items():
        if value:
            raise Unsupported(flag, value, "--server cannot do this; leave one of them out")


def clip_from_server(
    client: Client, request: Request, engine: str, delivery: ClipFormat, file: BinaryIO, console: Console
) -> None:
    """Have a clip made by a server and write it to ``file``, with a progress bar on a terminal."""
    seconds = request.duration_s
    assert seconds is not None
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f} s"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bars:
        task = bars.add_task("waiting for the server", total=seconds)

        def show(progress: ClipProgress) -> None:
            shown: dict[str, Any] = {"description": "receiving"}
            if progress.made_s is not None:
                shown["completed"] = progress.made_s
            bars.update(task, **shown)

        clip = client.generate(
            request.prompt,
            seconds=seconds,
            seed=request.seed,
            engine=engine,
            format=delivery.format,
            kbps=delivery.kbps,
            lufs=delivery.lufs,
            options=request.options,
            on_progress=show,
        )
    file.write(clip.file)
