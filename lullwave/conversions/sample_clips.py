"""Cuts clips of one length out of a sound file, at random places."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from ..audio import Audio
from ..blocks import Watch
from ..codecs import FORMATS, StreamEncoder, Tags, fitting_name, format_named, rate_for, read, read_tags
from ..errors import InvalidInput
from ..options import check, option
from ..storage.atomic_files import replacing

BLOCK_S = 10  # seconds of a clip that are encoded at a time


@dataclass(frozen=True)
class SampleOptions:
    """How many clips, and how long."""

    count: int = option(1, "number of clips", low=1, high=1000)
    duration_ms: int = option(5000, "length of a clip in milliseconds", low=1, high=3_600_000)
    mono: bool = option(False, "mix all channels into one")
    format: str = option("wav", "format of the clips", choices=tuple(FORMATS))
    seed: int = option(-1, "the same seed cuts at the same places; -1: new ones every time", low=-1, high=2**63 - 1)

    def __post_init__(self) -> None:
        check(self)


def cut(
    source: Path,
    folder: Path,
    count: int,
    duration_ms: int,
    mono: bool,
    extension: str,
    seed: int,
    prefix: str = "",
    watch: Watch = iter,
) -> list[Path]:
    """Write the clips and return their paths. The places depend on the seed and the file's name.

    ``watch`` sees every block of every clip before it is written.

    Raises:
        InvalidInput: the clip is longer than the file, or the file has more than two channels and not ``mono``.
    """
    extension = extension.removeprefix(".")
    format_named(extension)
    audio = read(source)
    whole_ms = audio.frames * 1000 // audio.rate
    if duration_ms > whole_ms:
        raise InvalidInput("duration_ms", duration_ms, f"at most the length of {source.name}: {whole_ms} ms")
    if mono:
        audio = audio.to_channels(1)
    elif audio.channels > 2:
        raise InvalidInput("channels", audio.channels, f"1 or 2 in {source.name}; --mono mixes any number into one")
    places = random.Random(f"{seed} {source.name}" if seed >= 0 else None)
    folder.mkdir(parents=True, exist_ok=True)
    tags, written = read_tags(source), []
    for number in range(count):
        start_ms = places.randint(0, whole_ms - duration_ms)
        begin = start_ms * audio.rate // 1000
        clip = audio[begin : begin + duration_ms * audio.rate // 1000]
        name = f"{prefix}clip_{number}_start_{start_ms}_ms_duration_{duration_ms}_ms.{extension}"
        written.append(_write(folder / fitting_name(name), clip, tags, watch))
    return written


def _write(path: Path, clip: Audio, tags: Tags, watch: Watch) -> Path:
    format = format_named(path.suffix.removeprefix(".")).name
    clip = clip.resample(rate_for(format, clip.rate))
    encoder = StreamEncoder(format, clip.rate, clip.channels, clip.frames, tags=tags)
    size = BLOCK_S * clip.rate
    with replacing(path) as file:
        file.write(encoder.header)
        for block in watch(clip[begin : begin + size] for begin in range(0, clip.frames, size)):
            file.write(encoder.encode(block))
        file.write(encoder.flush())
    return path
