"""One-minute clips on disk: whole or absent, bounded in number and bytes; knows nothing of HTTP.

A clip is a file that never changes, named by its number and a hash of its bytes; beside it lies a small JSON file
with what is known of its music.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..codecs.files import replacing
from ..errors import NotFound

REPLAYED = "recycled"  # `source` of a piece that was played from a clip

_NAME = re.compile(r"^(\d{8})-([0-9a-f]{32})\.mp3$")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clip:
    """A finished clip."""

    number: int
    digest: str  # of the bytes
    data: bytes


@dataclass(frozen=True)
class ClipInfo:
    """What is known of a clip's music: the piece that was heard most of it, and its beats in frames of the clip."""

    data: Mapping[str, Any] = field(default_factory=dict)
    beats: tuple[int, ...] = ()

    def later(self, frames: int) -> ClipInfo:
        """The same of a clip that begins ``frames`` earlier."""
        return ClipInfo(self.data, tuple(beat + frames for beat in self.beats if beat + frames >= 0))


class ClipStore:
    """The clips of one station in one folder. Thread-safe."""

    def __init__(self, folder: Path, max_clips: int, max_bytes: float) -> None:
        self.folder = folder
        self._max_clips = max_clips
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._watchers: list[Callable[[Clip], None]] = []
        self._newest = self._read_newest()
        self._digests = self._listed()  # of the clips on disk, oldest first
        self._failing = False  # the last clip could not be kept

    @property
    def newest(self) -> Clip | None:
        return self._newest

    def watch(self, watcher: Callable[[Clip], None]) -> None:
        """Call ``watcher`` with every clip that is added, on the adding thread."""
        self._watchers.append(watcher)

    def add(self, data: bytes, past: ClipInfo | None = None, kept: bool = True) -> Clip:
        """The newest clip from now on; the oldest go when there are too many.

        A full disk costs the file, not the clip. ``kept`` False: it is not worth a file.
        """
        with self._lock:
            number = self._newest.number + 1 if self._newest else 0
            clip = Clip(number, hashlib.sha256(data).hexdigest()[:32], data)
            if kept:
                self._keep(clip, past)
            self._newest = clip
        for watcher in self._watchers:
            watcher(clip)
        return clip

    def digests(self) -> list[str]:
        """Of the clips on disk, oldest first."""
        return list(self._digests)

    def read(self, digest: str) -> tuple[bytes, ClipInfo]:
        """The bytes of a clip on disk and what is known of its music.

        Raises:
            NotFound, OSError
        """
        path = next((path for path in self.files() if path.stem.endswith("-" + digest)), None)
        if path is None:
            raise NotFound("clip", digest)
        past = ClipInfo()
        with suppress(OSError, ValueError, KeyError, TypeError):
            read = json.loads(path.with_suffix(".json").read_bytes())
            past = ClipInfo(dict(read["data"]), tuple(int(beat) for beat in read["beats"]))
        return path.read_bytes(), past

    def files(self) -> list[Path]:
        """The clips on disk, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if _NAME.match(path.name))

    def _keep(self, clip: Clip, past: ClipInfo | None) -> None:
        path = self.folder / f"{clip.number:08d}-{clip.digest}.mp3"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if past is not None:
                with replacing(path.with_suffix(".json")) as file:
                    file.write(json.dumps({"data": dict(past.data), "beats": past.beats}, default=str).encode())
            with replacing(path) as file:
                file.write(clip.data)
            self._prune()
        except OSError as error:
            with suppress(OSError):
                path.with_suffix(".json").unlink(missing_ok=True)
            if not self._failing:
                log.error("clips cannot be kept in %s: %s; the newest one is served from memory", self.folder, error)
            self._failing = True
        else:
            if self._failing:
                log.info("clips are kept in %s again", self.folder)
            self._failing = False
        self._digests = self._listed()

    def _listed(self) -> list[str]:
        try:
            return [path.stem.partition("-")[2] for path in self.files()]
        except OSError:
            return []

    def _read_newest(self) -> Clip | None:
        try:
            files = self.files()
        except OSError as error:
            log.warning("the clips in %s cannot be listed: %s", self.folder, error)
            return None
        for path in reversed(files):
            match = _NAME.match(path.name)
            assert match is not None
            try:
                data = path.read_bytes()
            except OSError as error:
                log.warning("clip %s cannot be read: %s", path, error)
                continue
            if hashlib.sha256(data).hexdigest()[:32] == match[2]:
                return Clip(int(match[1]), match[2], data)
            log.warning("clip %s is damaged and left out", path)
        return None

    def _prune(self) -> None:
        files = self.files()
        sizes = [path.stat().st_size for path in files]
        while len(files) > self._max_clips or (len(files) > 1 and sum(sizes) > self._max_bytes):
            oldest = files.pop(0)
            oldest.unlink(missing_ok=True)
            oldest.with_suffix(".json").unlink(missing_ok=True)
            sizes.pop(0)
