"""Clips of a station on disk: whole or absent, limited in number and size. Knows nothing of HTTP.

A clip is a file that never changes, named by its number and a hash of its bytes. A small JSON file beside it holds
what is known of its music.
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

from ..errors import NotFound
from ..storage.atomic_files import replacing

REPLAYED = "recycled"  # `source` of a piece that is played from a clip

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
    """What is known of a clip's music."""

    data: Mapping[str, Any] = field(default_factory=dict)  # of the piece that fills most of it
    beats: tuple[int, ...] = ()  # in frames of the clip

    def shifted(self, frames: int) -> ClipInfo:
        """The info of a clip that begins ``frames`` earlier (negative: later)."""
        return ClipInfo(self.data, tuple(beat + frames for beat in self.beats if beat + frames >= 0))


class ClipStore:
    """The clips of one station in one folder. Thread-safe; watchers are added before the first clip."""

    def __init__(self, folder: Path, max_clips: int, max_bytes: float) -> None:
        self.folder = folder
        self._max_clips = max_clips
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._watchers: list[Callable[[Clip], None]] = []
        self._newest = self._read_newest()
        self._digests = self._listed()  # of the clips on disk, oldest first; replaced as a whole
        self._failing = False  # the last clip could not be written

    @property
    def newest(self) -> Clip | None:
        """The newest clip, also if it is not on disk."""
        return self._newest

    def watch(self, watcher: Callable[[Clip], None]) -> None:
        """Call ``watcher`` with every clip that is added, on the adding thread."""
        self._watchers.append(watcher)

    def add(self, data: bytes, info: ClipInfo | None = None, keep: bool = True) -> Clip:
        """Make ``data`` the newest clip; delete the oldest ones if there are too many.

        It is served from memory if it cannot be written, or if ``keep`` is false.
        """
        with self._lock:
            number = self._newest.number + 1 if self._newest else 0
            clip = Clip(number, hashlib.sha256(data).hexdigest()[:32], data)
            if keep:
                self._write(clip, info)
            self._newest = clip
        for watcher in self._watchers:
            watcher(clip)
        return clip

    def digests(self) -> list[str]:
        """The digests of the clips on disk, oldest first."""
        return list(self._digests)

    def read(self, digest: str) -> tuple[bytes, ClipInfo]:
        """The bytes of a clip on disk, and its info.

        Raises:
            NotFound, OSError
        """
        path = next((path for path in self.files() if path.stem.endswith("-" + digest)), None)
        if path is None:
            raise NotFound("clip", digest)
        info = ClipInfo()
        with suppress(OSError, ValueError, KeyError, TypeError):
            read = json.loads(path.with_suffix(".json").read_bytes())
            info = ClipInfo(dict(read["data"]), tuple(int(beat) for beat in read["beats"]))
        return path.read_bytes(), info

    def files(self) -> list[Path]:
        """The clips on disk, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if _NAME.match(path.name))

    def _write(self, clip: Clip, info: ClipInfo | None) -> None:
        path = self.folder / f"{clip.number:08d}-{clip.digest}.mp3"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if info is not None:
                with replacing(path.with_suffix(".json")) as file:
                    file.write(json.dumps({"data": dict(info.data), "beats": info.beats}, default=str).encode())
            with replacing(path) as file:
                file.write(clip.data)
            self._prune()
        except OSError as error:
            with suppress(OSError):
                path.with_suffix(".json").unlink(missing_ok=True)
            if not self._failing:
                log.error("cannot write clips to %s: %s; the newest clip is served from memory", self.folder, error)
            self._failing = True
        else:
            if self._failing:
                log.info("clips are written to %s again", self.folder)
            self._failing = False
        self._digests = self._listed()

    def _listed(self) -> list[str]:
        try:
            return [path.stem.partition("-")[2] for path in self.files()]
        except OSError:
            return []

    def _read_newest(self) -> Clip | None:
        """The newest clip on disk that is whole."""
        try:
            files = self.files()
        except OSError as error:
            log.warning("cannot list the clips in %s: %s", self.folder, error)
            return None
        for path in reversed(files):
            match = _NAME.match(path.name)
            assert match is not None
            try:
                data = path.read_bytes()
            except OSError as error:
                log.warning("cannot read clip %s: %s", path, error)
                continue
            if hashlib.sha256(data).hexdigest()[:32] == match[2]:
                return Clip(int(match[1]), match[2], data)
            log.warning("skipping clip %s: it is damaged", path)
        return None

    def _prune(self) -> None:
        """Delete the oldest clips until number and size are within the limits, and half-written ones of killed servers.

        Only one store writes into the folder, and it has written its clip.
        """
        for part in self.folder.glob(".*.part"):
            part.unlink(missing_ok=True)
        files = self.files()
        sizes = [path.stat().st_size for path in files]
        while len(files) > self._max_clips or (len(files) > 1 and sum(sizes) > self._max_bytes):
            oldest = files.pop(0)
            oldest.unlink(missing_ok=True)
            oldest.with_suffix(".json").unlink(missing_ok=True)
            sizes.pop(0)
