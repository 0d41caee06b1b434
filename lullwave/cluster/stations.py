"""The actors of stations: started from the settings of the servers that play them, replaced when these change.

Each is named after its station and holds what it needs, so the pool finds it again after a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import ray

from ..engines.cluster.options import NEXT_TO_THIS
from ..errors import SettingsError
from ..settings import Settings
from .actors import Actor, asked, found, started
from .config import StationPlacement, fingerprint
from .station_actor import StationActor

PREFIX = "station:"  # of the names of such actors
END_S = 12.0  # how long a station may take to leave its lease to another process
THREADS = 4  # calls of an actor that are answered at the same time
OWN = {  # settings that belong to a web server or its machine
    "host", "port", "token", "token_file", "engine_token_file", "tls_cert", "tls_key", "data_dir", "root_path",
    "allowed_hosts", "allowed_origins", "trusted_proxies", "station", "database_url",
}  # fmt: skip

log = logging.getLogger(__name__)


def station_values(settings: Settings) -> dict[str, dict[str, Any]]:
    """For each station, by its actor's name, the settings of that actor as JSON.

    Raises:
        SettingsError: the servers share no store, through which listeners would hear the stations.
    """
    if not settings.store:
        raise SettingsError("store", "", "an address: stations on a cluster are heard through a store")
    shared = {**settings.model_dump(mode="json", exclude=OWN), "cluster": NEXT_TO_THIS}
    return {PREFIX + own["id"]: {**shared, "stations": [own]} for own in shared["stations"]}


class StationActors:
    """The actors of stations as the pool knows them. Not thread-safe."""

    def __init__(self) -> None:
        self.actors: list[Actor] = []

    def find(self) -> None:
        """Find actors that an earlier pool has started."""
        self.actors = found(lambda name: name.startswith(PREFIX))

    def missing(self, wanted: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """The names of ``wanted`` that no actor has."""
        return sorted(wanted.keys() - {actor.name for actor in self.actors})

    def start(self, names: Sequence[str], wanted: Mapping[str, dict[str, Any]], placement: StationPlacement) -> None:
        """Start an actor for each name."""
        options = {**placement.actor_options(), "max_concurrency": THREADS}
        self.actors += [
            started(name, StationActor, options, wanted[name], _fingerprint(wanted[name], placement)) for name in names
        ]

    def rows(self) -> list[dict[str, Any]]:
        """One row for each actor."""
        return [
            {
                "station": actor.name.removeprefix(PREFIX),
                "node": actor.node,
                "node_id": actor.node_id,
                "pid": actor.pid,
                "engine": actor.load.engine if actor.load else None,
                "speed": actor.load.speed if actor.load else None,
                "ahead_s": actor.load.ahead_s if actor.load else None,
                "epoch": actor.load.epoch if actor.load else None,
                "restarts": actor.restarts,
                "state": _state(actor),
            }
            for actor in self.actors
        ]


def outdated(
    actors: Sequence[Actor], wanted: Mapping[str, Mapping[str, Any]], placement: StationPlacement
) -> list[Actor]:
    """The actors that ``wanted`` does not have, or that have other settings or another placement. Blocks."""
    return [
        actor
        for actor, facts in zip(actors, asked(actors), strict=True)
        if actor.name not in wanted
        or not isinstance(facts, dict)
        or facts["settings"] != _fingerprint(wanted[actor.name], placement)
    ]


def end(actors: Sequence[Actor]) -> None:
    """Let actors leave their stations to other processes, and end them. Blocks."""
    ending = [actor.handle.end.remote() for actor in actors]
    if ending:
        ray.wait(ending, num_returns=len(ending), timeout=END_S)
    for actor in actors:
        ray.kill(actor.handle)


def _fingerprint(values: Mapping[str, Any], placement: StationPlacement) -> str:
    return fingerprint({"settings": values, "placement": placement.model_dump()})


def _state(actor: Actor) -> str:
    if actor.load is None:
        return f"failed: {actor.failed}" if actor.failed else "starting"
    if not actor.load.producing:
        return "standing by"
    return "asleep" if actor.load.asleep else "on air"
