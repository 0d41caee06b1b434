"""Keeps the planner's memories in a file, so that a restarted radio does not repeat itself.

There is one memory for each prompt that an endless stream started with, so stations do not share one. The file is
replaced atomically.
"""

from __future__ import annotations

import binascii
import logging
import threading
from pathlib import Path

from ....storage.atomic_files import read_json, write_json
from .memory import Memory

VERSION = 3
PROMPTS = 16  # memories kept, by prompt; the least recently played is dropped first

log = logging.getLogger(__name__)


class MemoryFile:
    """The memories of an engine's streams; safe to share among threads.

    A file that is missing, damaged or of another version counts as empty: music matters more than variety.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._memories: dict[str, Memory] = {}  # by prompt, the last that played at the end
        try:
            if (kept := read_json(path)) is None:
                return
            if kept["version"] != VERSION:
                raise ValueError(f"version {kept['version']!r}, not {VERSION}")
            self._memories = {prompt: Memory.of_json(memory) for prompt, memory in kept["memories"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
            log.warning("memory_file %s was not read, so variety begins anew: %s", path, error)

    def memory(self, prompt: str) -> Memory:
        """The memory of the streams that started with a prompt."""
        with self._lock:
            return self._memories.get(prompt) or Memory()

    def add(self, prompt: str, memory: Memory) -> None:
        """Store the memory of a stream when one of its pieces begins. A write error is logged, never raised."""
        with self._lock:
            known = self._memories.pop(prompt, None) or Memory()
            self._memories[prompt] = known.with_other(memory)
            while len(self._memories) > PROMPTS:
                del self._memories[next(iter(self._memories))]
            kept = {"version": VERSION, "memories": {p: m.to_json() for p, m in self._memories.items()}}
            try:
                write_json(self.path, kept)
            except OSError as error:
                log.warning("memory_file %s was not written: %s", self.path, error)
