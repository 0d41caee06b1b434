"""What the owner changed while the server ran: kept in a file of the data directory, so that a restart keeps it.

The settings file is never touched. A change counts until the setting that it replaces is changed itself: then the
settings win. Knows no route.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ..json_file import read_json, write_json
from ..refused_words import RefusedWords
from ..settings import Settings

VERSION = 1

log = logging.getLogger(__name__)


class OwnerChanges:
    """The changes and their file. Event loop only."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.paths.changes
        self._settings = settings
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
        words = kept.get("refused_words")
        if words is not None and words["instead_of"] == self._settings.refused_words:
            self.refused_words = RefusedWords(str(word) for word in words["words"])

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
        async with self._writing:
            try:
                await asyncio.to_thread(write_json, self._path, kept)
            except OSError as error:
                log.warning("%s was not written, so a restart forgets the change: %s", self._path, error)
                return False
        return True
