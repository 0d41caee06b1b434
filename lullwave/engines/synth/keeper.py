"""Keeps the planner's memory in a file, so that a restarted radio does not play yesterday's music again.

Written whole beside the file and then put in its place, never half. Knows nothing of what the memory is for.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path

from ...errors import InvalidInput
from .memory import Memory

log = logging.getLogger(__name__)


class MemoryKeeper:
    """One memory, shared by the streams of an engine; safe to share among threads.

    Raises:
        InvalidInput: the file cannot be read, or is none of ours.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            self.memory = Memory.of_json(json.loads(path.read_text()))
        except FileNotFoundError:
            self.memory = Memory()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidInput(
                "memory_file", str(path), f"a file that this engine wrote, or none yet ({error})"
            ) from error

    def add(self, memory: Memory) -> None:
        """What a stream remembers now that a piece of it begins. A full disk is logged and the music plays on."""
        with self._lock:
            self.memory = self.memory.with_other(memory)
            beside = self.path.with_name(self.path.name + ".new")
            try:
                beside.write_text(json.dumps(self.memory.to_json()))
                os.replace(beside, self.path)
            except OSError as error:
                log.warning("memory_file %s was not written: %s", self.path, error)
