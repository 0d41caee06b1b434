"""A uvicorn server that reads its TLS certificate again while it runs: on SIGHUP, and when the files change.

New connections get the new certificate; open ones keep theirs, so no listener hears a renewal. SIGHUP never stops a
server, unless it means that the server's own terminal was closed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import uvicorn

from ...errors import SettingsError
from .sockets import check_certificate

log = logging.getLogger(__name__)

CHECK_S = 10.0  # seconds between two looks at the certificate's files


class Certificate:
    """The certificate of a running server. Event loop only, after it was made."""

    def __init__(self, context: ssl.SSLContext, cert: Path, key: Path | None) -> None:
        self._context, self._cert, self._key = context, cert, key
        self._seen = self._state()

    def reload(self) -> bool:
        """Read the files again; keeps the certificate in use and returns False if they do not belong together."""
        self._seen = self._state()
        try:
            check_certificate(self._cert, self._key)  # a half-written file must not touch the context in use
            self._context.load_cert_chain(self._cert, self._key, lambda: "")
        except (SettingsError, OSError) as error:
            log.error("the TLS certificate in use stays: %s", error)
            return False
        log.info("the TLS certificate was read again: %s", self._cert)
        return True

    def reload_if_changed(self) -> bool:
        """Read the files again if they have changed since the last time; tells whether a new certificate is in use."""
        return self._state() != self._seen and self.reload()

    def _state(self) -> tuple[object, ...]:
        """What differs after a file was replaced or written, through symbolic links too."""
        found: list[object] = []
        for path in (self._cert, self._key):
            try:
                stat = path.stat() if path is not None else None
            except OSError:  # between the removal of the old file and the new one
                stat = None
            found.append(stat and (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns))
        return tuple(found)


class ReloadingServer(uvicorn.Server):
    """Reloads its certificate and survives SIGHUP. Event loop only."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.certificate: Certificate | None = None  # None: plain HTTP, or not started
        self._had_terminal = has_terminal() and not _ignored()
        self._watching: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.started:
            return
        if self.config.ssl is not None and self.config.ssl_certfile:
            key = self.config.ssl_keyfile
            self.certificate = Certificate(self.config.ssl, Path(self.config.ssl_certfile), Path(key) if key else None)
            self._watching = asyncio.create_task(self._watch(self.certificate))
        with suppress(ValueError, RuntimeError, AttributeError, NotImplementedError):  # not on Windows, not on a thread
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.hang_up)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._watching is not None:
            self._watching.cancel()
        await super().shutdown(sockets)

    def hang_up(self) -> None:
        """Handle SIGHUP."""
        if self._had_terminal and not has_terminal():
            log.info("the terminal was closed: stopping")
            self.should_exit = True
        elif self.certificate is not None:
            self.certificate.reload()
        else:
            log.info("SIGHUP: there is no TLS certificate to read again")

    async def _watch(self, certificate: Certificate) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            certificate.reload_if_changed()


def survive_hang_up() -> None:
    """Do not end on SIGHUP before the server handles it: loading an engine may take minutes."""
    if not hasattr(signal, "SIGHUP") or _ignored():
        return
    had_terminal = has_terminal()

    def hang_up(number: int, frame: object) -> None:
        if had_terminal and not has_terminal():
            raise SystemExit(128 + number)

    signal.signal(signal.SIGHUP, hang_up)


def has_terminal() -> bool:
    """Tell whether the process has a controlling terminal that is open."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except (OSError, AttributeError):  # AttributeError: Windows
        return False
    return True


def _ignored() -> bool:
    """Tell whether the process was started with ``nohup``: then a closed terminal must not stop it."""
    return hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
