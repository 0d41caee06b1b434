"""An actor that makes the music of one station into the store from which web servers play it."""

from __future__ import annotations

import os
from typing import Any

import ray

from ..redaction import log_to_stderr
from ..server.store.host import StationHost
from ..settings import Settings


class StationActor:
    """One station, begun when the actor starts. An actor of Ray with several threads.

    ``values`` are the settings as JSON, with this station alone; ``fingerprint`` tells them from others.
    """

    def __init__(self, values: dict[str, Any], fingerprint: str) -> None:
        settings = Settings(**values)
        log_to_stderr(settings.log_level.upper())
        self._fingerprint = fingerprint
        # Ray gives a restarted actor the same id, so it succeeds itself without a wait for its lease to expire
        self._host = StationHost(settings, ray.get_runtime_context().get_actor_id())

    def load(self) -> dict[str, Any]:
        """What it does, for the pool: ``ProductionStatus``, where it runs and by which settings."""
        return {
            "load": self._host.status(),
            "settings": self._fingerprint,
            "pid": os.getpid(),
            "node": ray.util.get_node_ip_address(),
            "node_id": ray.get_runtime_context().get_node_id(),
        }

    def end(self) -> None:
        """Leave the station to another process at once."""
        self._host.stop()
