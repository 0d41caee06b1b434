"""The settings of one station, and the five stations that play where none are set."""

from __future__ import annotations

import re
import time
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ..prompt import Prompt
from ..request import MAX_SEED

StationId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
Policy = Literal["everyone", "owner", "vote"]
Scene = Literal["city", "road", "forest", "window", "beach", "stars"]


def minute_of_day(wall: float) -> int:
    """The minute of the local day at a time in seconds since 1970."""
    local = time.localtime(wall)
    return 60 * local.tm_hour + local.tm_min


def minutes_of_span(span: str) -> tuple[int, int] | None:
    """The first minute of the day in a span of hours and the first after it; None where it is no span."""
    found = re.fullmatch(r"\s*(\d{1,2})(?::(\d\d))?\s*-\s*(\d{1,2})(?::(\d\d))?\s*", span)
    if found is None:
        return None
    hour, minute, until, until_minute = (int(number or 0) for number in found.groups())
    if hour > 23 or until > 24 or max(minute, until_minute) > 59 or (until == 24 and until_minute):
        return None
    return 60 * hour + minute, (60 * until + until_minute) % (24 * 60)


class StationSettings(BaseModel):
    """One station: ``[[stations]]`` in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: StationId = Field(description="name in addresses: lower-case letters, digits and hyphens")
    name: str = Field(default="", max_length=80, description="name shown to listeners; empty: made from the id")
    prompts: tuple[str, ...] = Field(
        default=("",),
        min_length=1,
        max_length=32,
        description="prompts that it plays; several alternate, two pieces each",
    )
    hours: dict[str, str] = Field(
        default={},
        max_length=24,
        description='prompts by time of day, such as `{"22-6" = "sleepy piano", "6:30-9" = "bright guitar"}`; at other '
        "times `prompts` play",
    )
    engine: str = Field(default="", description="engine that makes its music; empty: the setting `engine`")
    ambience: tuple[str, ...] = Field(
        default=(), max_length=4, description="words added to each prompt, such as `rain`"
    )
    policy: Policy = Field(default="everyone", description="who may steer: everyone, the owner (by token), or a vote")
    scene: Scene | Literal[""] = Field(
        default="",
        description="place that the page paints while it plays its own programme; empty: chosen from what its engine "
        "understands",
    )
    seed: int | None = Field(
        default=None, ge=0, le=MAX_SEED, description="seed of its programme; empty: a random one at each start"
    )
    always_on: bool = Field(
        default=False,
        description="never sleep, and always encode HLS: for a station behind a CDN; its HLS is not counted",
    )

    @field_validator("prompts")
    @classmethod
    def _prompts_parse(cls, prompts: tuple[str, ...]) -> tuple[str, ...]:
        for prompt in prompts:
            Prompt.parse(prompt)
        return prompts

    @field_validator("hours")
    @classmethod
    def _hours_parse(cls, hours: dict[str, str]) -> dict[str, str]:
        for span, prompt in hours.items():
            if minutes_of_span(span) is None:
                raise ValueError(f"{span!r} is no span of hours, such as 22-6 or 6:30-9")
            Prompt.parse(prompt)
        return hours

    @property
    def title(self) -> str:
        """The name on one line: line breaks and control characters would end a line of a playlist or header."""
        shown = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in self.name)
        return " ".join(shown.split()) or self.id.replace("-", " ").capitalize()

    def prompt(self, turn: int = 0) -> str:
        """The prompt number ``turn`` in the rotation, with the ambience."""
        return self._with_ambience(self.prompts[turn % len(self.prompts)])

    def prompt_at(self, minute: int) -> str | None:
        """The prompt of a minute of the day, with the ambience; None where ``hours`` leave it to ``prompts``."""
        for span, prompt in self.hours.items():
            begin, end = minutes_of_span(span) or (0, 0)
            inside = begin <= minute < end if begin < end else minute >= begin or minute < end
            if inside:
                return self._with_ambience(prompt)
        return None

    def programme(self, minute: int) -> dict[str, Any]:
        """What a station plays by itself at a minute of the day, as JSON; equal while its settings are unchanged."""
        return {
            "prompts": list(self.prompts),
            "hours": dict(self.hours),
            "ambience": list(self.ambience),
            "now": self.prompt_at(minute),
        }

    def _with_ambience(self, prompt: str) -> str:
        return ", ".join(part for part in (prompt, *self.ambience) if part)


DEFAULT_STATIONS = (
    StationSettings(
        id="piano",
        scene="city",
        name="Mellow piano",
        prompts=("mellow lo-fi with a soft felt piano, calm and steady, clean",),
    ),
    StationSettings(
        id="synthwave",
        scene="road",
        name="Night drive",
        prompts=("futuristic synthwave lo-fi, warm analogue synths, calm and steady, clean",),
    ),
    StationSettings(
        id="organic",
        scene="forest",
        name="Forest cabin",
        prompts=("earthy organic lo-fi with acoustic instruments, upright bass and brushes, calm and steady, clean",),
    ),
    StationSettings(
        id="guitar",
        scene="window",
        name="Window seat",
        prompts=("gentle lo-fi with nylon guitar, calm and steady, clean",),
    ),
    StationSettings(
        id="ambient",
        scene="stars",
        name="Drift",
        prompts=("ambient ethereal lo-fi with slow soft pads, calm and steady, clean",),
    ),
)
