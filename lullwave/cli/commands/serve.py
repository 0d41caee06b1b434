"""``lullwave serve``: its flags are made from ``Settings``, one for each setting."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from ...engines import engine_names, plain_name
from ...engines.remote.options import check_address, is_address
from ...errors import UnknownEngine
from ...hosts import LOOPBACK_ONLY
from ...redaction import log_to_stderr, redacted
from ...settings import Settings, load
from ...settings.variables import PREFIX
from ..signals import leave_to_server

_SIMPLE = (str, int, float, bool, Path)


def serve(config: Path | None = None, **flags: Any) -> None:
    """Play endless music in the browser: the radio and its API, until Ctrl-C."""
    settings = load(flags, config)
    log_to_stderr(settings.log_level.upper())
    known = engine_names()
    for engine in {settings.engine, *(s.engine for s in settings.stations if s.engine)}:
        if is_address(engine):
            check_address(engine)
        elif plain_name(engine) not in known:
            raise UnknownEngine(redacted(engine), known)
    from ...server.process.reloading import survive_hang_up

    leave_to_server()
    survive_hang_up()
    from ...server.app import create_app
    from ...server.engine_config import check_options
    from ...server.process.data_lock import DataLock
    from ...server.process.run import address_of, check_tls, listening_socket
    from ...server.process.run import serve as run_server

    check_options(settings)
    check_tls(settings)
    lock = DataLock(settings.paths.root)
    lock.acquire()
    if settings.relay:
        from ...server.relay.stations import relayed

        settings = relayed(settings)
    app = create_app(settings)
    scheme = "https" if settings.tls_cert else "http"
    bound = listening_socket(settings.host, settings.port)
    address = address_of(bound, scheme)
    lock.tell(address)

    def ready() -> None:
        if settings.cluster and settings.store:
            from ...cluster.control import start_stations_later

            start_stations_later(settings)
        print(f"Lullwave plays at {address}  (press Ctrl-C to stop)", flush=True)
        if app.state.services.owner_token.made:
            print(f"Admin token, required for changes: {app.state.services.owner_token.made}", flush=True)
        if not settings.public:
            print(f"{LOOPBACK_ONLY} trusted_proxies (docs/run/reverse-proxy.md).", flush=True)

    run_server(app, settings, bound, ready)


def flag_of(name: str, field: FieldInfo) -> inspect.Parameter | None:
    """The flag of one setting; None for a setting that no flag can hold, such as the stations."""
    kind = field.annotation
    choices = ""
    if get_origin(kind) is not None:
        inner = [arg for arg in get_args(kind) if arg is not type(None)]
        if all(isinstance(arg, (str, int)) for arg in inner):  # a Literal
            choices = " One of " + ", ".join(map(str, inner)) + "."
            kind = type(inner[0])
        elif len(inner) == 1:
            kind = inner[0]
    if kind not in _SIMPLE:
        return None
    said = (field.description or "").replace("`", "")
    default = "" if field.default is None or field.default_factory else f" Default: {field.default}."
    help_text = f"{said[:1].upper()}{said[1:]}.{choices}" + ("" if default == " Default: ." else default)
    flag = "--" + name.replace("_", "-")
    declared = [f"{flag}/--no-{flag[2:]}"] if kind is bool else [flag]
    metavar = None if kind is bool else _metavar(name, kind)
    option = typer.Option(*declared, help=help_text, show_default=False, envvar=None, metavar=metavar)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _metavar(name: str, kind: Any) -> str:
    """What stands for the value of a flag in help."""
    if kind is Path:
        return "FOLDER" if name.endswith("_dir") else "FILE"
    return "TEXT" if kind is str else "SECONDS" if name.endswith("_s") else "NUMBER"


def _signature() -> inspect.Signature:
    option = typer.Option(
        "--config", metavar="FILE", help=f"Settings file (TOML). Precedence: flags, {PREFIX}* variables, this file."
    )
    config = inspect.Parameter(
        "config", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[Path | None, option]
    )
    flags = [flag for name, field in Settings.model_fields.items() if (flag := flag_of(name, field)) is not None]
    return inspect.Signature([config, *flags])


serve.__signature__ = _signature()  # type: ignore[attr-defined]
serve.__annotations__ = {name: p.annotation for name, p in inspect.signature(serve).parameters.items()}
