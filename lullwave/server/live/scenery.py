"""What a station's prompt means for the eye: the place that the page paints, its time of day, sounds and mood."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ...errors import LullwaveError
from ...settings.stations import Scene
from ...station import Station

ANSWER_S = 1.0  # wait this long for an engine to explain a prompt; the page asks again
PLACE_OF_SOUND: Mapping[str, Scene] = {
    "waves": "beach",
    "night": "forest",
    "fire": "forest",
    "cafe": "window",
    "train": "road",
}
PLACE_OF_STYLE: Mapping[str, Scene] = {
    "synthwave": "road",
    "electronic": "road",
    "dance": "road",
    "ambient": "stars",
    "newage": "stars",
    "folk": "forest",
    "zen": "forest",
    "raga": "forest",
    "bossa": "beach",
    "classical": "window",
    "piano": "window",
}
BY_NIGHT = ("road", "stars")  # places that are painted by night unless the prompt says otherwise
EXPLAINED_MOST = 16  # prompts of a station that are remembered
BRIGHT = 0.3  # amount of the mood "bright" that means day, and below zero night
LIVELY, SLEEPY = 0.3, -0.3  # amounts of energy and pace together


@dataclass(frozen=True)
class Scenery:
    """The picture outside the window. ``time`` is None where the colours of the page decide."""

    place: Scene = "city"
    time: Literal["day", "evening", "night"] | None = None
    sounds: tuple[str, ...] = ()  # around the music: rain, fire, cafe, night, waves, train
    mood: Literal["sleepy", "calm", "lively"] = "calm"

    @classmethod
    def of(cls, understood: Mapping[str, Any], own: Scene | Literal[""] = "") -> Scenery:
        """The scenery of what an engine understood (``Understanding.understood``).

        ``own`` is the place that a station keeps; empty: what was understood decides.
        """
        sounds = tuple(str(sound) for sound in understood.get("ambience", ()))
        moods: Mapping[str, float] = understood.get("moods", {})
        styles: Mapping[str, float] = understood.get("styles", {})
        place = own or _place(sounds, styles)
        return cls(place, _time(place, sounds, moods.get("bright", 0.0)), sounds, _mood(moods))

    def data(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "sounds": list(self.sounds)}


def _place(sounds: tuple[str, ...], styles: Mapping[str, float]) -> Scene:
    """The place of a sound, else that of the style with the largest share among those that have one."""
    for sound in sounds:
        if sound in PLACE_OF_SOUND:
            return PLACE_OF_SOUND[sound]
    known = [(share, PLACE_OF_STYLE[name]) for name, share in styles.items() if name in PLACE_OF_STYLE]
    return max(known)[1] if known else "city"


def _time(place: Scene, sounds: tuple[str, ...], bright: float) -> Literal["day", "evening", "night"] | None:
    if bright <= -BRIGHT or "night" in sounds:
        return "night"
    if bright >= BRIGHT:
        return "day"
    if "fire" in sounds:
        return "evening"
    return "night" if place in BY_NIGHT else None


def _mood(moods: Mapping[str, float]) -> Literal["sleepy", "calm", "lively"]:
    energy = moods.get("energy", 0.0) + moods.get("pace", 0.0)
    return "lively" if energy >= LIVELY else "sleepy" if energy <= SLEEPY else "calm"


class SceneryReader:
    """The scenery of one station; each prompt is explained once. Event loop only."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._explained: dict[str, Mapping[str, Any]] = {}  # prompt → what was understood, newest last
        self.latest = Scenery.of({}, station.config.scene)

    async def read(self) -> Scenery:
        """The scenery of what was requested last; the one before while the engine does not answer."""
        station = self._station
        understood = await self._understood(station.prompt)
        if understood is not None:
            self.latest = Scenery.of(understood, "" if station.steered else station.config.scene)
        return self.latest

    async def own_place(self) -> Scene:
        """The place of the station's own programme, whatever listeners request."""
        return Scenery.of(await self._understood(self._station.own_prompt) or {}, self._station.config.scene).place

    async def _understood(self, prompt: str) -> Mapping[str, Any] | None:
        if prompt not in self._explained:
            try:
                async with asyncio.timeout(ANSWER_S):
                    understanding = await asyncio.to_thread(self._station.understand, prompt)
            except (TimeoutError, LullwaveError):
                return None
            while len(self._explained) >= EXPLAINED_MOST:
                del self._explained[next(iter(self._explained))]
            self._explained[prompt] = understanding.understood
        return self._explained[prompt]
