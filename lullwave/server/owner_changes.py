"""What the owner changed while the server ran: kept in a file of the data directory, so that a restart keeps it.

The settings file is never touched. A change counts until the setting that it replaces is changed itself: then the
settings win. Knows no route.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from ..refused_words import RefusedWords
from ..settings import MAX_STATIONS, Settings
from ..settings.stations import StationSettings
from ..storage.atomic_files import read_json, write_json

VERSION = 1

log = logging.getLogger(__name__)


class OwnerChanges:
    """The changes and their file. Event loop only, except for ``settings``, which any thread may read."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.paths.changes
        self._settings = settings
        self._own = {own.id: own for own in settings.stations}  # of the settings file
        self.stations = dict(self._own)  # in force; the changed ones in place, those that were added at the end
        self.frozen: frozenset[str] = frozenset()  # ids of stations
        self.refused_words = RefusedWords.parse(settings.refused_words)
        self._writing = asyncio.Lock()
        try:
            self._take(read_json(self._path) or {"version": VERSION})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            log.warning("%s was not read, so the owner's changes are forgotten: %s", self._path, error)

    def _take(self, kept: Any) -> None:
        """Take over the content of the file.

        Raises:
            ValueError, KeyError, TypeError, AttributeError
        """
        if kept["version"] != VERSION:
            raise ValueError(f"version {kept['version']!r}, not {VERSION}")
        self.frozen = frozenset(str(one) for one in kept.get("frozen", ()))
        for name, change in kept.get("stations", {}).items():
            self._take_station(name, change)
        words = kept.get("refused_words")
        if words is not None and words["instead_of"] == self._settings.refused_words:
            self.refused_words = RefusedWords(str(word) for word in words["words"])

    def _take_station(self, name: str, change: Any) -> None:
        """Add, change or remove a station as the owner did, unless its settings have changed since."""
        if change["instead_of"] != _as_json(self._own.get(name)):
            log.warning("station %s: the settings were changed after the owner's change; they count", name)
        elif change["settings"] is not None:
            if len(self.stations) < MAX_STATIONS or name in self.stations:
                self.stations[name] = StationSettings.model_validate(change["settings"])
        elif name != self._settings.default_station:
            self.stations.pop(name, None)

    @property
    def settings(self) -> Settings:
        """The settings with the stations in force."""
        return self._with(self.stations)

    def settings_with(self, config: StationSettings) -> Settings:
        """The settings as they would be with a station added or changed."""
        return self._with({**self.stations, config.id: config})

    def _with(self, stations: Mapping[str, StationSettings]) -> Settings:
        if stations == self._own:
            return self._settings
        # the default station stays the default one, whatever the order
        update = {"stations": tuple(stations.values()), "station": self._settings.default_station}
        return self._settings.model_copy(update=update)

    def set_station(self, name: str, config: StationSettings | None) -> None:
        """Take over the settings of a station, None for one that was removed; ``save`` follows."""
        stations = {other: known for other, known in self.stations.items() if other != name or config is not None}
        if config is None:
            self.frozen = self.frozen - {name}
        else:
            stations[name] = config
        self.stations = stations

    async def save(self) -> bool:
        """Write the changes down; returns whether a restart will know them."""
        return await self._write()

    async def set_frozen(self, station: str, frozen: bool) -> bool:
        """Note that a station's steering is frozen; returns whether a restart will know it."""
        self.frozen = self.frozen | {station} if frozen else self.frozen - {station}
        return await self._write()

    async def refuse(self, words: RefusedWords) -> bool:
        """Note the words that are refused; returns whether a restart will know them."""
        self.refused_words = words
        return await self._write()

    async def _write(self) -> bool:
        kept: dict[str, Any] = {"version": VERSION, "frozen": sorted(self.frozen)}
        if self.refused_words.words != RefusedWords.parse(self._settings.refused_words).words:
            kept["refused_words"] = {
                "instead_of": self._settings.refused_words,
                "words": list(self.refused_words.words),
            }
        changed = [name for name in {**self._own, **self.stations} if self._own.get(name) != self.stations.get(name)]
        kept["stations"] = {
            name: {"instead_of": _as_json(self._own.get(name)), "settings": _as_json(self.stations.get(name))}
            for name in changed
        }
        async with self._writing:
            try:
                await asyncio.to_thread(self._replace, kept)
            except OSError as error:
                log.warning("%s was not written, so a restart forgets the change: %s", self._path, error)
                return False
        return True

    def _replace(self, kept: Any) -> None:
        write_json(self._path, kept)
        self._path.chmod(0o600)  # an engine's address may hold a token


def _as_json(config: StationSettings | None) -> Any:
    return None if config is None else config.model_dump(mode="json")
