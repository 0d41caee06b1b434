"""What runs on the cluster: a TOML file of pools of engines, and of where the actors of stations run.

::

    [[engines]]
    name = "musicgen@large"                 # the engine, perhaps with a label
    options = { model = "/models/large" }   # its load options; paths of the machine on which it runs
    gpus = 1
    largest = 4

    [stations]
    labels = { zone = "cellar" }            # nodes on which stations may run
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..engines import engine_facts
from ..engines.cluster.options import engine_of
from ..errors import InvalidInput
from ..options import build
from ..pydantic_errors import allowed_words
from .scaling import PoolLimits


def fingerprint(values: Mapping[str, Any]) -> str:
    """The same for the same values."""
    return hashlib.blake2b(json.dumps(values, sort_keys=True, default=str).encode(), digest_size=8).hexdigest()


class Placement(BaseModel):
    """What an actor needs, and where it may run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpus: float = Field(default=1.0, ge=0, le=1024, description="CPU cores that Ray reserves for an actor")
    gpus: float = Field(default=0.0, ge=0, le=64, description="GPUs that Ray reserves for an actor; may be a fraction")
    memory_mb: int = Field(default=0, ge=0, description="memory that Ray reserves for an actor; 0: none")
    labels: dict[str, str] = Field(default={}, description="labels that a node must have")
    runtime_env: dict[str, Any] = Field(default={}, description="Ray's runtime environment of an actor")

    def actor_options(self) -> dict[str, Any]:
        """Ray's options of an actor, which are spread over the nodes."""
        options: dict[str, Any] = {"num_cpus": self.cpus, "num_gpus": self.gpus, "scheduling_strategy": "SPREAD"}
        if self.memory_mb:
            options["memory"] = self.memory_mb * 1_000_000
        if self.labels:
            options["label_selector"] = self.labels
        if self.runtime_env:
            options["runtime_env"] = self.runtime_env
        return options


class StationPlacement(Placement):
    """Where the actors of stations run; each has the share of a core that mastering and writing take."""

    cpus: float = Field(default=0.1, ge=0, le=1024, description="CPU cores that Ray reserves for a station")


class PoolConfig(Placement):
    """A pool of actors with one engine."""

    name: str = Field(description="engine, or engine@label where there are several pools of it")
    options: dict[str, Any] = Field(default={}, description="load options of the engine")
    streams: int = Field(default=8, ge=1, le=1024, description="streams on an actor before another one is started")
    smallest: int = Field(default=1, ge=1, le=1000, description="actors that always run")
    largest: int = Field(default=1, ge=1, le=1000, description="actors at most")
    idle_s: float = Field(default=60.0, ge=0, le=86400, description="seconds without a stream before one is stopped")

    @model_validator(mode="after")
    def _bounds(self) -> PoolConfig:
        if self.largest < self.smallest:
            raise ValueError(f"largest ({self.largest}) is less than smallest ({self.smallest})")
        return self

    @property
    def engine(self) -> str:
        """The engine's name."""
        return engine_of(self.name)

    @property
    def fingerprint(self) -> str:
        """Another one where a running actor does not do any more: all but the name and the limits of the pool."""
        return fingerprint(self.model_dump(exclude={"name", "streams", "smallest", "largest", "idle_s"}))

    @property
    def limits(self) -> PoolLimits:
        """The bounds of the pool."""
        return PoolLimits(self.smallest, self.largest, self.streams, self.idle_s)


class ClusterConfig(BaseModel):
    """All that ``lullwave cluster up`` starts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engines: tuple[PoolConfig, ...] = Field(default=(PoolConfig(name="synth"),), min_length=1)
    stations: StationPlacement = StationPlacement()

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str = "") -> ClusterConfig:
        """Check values as they stand in a file.

        Raises:
            InvalidInput: a name or value is not allowed, or an engine has no such load option.
            UnknownEngine, MissingExtra: an engine cannot be loaded here.
        """
        try:
            config = cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise InvalidInput(f"{where}{field}", first["input"], allowed_words(first)) from None
        names = [pool.name for pool in config.engines]
        for number, pool in enumerate(config.engines):
            if pool.name in names[:number]:
                raise InvalidInput(
                    f"{where}engines.{number}.name", pool.name, "each name once; a label after @ tells two apart"
                )
            build(engine_facts(pool.engine).load_options, pool.options, f"{where}engines.{number}.options.")
        return config

    @classmethod
    def read(cls, file: Path) -> ClusterConfig:
        """Read and check a file.

        Raises:
            InvalidInput: it cannot be read, is no TOML, or holds what is not allowed.
        """
        try:
            values = tomllib.loads(file.read_text())
        except (OSError, ValueError) as error:
            raise InvalidInput("file", str(file), f"a TOML file: {error}") from None
        return cls.of(values, f"{file.name}: ")
