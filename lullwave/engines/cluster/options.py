"""Names and options of engines on a Ray cluster; imports nothing heavy."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ...errors import InvalidInput
from ...options import option

CLUSTER = "cluster:"  # prefix of an engine's name: a pool of the cluster makes its streams
NAMESPACE = "lullwave"  # Ray's namespace of our actors
POOL = "pool"  # name of the actor that knows all others
ADDRESS_VARIABLE = "RAY_ADDRESS"  # Ray's own
NEXT_TO_THIS = "auto"  # the cluster to which this machine belongs
ADDRESSES = "auto, HOST:PORT or ray://HOST:PORT"  # the last one is for Ray's client, from outside the cluster
_ADDRESS = re.compile(r"auto|(ray://)?[^\s/@?#:]+:\d+")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*(@[a-z0-9][a-z0-9_-]*)?")


def use_token() -> None:
    """Use Ray's token authentication, unless the environment says otherwise. Ray reads that when it is imported."""
    os.environ.setdefault("RAY_AUTH_MODE", "token")


def default_address() -> str:
    """The address of the cluster where none is given: that of Ray's own variable, else the one of this machine."""
    return os.environ.get(ADDRESS_VARIABLE) or NEXT_TO_THIS


def check_address(address: str) -> str:
    """Return ``address`` if it has the form of a cluster's.

    Raises:
        InvalidInput
    """
    if _ADDRESS.fullmatch(address):
        return address
    raise InvalidInput("cluster", address, ADDRESSES)


def engine_of(pool: str) -> str:
    """The engine of the pool ``musicgen`` or ``musicgen@large``: what stands before the ``@``.

    Raises:
        InvalidInput: it is no name of a pool.
    """
    if not _NAME.fullmatch(pool):
        raise InvalidInput("engine", pool, "the name of an engine, such as musicgen, or with a label: musicgen@large")
    return pool.partition("@")[0]


@dataclass(frozen=True)
class ClusterOptions:
    """How an engine reaches the cluster. How it is loaded there says the cluster's own file."""

    address: str = option("", f"cluster: {ADDRESSES}; empty: RAY_ADDRESS, else auto")
