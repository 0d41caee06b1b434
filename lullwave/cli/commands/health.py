"""``lullwave health``: a probe for service managers, at the address that the settings name. Imports no server."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import LullwaveError, SettingsError
from ...hosts import bare_host
from ...settings import load
from ...settings.variables import PREFIX

INFERENCE = PREFIX + "INFERENCE_"
RETRY_S = 0.5  # pause between two attempts while waiting for the start
MAX_REPLY_BYTES = 1 << 20  # of a reply that is read; a server of ours sends a few kilobytes


class Unhealthy(LullwaveError):
    """A server does not answer, or says that it does not work."""


@dataclass(frozen=True)
class Target:
    """A server on this machine."""

    host: str
    port: int
    secure: bool

    @property
    def url(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{name}:{self.port}"


def health(
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Settings file (TOML) of the server.")] = None,
    host: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Address, if the server was started with --host.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, metavar="NUMBER", help="Port, if the server was started with --port."),
    ] = None,
    tls: Annotated[
        bool | None, typer.Option("--tls/--no-tls", help="Whether the server uses TLS, if its settings do not tell.")
    ] = None,
    inference: Annotated[bool, typer.Option("--inference", help="Ask lullwave inference instead of serve.")] = False,
    any: Annotated[
        bool, typer.Option("--any", help="Ask the radio, or the inference server if no radio listens.")
    ] = False,
    ready: Annotated[
        bool, typer.Option("--ready", help="Ask whether the default station has music, too: /readyz.")
    ] = False,
    loading_ok: Annotated[
        bool,
        typer.Option(
            "--loading-ok", help="Accept that nothing listens yet: an inference server loads its engine first."
        ),
    ] = False,
    wait_s: Annotated[
        float, typer.Option(min=0, max=3600, metavar="SECONDS", help="Keep asking for up to this many seconds.")
    ] = 0.0,
    timeout_s: Annotated[
        float, typer.Option(min=0.1, max=600, metavar="SECONDS", help="Longest wait for one reply, in seconds.")
    ] = 4.0,
) -> None:
    """Tell whether the server on this machine works: exit status 0 or 1.

    The address comes from the same settings file and LULLWAVE_* variables as the server's. The radio fails the probe
    if it does not answer, or if a silent station could not be restarted; the inference server, if it does not answer or
    has lost a thread that makes music.
    """
    until = time.monotonic() + wait_s
    while True:
        try:
            print(_check(_targets(config, host, port, tls, inference, any), ready, loading_ok, timeout_s))
            return
        except Unhealthy:
            if time.monotonic() + RETRY_S > until:
                raise
        time.sleep(RETRY_S)


def _targets(
    config: Path | None, host: str | None, port: int | None, tls: bool | None, inference: bool, either: bool
) -> list[Target]:
    """The servers to ask, in order: the first that listens counts."""
    found = []
    if not inference:
        settings = load({}, config, tokens=False)
        found.append(_target(host or settings.host, port or settings.port, _either(tls, settings.tls_cert)))
    if inference or either:
        own_host, own_port = os.environ.get(INFERENCE + "HOST", "127.0.0.1"), os.environ.get(INFERENCE + "PORT", "8001")
        if not (own_port.isascii() and own_port.isdecimal() and int(own_port[:6]) < 65536):
            raise SettingsError(INFERENCE + "PORT", own_port, "a whole number from 0 to 65535")
        own_tls = os.environ.get(INFERENCE + "TLS_CERT")
        found.append(_target(host or own_host, port or int(own_port), _either(tls, own_tls)))
    return found


def _target(host: str, port: int, secure: bool) -> Target:
    """A server as this machine reaches it: one that listens everywhere is asked on loopback."""
    if not port:
        raise SettingsError("port", port, "the port that the server listens on: name it with --port")
    host = bare_host(host)
    return Target({"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, secure)


def _either(tls: bool | None, cert: object) -> bool:
    return bool(cert) if tls is None else tls


def _check(targets: list[Target], ready: bool, loading_ok: bool, timeout_s: float) -> str:
    """Ask the first target that listens; returns what to print.

    Raises:
        Unhealthy
    """
    refused: Unhealthy | None = None
    for target in targets:
        try:
            for path in ("/healthz", "/readyz") if ready else ("/healthz",):
                _ask(target, path, timeout_s)
            return f"{target.url} works"
        except ConnectionRefusedError as error:
            refused = refused or Unhealthy(f"{target.url}: nothing listens there ({error.strerror})")
    assert refused is not None
    if loading_ok:
        return f"{refused}: its engine may still be loading"
    raise refused


def _ask(target: Target, path: str, timeout_s: float) -> None:
    """Ask for one path.

    Raises:
        Unhealthy: anything but a reply with the status 200.
        ConnectionRefusedError: nothing listens there.
    """
    # The certificate names the public host and may be self-signed; this machine's own loopback needs no proof.
    kind: Any = http.client.HTTPConnection
    more = {}
    if target.secure:
        kind, more = http.client.HTTPSConnection, {"context": ssl._create_unverified_context()}
    connection = kind(target.host, target.port, timeout=timeout_s, **more)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        body = response.read(MAX_REPLY_BYTES)
    except ConnectionRefusedError:
        raise
    except TimeoutError:
        raise Unhealthy(f"{target.url}{path}: no answer within {timeout_s:g} s") from None
    except (OSError, http.client.HTTPException) as error:
        words = str(getattr(error, "strerror", None) or error) or type(error).__name__
        raise Unhealthy(f"{target.url}{path}: {words}") from None
    finally:
        connection.close()
    if response.status != 200:
        raise Unhealthy(f"{target.url}{path}: status {response.status}{_said(body)}")


def _said(body: bytes) -> str:
    """What a reply says is wrong: the state, and the stations that it names."""
    try:
        told = json.loads(body)
        stations = ", ".join(map(str, told.get("stations", ())))
        return f": {told['status']}" + (f"; stations {stations}" if stations else "")
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return ""
