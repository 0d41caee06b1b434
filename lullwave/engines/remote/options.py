"""Options of the remote engine and parsing of its addresses; imports nothing heavy."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from typing import ClassVar
from urllib.parse import urlsplit

from ...errors import InvalidInput
from ...options import option
from ...redaction import redacted
from ..base import EngineFacts
from .protocol import ENCODINGS

SCHEMES = ("ws", "wss", "http", "https")
ISOLATED = "isolated:"  # prefix of an engine's name: run it in a child process


@dataclass(frozen=True)
class RemoteOptions:
    """How the remote engine reaches its server."""

    url: str = option(MISSING, "address: ws:// or wss://, or http:// for the legacy HTTP protocol", max_length=2048)
    token: str = option("", "access token of the server", max_length=4096)
    encoding: str = option(
        ENCODINGS[0],
        "sample format on the network; int16 halves the traffic, but for blocks beyond full scale",
        choices=ENCODINGS,
    )
    ahead_s: float = option(2.0, "how much audio to request ahead of the reader", low=0, high=10, unit="seconds")
    deadline_s: float = option(
        8.0, "silence of the server after which the connection counts as lost", low=1, high=600, unit="seconds"
    )


class RemoteFacts(EngineFacts):
    """The remote engine as lists show it."""

    name: ClassVar[str] = "remote"
    summary: ClassVar[str] = "an engine on another machine, behind ws://, wss:// or http://"
    load_options: ClassVar[type] = RemoteOptions


def is_address(name: str) -> bool:
    """Tell whether ``name`` is an address and not the name of an engine."""
    return name.partition("://")[0] in SCHEMES and "://" in name


def check_address(url: str) -> str:
    """Return ``url`` if it is a valid server address.

    Raises:
        InvalidInput
    """
    try:
        parts = urlsplit(url)
        fine = parts.scheme in SCHEMES and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        fine = fine and parts.username is None and not parts.fragment
    except ValueError:
        fine = False
    if not fine:
        raise InvalidInput(
            "url", redacted(url), "an address such as ws://host:8001, without a name or a password in it"
        )
    return url
