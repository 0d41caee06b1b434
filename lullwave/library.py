"""One-minute clips on disk: whole or absent, bounded in number and bytes; knows nothing of HTTP.

A clip is a file that never changes, named by its number and a hash of its bytes. A ``Cutter`` makes clips of what
goes on air, in slots of fixed length that overlap a little, so that whoever plays one to its end finds the next.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .audio import Audio
from .codecs import encode
from .codecs.files import replacing

FADE_S = 1.0  # at both ends of a clip
OVERLAP_S = 2.0  # how much longer than its slot a clip is

_NAME = re.compile(r"^(\d{8})-([0-9a-f]{32})\.mp3$")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clip:
    """A finished clip."""

    number: int
    digest: str  # of the bytes
    data: bytes


class ClipShelf:
    """The clips of one station in one folder. Thread-safe."""

    def __init__(self, folder: Path, max_clips: int, max_bytes: float) -> None:
        self.folder = folder
        self._max_clips = max_clips
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._watchers: list[Callable[[Clip], None]] = []
        self._newest = self._read_newest()

    @property
    def newest(self) -> Clip | None:
        return self._newest

    def watch(self, watcher: Callable[[Clip], None]) -> None:
        """Call ``watcher`` with every clip that is added, on the adding thread."""
        self._watchers.append(watcher)

    def add(self, data: bytes) -> Clip:
        """Keep a clip; the oldest go when there are too many. A full disk costs the file, not the clip."""
        with self._lock:
            number = self._newest.number + 1 if self._newest else 0
            clip = Clip(number, hashlib.sha256(data).hexdigest()[:32], data)
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                with replacing(self.folder / f"{number:08d}-{clip.digest}.mp3") as file:
                    file.write(data)
                self._prune()
            except OSError as error:
                log.error("clip %d cannot be kept in %s: %s", number, self.folder, error)
            self._newest = clip
        for watcher in self._watchers:
            watcher(clip)
        return clip

    def files(self) -> list[Path]:
        """The clips on disk, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if _NAME.match(path.name))

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
            files.pop(0).unlink(missing_ok=True)
            sizes.pop(0)


class Cutter:
    """Cuts what goes on air into clips. ``feed`` comes from the air thread; encoding happens on ``executor``."""

    def __init__(self, shelf: ClipShelf, executor: Executor, rate: int, slot_s: float, kbps: int) -> None:
        self._shelf = shelf
        self._executor = executor
        self._rate = rate
        self._slot = round(slot_s * rate)
        self._overlap = round(min(OVERLAP_S, slot_s / 4) * rate)
        self._kbps = kbps
        self._parts: list[npt.NDArray[np.int16]] = []
        self._have = 0

    def feed(self, samples: npt.NDArray[np.float32]) -> None:
        """The next mastered sound, (T, C)."""
        self._parts.append(Audio(samples, self._rate).to_int16())
        self._have += len(samples)
        while self._have >= self._slot + self._overlap:
            joined = np.concatenate(self._parts)
            clip, rest = joined[: self._slot + self._overlap], joined[self._slot :]
            self._parts, self._have = [rest.copy()], len(rest)
            try:
                self._executor.submit(self._keep, clip)
            except RuntimeError:  # the server ends
                return

    def _keep(self, clip: npt.NDArray[np.int16]) -> None:
        try:
            audio = Audio.of(clip, self._rate).fade(FADE_S, FADE_S)
            self._shelf.add(encode(audio, "mp3", self._kbps))
        except Exception:
            log.exception("a clip was lost")
