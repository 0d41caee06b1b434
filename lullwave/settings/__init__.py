"""Reads the settings from flags, environment and file into one frozen ``Settings``.

The first source that names a setting wins: flags (keyword arguments), ``LULLWAVE_*`` environment variables,
``lullwave.toml``, defaults. Fields here are the one definition: the command line's flags and ``docs/run/settings.md``
are made from them. In the environment, lists and stations are JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from ..errors import InvalidInput, SettingsError
from ..hosts import TrustedProxies, bare_host, host_names, is_public, origins
from ..paths import DataPaths, default_data_dir
from ..redaction import redacted
from ..refused_words import RefusedWords
from ..request import MAX_SEED
from ..storage.objects import SHARED_STORES, is_shared
from .faults import first_fault
from .file import find_settings_file, first_line, read_settings_file
from .stations import DEFAULT_STATIONS, StationSettings
from .variables import PREFIX, from_old_variables, warn_of_unknown_variables

MAX_STATIONS = 64


class Settings(BaseSettings):
    """All settings. Frozen; made by ``load``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    # where it listens
    host: str = Field(default="127.0.0.1", description="address to listen on; `0.0.0.0` is every network interface")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")

    # what it plays
    engine: str = Field(
        default="synth",
        description="engine of stations that name none: a name, or `ws://host:8001`",
    )
    engine_token: str = Field(default="", repr=False, description="token for an engine on another machine")
    engine_token_file: Path | None = Field(default=None, description="file whose first line is that token")
    isolate: bool = Field(
        default=False, description="run each engine in a child process, so that its crash does not stop the radio"
    )
    cluster: str = Field(
        default="",
        description="Ray cluster whose engines play, as `lullwave cluster up` started them: `auto` (that of this "
        "machine), `HOST:PORT` or, from outside the cluster, `ray://HOST:PORT`; empty: none",
    )
    checkpoint: str = Field(
        default="",
        description="weights of the neural engine: a directory or a name on the hub; empty: the engine's default",
    )
    smaller: str = Field(
        default="",
        description="smaller weights that play while the engine is too slow with its own; empty: none",
    )
    device: str = Field(default="auto", description="torch device of neural engines: auto, cpu, cuda, cuda:1, mps")
    engine_options: str = Field(
        default="",
        description="further load options of the engine, `name=value` separated by commas: see `lullwave engines NAME`",
    )
    lora: str = Field(default="", description="LoRA files blended into Riffusion, `FILE:WEIGHT` separated by commas")
    station: str = Field(
        default="", description="id of the default station: `/stream.mp3`, `/current.mp3`; empty: the first"
    )
    relay: str = Field(
        default="",
        pattern=r"^(https?://[^\s/?#@]+(/[^\s?#]*)?)?$",
        description="address of another Lullwave whose stations this server passes on; `stations` and `bitrate_kbps` "
        "are then that server's",
    )
    store: str = Field(
        default="",
        description="store that several servers share, `file:///path` or `s3://bucket/prefix`: each serves the "
        "stations, one of them makes their music; empty: none",
    )
    produce: bool = Field(
        default=True,
        description="with a store: make the music of the stations that no other server and no actor of a cluster "
        "produces",
    )
    store_ahead_s: float = Field(
        default=24.0,
        ge=10,
        le=120,
        description="seconds by which music is in the store before it is heard: what a failure may take; listeners' "
        "requests are heard as much later",
    )
    store_hours: float = Field(
        default=1.0, ge=0.01, le=8760, description="hours for which music in the store is kept, for replays"
    )
    stations: tuple[StationSettings, ...] = Field(
        default=DEFAULT_STATIONS, min_length=1, max_length=MAX_STATIONS, description="the stations, see below"
    )
    database_url: str = Field(
        default="",
        repr=False,
        description="PostgreSQL database for the history, `postgresql://user:password@host/name`, which several "
        "servers may share; empty: a file in the data directory",
    )
    seed: int | None = Field(
        default=None, ge=0, le=MAX_SEED, description="seed of all programmes; empty: random ones at each start"
    )

    # how it sounds
    bitrate_kbps: Literal[64, 96, 128, 160, 192, 256, 320] = Field(
        default=192, description="bit rate of the radio's MP3 streams and one-minute clips"
    )
    loudness_lufs: float = Field(default=-15.0, ge=-30, le=-9, description="target of the integrated loudness")
    ceiling_dbtp: float = Field(default=-1.0, ge=-9, le=0, description="limit of the true peak")

    # how far ahead, how much is kept
    data_dir: Path = Field(default_factory=default_data_dir, description="directory for clips and history")
    reserve_s: float = Field(
        default=24.0, ge=4, le=300, description="buffer: seconds of music made ahead of what is on air"
    )
    burst_s: float = Field(
        default=3.0, ge=0.5, le=3, description="seconds of past music that a new listener is sent at once"
    )
    ring_s: float = Field(default=30.0, ge=6, le=120, description="seconds of encoded stream kept for slow listeners")
    sleep_after_s: float = Field(
        default=60.0, ge=1, le=86400, description="a station without listeners sleeps after this time"
    )
    clip_s: float = Field(default=60.0, ge=5, le=600, description="length of `/current.mp3` and of replayed clips")
    max_clips: int = Field(
        default=60, ge=2, le=100000, description="clips kept per station; the oldest are deleted first"
    )
    max_history_mb: float = Field(
        default=500.0,
        ge=1,
        le=1e6,
        description="megabytes of the history file: the oldest snapshots are deleted first, then the oldest events "
        "where these take more than half; of PostgreSQL: of the snapshots",
    )
    max_history_days: float = Field(
        default=0.0, ge=0, le=36500, description="days for which the history is kept; 0: until it is deleted"
    )
    max_clip_mb: float = Field(default=200.0, ge=1, le=1e6, description="megabytes of clips kept per station")
    studio_mb: float = Field(
        default=5000.0, ge=1, le=1e7, description="megabytes of the Studio's results of all visitors"
    )
    studio_visitor_mb: float = Field(
        default=500.0, ge=1, le=1e7, description="megabytes of the Studio's results of one visitor"
    )

    # who may steer, and how often
    steer_every_s: float = Field(
        default=10.0, ge=0, le=3600, description="shortest time between two changes of a station; further requests wait"
    )
    keep_steered: bool = Field(
        default=True,
        description="after a restart, let a station play on with the prompt that it was steered to",
    )
    refused_words: str = Field(
        default="", max_length=20000, description="words and phrases that no prompt may have, separated by commas"
    )
    vote_s: float = Field(default=30.0, ge=1, le=3600, description="duration of a vote on the next prompt")
    max_wishes: int = Field(default=8, ge=1, le=1000, description="requests that may wait at a station")
    votes_per_address: int = Field(
        default=4,
        ge=1,
        le=1000,
        description="votes of one address, and requests of it that may wait at a station: listeners at home share one",
    )
    token: str = Field(
        default="",
        repr=False,
        description="admin token, or `sha256:` and its hash; required for changes on a public server",
    )
    token_file: Path | None = Field(default=None, description="file whose first line is that token")
    open_steering: bool = Field(
        default=False,
        description="on a public server, let everybody steer stations with the policy `everyone`, without the token",
    )
    open_studio: bool = Field(
        default=False,
        description="on a public server, let everybody make things in the Studio, without the token",
    )
    legacy_open: bool = Field(
        default=False,
        description="open the infinifi- and Riffusion-compatible routes to every page and address, without checks",
    )
    allowed_origins: str = Field(
        default="",
        description="other origins whose pages may read and change everything (CORS), by commas; `*`: all",
    )
    allowed_hosts: str = Field(
        default="",
        description="host names that the server answers to besides loopback, separated by commas: makes it public; "
        "empty: any if public",
    )
    trusted_proxies: str = Field(
        default="",
        description="addresses and networks of proxies whose `X-Forwarded-*` headers are trusted, separated by commas: "
        "makes it public",
    )
    root_path: str = Field(
        default="",
        pattern=r"^(/[^/?#]+)*$",
        description="path prefix under which a proxy serves the radio, such as `/radio`",
    )
    tls_cert: Path | None = Field(default=None, description="certificate chain (PEM); turns HTTPS on")
    tls_key: Path | None = Field(default=None, description="the certificate's private key (PEM)")

    # limits
    max_per_address: int = Field(
        default=100,
        ge=1,
        le=100000,
        description="audio connections per address; requests at once: four times as many",
    )
    stall_s: float = Field(
        default=7.0, ge=1, le=600, description="a connection that takes no data for this time is closed"
    )
    max_listeners: int = Field(default=5000, ge=1, le=100000, description="audio connections per station")
    max_awake: int = Field(
        default=0,
        ge=0,
        le=64,
        description="stations that are awake at once; listeners of others are told to come later (503); 0: as many as "
        "this machine plays, measured at the start",
    )
    max_private: int | None = Field(
        default=None,
        ge=0,
        le=256,
        description="private streams at once (“Just for me”), each heard and steered by one listener; stations come "
        "first; empty: as many as this machine plays beside them, measured at the start; 0: none",
    )
    max_body_kb: int = Field(default=256, ge=1, le=65536, description="largest request body")
    max_generate_s: float = Field(default=600.0, ge=1, le=3600, description="longest clip of `POST /api/generate`")
    max_generations: int = Field(default=1, ge=1, le=64, description="clips made at the same time")
    max_queue: int = Field(default=8, ge=0, le=1000, description="clips that may wait; more are refused (429)")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="lowest level that is logged"
    )

    @field_validator("token")
    @classmethod
    def _hash_is_a_hash(cls, token: str) -> str:
        return _check_hash(token)

    @field_validator("host")
    @classmethod
    def _without_brackets(cls, host: str) -> str:
        return bare_host(host)

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts_are_names(cls, text: str) -> str:
        host_names(text, "allowed_hosts")
        return text

    @field_validator("allowed_origins")
    @classmethod
    def _origins_as_sent(cls, text: str) -> str:
        return origins(text)

    @field_validator("refused_words")
    @classmethod
    def _words_are_words(cls, text: str) -> str:
        try:
            RefusedWords.parse(text)
        except ValueError as error:
            raise SettingsError("refused_words", text, f"words separated by commas ({error})") from None
        return text

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_addresses(cls, text: str) -> str:
        TrustedProxies.parse(text)
        return text

    @field_validator("cluster")
    @classmethod
    def _cluster_is_an_address(cls, address: str) -> str:
        if not re.fullmatch(r"(auto|(ray://)?[^\s/@?#:]+:\d+)?", address):
            raise SettingsError("cluster", address, "auto, HOST:PORT or ray://HOST:PORT")
        return address

    @field_validator("store")
    @classmethod
    def _store_is_shared(cls, url: str) -> str:
        if url and not is_shared(url):
            raise SettingsError("store", redacted(url), SHARED_STORES)
        return url

    @field_validator("database_url")
    @classmethod
    def _database_is_postgresql(cls, url: str) -> str:
        if url and not re.match("postgres(ql)?://", url):
            raise SettingsError("database_url", redacted(url), "postgresql://user:password@host:port/name")
        return url

    @model_validator(mode="after")
    def _stations_agree(self) -> Self:
        ids = [station.id for station in self.stations]
        doubled = sorted({i for i in ids if ids.count(i) > 1})
        if doubled:
            raise SettingsError("stations", doubled, "each id once")
        if self.station and self.station not in ids:
            raise SettingsError("station", self.station, "the id of a station: " + ", ".join(ids))
        if self.store and self.relay:
            raise SettingsError("store", redacted(self.store), "either store or relay")
        if self.store and self.database_url:
            raise SettingsError("store", redacted(self.store), "either store, which holds the history, or database_url")
        return self

    @property
    def public(self) -> bool:
        """Whether others than this machine can reach the server, by itself or through a proxy."""
        return is_public(self.host, self.allowed_hosts, self.trusted_proxies)

    @property
    def default_station(self) -> str:
        return self.station or self.stations[0].id

    @property
    def paths(self) -> DataPaths:
        return DataPaths(self.data_dir)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings


def load(flags: Mapping[str, Any] | None = None, file: Path | None = None, tokens: bool = True) -> Settings:
    """Settings from all sources. ``file`` None takes the first of ``paths.settings_files`` that exists.

    Without ``tokens``, files that hold tokens are not read.

    Raises:
        SettingsError: names the setting, the value and what is allowed.
    """
    found = find_settings_file(file)
    content = read_settings_file(found) if found else {}

    class FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *sources: Any, **named: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (
                named["init_settings"],
                named["env_settings"],
                InitSettingsSource(settings_cls, content),
            )

    warn_of_unknown_variables(Settings.model_fields)
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        read = FromFile(**{**from_old_variables(given), **given})
    except ValidationError as error:
        raise first_fault(error, Settings) from None
    except (ValueError, OSError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise SettingsError("settings", str(found) if found else "environment", f"readable values ({error})") from error
    if not tokens:
        return Settings.model_construct(read.model_fields_set, **dict(read))
    found_tokens = {
        name.removesuffix("_file"): _token(name, file)
        for name in ("token_file", "engine_token_file")
        if (file := getattr(read, name)) is not None
    }
    _check_hash(found_tokens.get("token", ""))
    return Settings.model_construct(read.model_fields_set, **{**dict(read), **found_tokens})


def _token(setting: str, file: Path) -> str:
    line = first_line(file)
    if not line:
        raise SettingsError(setting, str(file), "a readable file whose first line is the token")
    return line


def _check_hash(token: str) -> str:
    if token.startswith("sha256:") and not re.fullmatch(r"sha256:[0-9a-f]{64}", token):
        raise SettingsError("token", "sha256:…", "sha256: and 64 hexadecimal digits")
    return token
