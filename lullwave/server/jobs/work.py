"""What a running task works with: its fields, its input files, the engines, and the files that it makes. One thread."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...audio import Audio
from ...blocks import Watch
from ...codecs import FORMATS, blocks_of, fitting_name, read_tags
from ...engines.base import Engine
from ...errors import Unsupported
from ...mastering.loudness import SILENCE_LUFS, LoudnessMeter
from ...spectrogram import SpectrogramParams
from ...spectrogram.image import save
from ...storage.atomic_files import replacing
from .job import Kind, Result

MAX_IMAGE_S = 600.0  # longest sound of which a spectrogram is drawn beside it
AUDIO_SUFFIXES = frozenset(one.suffix for one in FORMATS.values())


@dataclass(frozen=True)
class Work:
    """One run of a task. ``report`` takes the share that is done; it raises ``Cancelled`` when the job is cancelled,
    and ``Unsupported`` when its files take more than ``room``. Work calls it between blocks.

    ``engine`` loads an engine by its published name; ``inputs`` are the files of the fields that hold one.
    ``facts`` is what the task found out about what it made.
    """

    values: Mapping[str, Any]
    inputs: Mapping[str, Path]
    folder: Path
    engine: Callable[[str], Engine]
    report: Callable[[float], None]
    room: int  # bytes that its files may take
    made: list[Path] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, data: bytes | None = None) -> Path:
        """The path of a result, in the order in which they are shown; ``data`` is written to it.

        A name that is too long for file systems is cut.
        """
        path = self.folder / fitting_name(name)
        self.made.append(path)
        if data is not None:
            with replacing(path) as file:
                file.write(data)
        return path

    def watched(self, total_s: float, begin: float = 0.0, size: float = 1.0) -> Watch:
        """Blocks pass through it; each reports how much of ``total_s`` has passed, as a part of the whole work."""
        passed_s = 0.0

        def watch(blocks: Iterator[Audio]) -> Iterator[Audio]:
            nonlocal passed_s
            for block in blocks:
                passed_s += block.duration_s
                self.report(begin + size * min(1.0, passed_s / max(total_s, 1e-9)))
                yield block

        return watch

    def part(self, begin: float, size: float) -> Callable[[float], None]:
        """A ``report`` of a part of the whole work."""
        return lambda share: self.report(begin + size * share)

    def checked(self, blocks: Iterable[Audio]) -> Iterator[Audio]:
        """Blocks pass through it; it raises between them what ``report`` raises."""
        for block in blocks:
            self.report(0.0)
            yield block

    def need(self, bytes: float) -> None:
        """Check before the work that its files will fit.

        Raises:
            Unsupported
        """
        check_room(round(bytes), self.room)

    def results(self) -> list[Result]:
        """The files that were made, with the lengths and loudness of the sounds."""
        return [result_of(path, self.checked) for path in self.made]


def bytes_in(folder: Path) -> int:
    """Bytes of the files in a folder, with those that are being written."""
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # it has been renamed meanwhile
                total += entry.stat().st_size
    return total


def check_room(bytes: int, room: int) -> None:
    """Refuse files that take more than the room that is left.

    Raises:
        Unsupported
    """
    if bytes > room:
        said = f"{bytes / 1e6:.1f} MB of results, but there is room for {room / 1e6:.1f} MB beside what is kept"
        raise Unsupported("results", None, f"{said}; make less, or unpin or delete some")


def result_of(path: Path, watch: Callable[[Iterable[Audio]], Iterator[Audio]] = iter) -> Result:
    """A finished file as a result. ``watch`` sees every block of a sound."""
    kind = kind_of(path)
    if kind != "audio":
        return Result(path.name, kind, path.stat().st_size)
    meter, frames, rate = None, 0, 1
    for block in watch(blocks_of(path)):
        meter = meter or LoudnessMeter(block.rate, block.channels)
        meter.feed(block)
        frames, rate = frames + block.frames, block.rate
    lufs = meter.integrated_lufs() if meter is not None else SILENCE_LUFS
    known = lufs > SILENCE_LUFS and math.isfinite(lufs)
    return Result(path.name, kind, path.stat().st_size, round(frames / rate, 3), round(lufs, 2) if known else None)


def kind_of(path: Path) -> Kind:
    """What a file is, by its suffix."""
    suffix = path.suffix.lower()
    if suffix in AUDIO_SUFFIXES:
        return "audio"
    return "midi" if suffix == ".mid" else "json" if suffix == ".json" else "image"


def draw(sound: Path, image: Path, report: Callable[[float], None]) -> None:
    """Write Riffusion's spectrogram image of a sound file as PNG."""
    from ...spectrogram.long_images import image_of

    def blocks() -> Iterator[Audio]:
        for block in blocks_of(sound):
            report(0.0)
            yield block

    made = image_of(blocks, SpectrogramParams())
    with replacing(image) as file:
        save(made, file, "PNG", made.getexif(), read_tags(sound))
