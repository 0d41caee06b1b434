"""The stations of a relay: those of its origin, asked for at the start, and kept for a start without it."""

from __future__ import annotations

import json
import logging
import urllib.request
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ...errors import SettingsError
from ...redaction import redacted
from ...settings import MAX_STATIONS, Settings
from ...settings.stations import StationSettings
from ...storage.atomic_files import read_json, write_json

ANSWER_S = 10.0  # longest wait for the origin

log = logging.getLogger(__name__)


def relayed(settings: Settings) -> Settings:
    """The settings with the origin's stations and bit rate; with those of the last time if it does not answer.

    Raises:
        SettingsError: it does not answer and never did, or it is no such server.
    """
    path = settings.paths.relay
    try:
        told = _ask(settings.relay)
        with_stations = _with(settings, told)
        try:
            write_json(path, told)
        except OSError as error:
            log.warning("%s was not written: %s", path, error)
        return with_stations
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        shown = redacted(settings.relay)
        kept = _kept(settings)
        if kept is None:
            raise SettingsError("relay", shown, f"the address of a server that answers ({error})") from None
        log.warning("%s does not answer (%s): its stations of the last time are used", shown, error)
        return kept


def _kept(settings: Settings) -> Settings | None:
    """The settings with the stations of the last time, if they were those of this origin."""
    try:
        told = read_json(settings.paths.relay)
        return _with(settings, told) if told["origin"] == settings.relay else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _ask(address: str) -> dict[str, Any]:
    base = address.rstrip("/")
    stations, status = _json(f"{base}/api/stations"), _json(f"{base}/status-json.xsl")
    sources = status["icestats"]["source"]
    first = sources[0] if isinstance(sources, list) else sources
    shown = [{"id": one["id"], "name": one["name"], "prompts": [one["prompt"]]} for one in stations["stations"]]
    return {
        "origin": address,
        "default": stations["default"],
        "kbps": first["bitrate"],
        "stations": shown[:MAX_STATIONS],
    }


def _json(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=ANSWER_S) as reply:
        return json.loads(reply.read())


def _with(settings: Settings, told: Mapping[str, Any]) -> Settings:
    """The settings with what the origin told.

    Raises:
        ValueError, LookupError, TypeError: it makes no sense.
    """
    try:
        stations = tuple(StationSettings.model_validate(one) for one in told["stations"])
    except ValidationError as error:
        raise ValueError(f"its stations are not understood: {error.errors()[0]['msg']}") from None
    if told["default"] not in [one.id for one in stations]:
        raise ValueError("it names no default station")
    update = {"stations": stations, "station": told["default"], "bitrate_kbps": int(told["kbps"])}
    return settings.model_copy(update=update)
