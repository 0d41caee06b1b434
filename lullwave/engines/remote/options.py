"""What an engine elsewhere says of itself, and how it is reached; imports nothing heavy."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from typing import ClassVar
from urllib.parse import urlsplit

from ...errors import InvalidInput
from ...options import option
from ..base import EngineFacts
from .protocol import ENCODINGS

SCHEMES = ("ws", "wss", "http", "https")
ISOLATED = "isolated:"  # before an engine's name: the same, in a process of its own


@dataclass(frozen=True)
class RemoteOptions:
    """How an engine elsewhere is reached."""

    url: str = option(MISSING, "where it is: ws://, wss://, or http:// for the old HTTP dialect", max_length=2048)
    token: str = option("", "what lets us in there", max_length=4096)
    encoding: str = option(ENCODINGS[0], "of the samples on their way; int16 is half the traffic", choices=ENCODINGS)
    ahead_s: float = option(2.0, "how much is on its way beyond what is read", low=0, high=10, unit="seconds")
    deadline_s: float = option(
        8.0, "after so long without a sign of life the connection is lost", low=1, high=600, unit="seconds"
    )


class RemoteFacts(EngineFacts):
    """The remote engine as lists show it."""

    name: ClassVar[str] = "remote"
    summary: ClassVar[str] = "an engine on another machine, behind ws://, wss:// or http://"
    load_options: ClassVar[type] = RemoteOptions


def is_address(name: str) -> bool:
    """Whether ``name`` says where an engine is, instead of which it is."""
    return name.partition("://")[0] in SCHEMES and "://" in name


def check_address(url: str) -> str:
    """``url``, if it can be one of a server.

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
        raise InvalidInput("url", url, "an address such as ws://host:8001, without a name or a password in it")
    return url
