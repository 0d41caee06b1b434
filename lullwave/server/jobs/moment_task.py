"""Keeps a moment that a station played: rendered again from the history, with what it was and when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...archive.times import time_text, wall_time
from ...blocks import ClipFormat
from ...codecs import encode, format_named
from ...errors import InvalidInput, LullwaveError
from ...options import option
from ...settings import Settings
from ..live.channel import Channel
from ..live.channels import Channels
from ..live.scenery import Scenery
from .task import Task, call, fields_of
from .work import Work

LONGEST_S = 300.0  # seconds of sound; it is rendered whole before it is written
RENDERED = 0.9  # share of the work
_UNSAFE = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True)
class MomentFields:
    """What was heard."""

    station: str = option("", "the station that played it", max_length=64)
    at: str = option("", "when it began: ISO 8601, or seconds since 1970", max_length=64)
    seconds: float = option(60.0, "length", low=1, high=LONGEST_S, unit="s")
    title: str = option("", "what to call it; empty: the title of the piece", max_length=200)


def moment_task(settings: Settings, channels: Channels) -> Task:
    """A moment of a station as a file."""

    def check(values: dict[str, Any]) -> None:
        if values["station"] not in channels.stations:
            raise InvalidInput("station", values["station"], "one of " + ", ".join(channels.stations))
        if wall_time(values["at"]) + values["seconds"] > channels.clock.wall():
            raise InvalidInput("at", values["at"], "a moment that has passed whole")

    def run(work: Work) -> None:
        values, steps = work.values, 0
        station, wall, seconds = values["station"], wall_time(values["at"]), values["seconds"]

        def stopped() -> bool:
            """Asked once per second of sound that is rendered, and once per second that is mastered."""
            nonlocal steps
            steps += 1
            work.report(RENDERED * min(1.0, steps / (2 * seconds + 60)))  # a minute at most comes before it
            return False

        sound, exact = channels.replay(station, wall, seconds, stopped)
        title = values["title"] or (sound.tags.title if sound.tags is not None else "")
        stem = _UNSAFE.sub("-", title).strip("-").lower()[:60] or "moment"
        named = format_named(values["format"])
        work.add(f"{stem}{named.suffix}", encode(sound, named.name, settings.bitrate_kbps, sound.tags))
        piece = channels.piece_at(station, wall)
        prompt, channel = str(piece.get("prompt", "")), channels.stations.get(station)
        facts = {
            "title": title,
            "prompt": prompt,
            "seed": channel.station.seed if channel is not None else None,
            "scene": _scene(channel, prompt) if channel is not None else None,
            "at": time_text(wall),
            "seconds": round(sound.duration_s, 3),
            "exact": exact,
            "writes": channels.parts(station, wall, seconds).written() if channels.stored is None else (),
        }
        work.facts.update(facts)
        work.report(1.0)

    return Task(
        "moment",
        "something that a station played, as a file",
        [*fields_of(MomentFields), *fields_of(ClipFormat, "format")],
        run,
        _python,
        check=check,
    )


def _scene(channel: Channel, prompt: str) -> dict[str, Any]:
    """The picture of a piece: its station's place, with the weather and time of day of its prompt."""
    station = channel.station
    try:
        understood = station.understand(prompt).understood
    except LullwaveError:  # the picture is not worth the piece
        understood = {}
    return Scenery.of(understood, station.config.scene).data()


def _python(values: Mapping[str, Any]) -> str:
    made = call("server.replay", *(values[name] for name in ("station", "at", "seconds", "format")))
    return (
        "from lullwave.client import Client\n\n"
        f'with Client("http://localhost:8000") as server:\n    {made}.save("moment.{values["format"]}")\n'
    )
