"""``lullwave inference``: its flags include the load options of the chosen engine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ...engines import engine_facts, load_engine
from ...errors import InvalidInput
from ...hosts import LOOPBACK_ONLY, TrustedProxies, bare_host, is_public
from ...options import parse_pairs
from ...redaction import log_to_stderr, redacted
from ...settings.file import first_line
from ..flags import FlagGroup, given, with_flags
from ..signals import leave_to_server

DEFAULT_ENGINE = "synth"
VARIABLE = "LULLWAVE_INFERENCE_"


def build(arguments: list[str]) -> Callable[..., None]:
    """The command, with the load flags of the engine that the arguments name."""
    engine = engine_facts(given(arguments, "--engine", os.environ.get(VARIABLE + "ENGINE", DEFAULT_ENGINE)))
    return with_flags(inference, [FlagGroup("load_options", engine.load_options)])


def inference(
    host: Annotated[
        str,
        typer.Option(
            envvar=VARIABLE + "HOST", metavar="TEXT", help="Address to listen on; 0.0.0.0 is every network interface."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            envvar=VARIABLE + "PORT", min=0, max=65535, metavar="NUMBER", help="Port to listen on; 0 takes a free one."
        ),
    ] = 8001,
    engine: Annotated[
        str,
        typer.Option(
            envvar=VARIABLE + "ENGINE", metavar="TEXT", help="Engine that makes the music; see lullwave engines."
        ),
    ] = DEFAULT_ENGINE,
    option: Annotated[
        list[str] | None,
        typer.Option(
            envvar=VARIABLE + "OPTION",
            metavar="NAME=VALUE",
            help="Any load option of the engine; separated by spaces in the environment.",
        ),
    ] = None,
    token: Annotated[
        str,
        typer.Option(
            envvar=VARIABLE + "TOKEN",
            metavar="TEXT",
            help="Token that clients need, or sha256:<hash>. Safer in the environment or a file.",
        ),
    ] = "",
    token_file: Annotated[
        Path | None,
        typer.Option(envvar=VARIABLE + "TOKEN_FILE", metavar="FILE", help="File whose first line is the token."),
    ] = None,
    legacy_open: Annotated[
        bool,
        typer.Option(
            "--legacy-open", envvar=VARIABLE + "LEGACY_OPEN", help="Accept legacy websocket clients without the token."
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            envvar=VARIABLE + "WORKERS",
            min=1,
            max=64,
            metavar="NUMBER",
            help="Streams that are rendered at the same time.  [default: the engine's choice]",
        ),
    ] = None,
    allowed_hosts: Annotated[
        str,
        typer.Option(
            envvar=VARIABLE + "ALLOWED_HOSTS",
            metavar="TEXT",
            help="Host names that the server answers to besides loopback, separated by commas: makes it public.",
        ),
    ] = "",
    trusted_proxies: Annotated[
        str,
        typer.Option(
            envvar=VARIABLE + "TRUSTED_PROXIES",
            metavar="TEXT",
            help="Addresses and networks of proxies whose X-Forwarded-* headers are trusted: makes it public.",
        ),
    ] = "",
    tls_cert: Annotated[
        Path | None,
        typer.Option(envvar=VARIABLE + "TLS_CERT", metavar="FILE", help="Certificate chain (PEM), for wss://."),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option(envvar=VARIABLE + "TLS_KEY", metavar="FILE", help="The certificate's private key (PEM)."),
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        typer.Option(envvar=VARIABLE + "LOG_LEVEL", help="Lowest level that is logged."),
    ] = "info",
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="Stop when stdin ends; for a parent process.")
    ] = False,
    *,
    load_options: dict[str, Any],
) -> None:
    """Run an engine for other machines, over websockets.

    Speaks lullwave.v1 and the legacy `generate`. The engine is loaded before the port opens. The last flags below are
    the load options of the engine that --engine names.
    """
    from ...server.inference.app import create_inference_app
    from ...server.inference.auth import AccessGuard
    from ...server.inference.run import inference_server, serve_inference
    from ...server.process.reloading import survive_hang_up
    from ...server.process.sockets import address_of, check_certificate, listening_socket

    leave_to_server()
    survive_hang_up()
    log_to_stderr(log_level.upper())
    check_certificate(tls_cert, tls_key)
    secret = _secret(token, token_file)
    host = bare_host(host)
    trusted = TrustedProxies.parse(trusted_proxies)
    public = is_public(host, allowed_hosts, trusted_proxies)
    # API_KEY is infinifi's key for HTTP; its websocket had none.
    key = secret or os.environ.get("API_KEY", "")
    direct = not (secret or trusted_proxies or allowed_hosts)
    guard = AccessGuard(key, public, legacy_open, allowed_hosts, legacy_direct=direct)
    kind = engine_facts(engine)
    with load_engine(engine, **{**load_options, **parse_pairs(option or (), kind.load_options)}) as loaded:
        app = create_inference_app(loaded, guard, workers or loaded.reads_at_once, trusted)
        server = inference_server(app, tls_cert, tls_key)
        bound = listening_socket(host, port)
        address = address_of(bound, "wss" if tls_cert else "ws")

        def ready() -> None:
            print(f"Lullwave makes music at {address}  (engine {redacted(engine)}; press Ctrl-C to stop)", flush=True)
            if guard.made:
                print(f"Token that clients need: {guard.made}", flush=True)
            if not public and not with_parent:
                print(f"{LOOPBACK_ONLY} --trusted-proxies and --token.", flush=True)

        server.ready = ready
        serve_inference(server, bound, with_parent)


def _secret(token: str, file: Path | None) -> str:
    if file is None:
        return token.strip()
    line = first_line(file)
    if not line:
        raise InvalidInput("--token-file", str(file), "a file whose first line is the token")
    return line
