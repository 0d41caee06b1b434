"""Sound in blocks on its way to a file: mastered, resampled, encoded. One way for the command line, HTTP and Python.

Everything here takes and returns blocks of any size, and the result does not depend on where they are cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np

from .audio import Audio, Samples, concat
from .codecs import DEFAULT_KBPS, FORMATS, StreamEncoder, Tags, rate_for
from .codecs.mp3 import KBPS
from .engines.base import Stream
from .mastering import CEILING_DBTP, TARGET_LUFS, Master, master
from .options import check, option

Watch = Callable[[Iterator[Audio]], Iterator[Audio]]  # passes every block on, for example to show progress

BLOCK_S = 0.5  # seconds that are rendered, mastered and encoded at a time
LOOP_EDGE_S = 5.0  # of a loop's end and beginning, heard by the mastering before and after it
WHOLE_S = 20.0  # shorter clips are mastered whole, in several passes; longer ones block by block, while they are made


def of_stream(stream: Stream) -> Iterator[Audio]:
    """The blocks of a stream, ``BLOCK_S`` each, to its end."""
    frames = round(BLOCK_S * stream.rate)
    while (block := stream.read(frames)).frames:
        yield block


def mastered(
    blocks: Iterable[Audio],
    seconds: float,
    lufs: float = TARGET_LUFS,
    ceiling_dbtp: float = CEILING_DBTP,
    loops: bool = False,
) -> Iterator[Audio]:
    """A clip of ``seconds`` at its target loudness; the length stays the same.

    Clips under ``WHOLE_S`` get one gain for the whole. Longer clips are mastered block by block, so that they can be
    sent while they are made. A loop is mastered whole, between its end and its beginning, so that it still loops.
    """
    if loops:
        sound = concat(list(blocks))
        edge = min(sound.frames, round(LOOP_EDGE_S * sound.rate))
        around = master(concat([sound[sound.frames - edge :], sound, sound[:edge]]), lufs, ceiling_dbtp)
        yield around[edge : edge + sound.frames]
        return
    if seconds < WHOLE_S:
        whole = list(blocks)
        if whole:
            yield master(concat(whole), lufs, ceiling_dbtp)
        return
    aligned: AlignedMaster | None = None
    for block in blocks:
        aligned = aligned or AlignedMaster(block.rate, block.channels, lufs, ceiling_dbtp)
        if (made := aligned.process(block)).frames:
            yield made
    if aligned is not None:
        yield aligned.flush()


class AlignedMaster:
    """A ``Master`` without its latency: frame n of what it returns is frame n of what it was given. One thread."""

    def __init__(self, rate: int, channels: int, lufs: float, ceiling_dbtp: float) -> None:
        self._master = Master(rate, channels, lufs, ceiling_dbtp)
        self._to_drop = self._master.latency_frames  # frames of silence that the master returns first

    def process(self, block: Audio) -> Audio:
        """The mastered frames that are ready, none for the first blocks."""
        return self._without_latency(self._master.process(block))

    def flush(self) -> Audio:
        """The last frames."""
        return self._without_latency(self._master.flush())

    def _without_latency(self, made: Audio) -> Audio:
        dropped = min(self._to_drop, made.frames)
        self._to_drop -= dropped
        return made[dropped:]


def resampled(blocks: Iterable[Audio], rate: int) -> Iterator[Audio]:
    """The sound resampled to ``rate``, sample for sample equal to ``Audio.resample`` of the whole."""
    import soxr

    resampler: Any = None
    channels = 1
    for block in blocks:
        if block.rate == rate:
            yield block
            continue
        if resampler is None:
            channels = block.channels
            resampler = soxr.ResampleStream(block.rate, rate, channels, dtype="float32", quality="VHQ")
        yield _shaped(resampler.resample_chunk(block.samples), channels, rate)
    if resampler is not None:
        yield _shaped(resampler.resample_chunk(np.zeros((0, channels), np.float32), last=True), channels, rate)


def resampled_frames(frames: int, rate: int, to_rate: int) -> int:
    """How many frames ``resampled`` returns for ``frames``: rounded to nearest, halves up."""
    return (2 * frames * to_rate + rate) // (2 * rate)


def fitted(blocks: Iterable[Audio], frames: int) -> Iterator[Audio]:
    """Exactly ``frames`` frames: cut off, or padded with silence."""
    last: Audio | None = None
    for block in blocks:
        last, block = block, block[:frames]
        frames -= block.frames
        yield block
    if frames and last is not None:
        yield Audio.silence(frames, last.rate, last.channels)


def encoded(blocks: Iterable[Audio], encoder: StreamEncoder) -> Iterator[bytes]:
    """The bytes of a file; its header comes with the first sound."""
    header = encoder.header
    for block in blocks:
        if data := header + encoder.encode(block):
            yield data
        header = b""
    yield header + encoder.flush()


@dataclass(frozen=True)
class ClipFormat:
    """How a clip is delivered. The defaults are the same for the command line, HTTP and Python."""

    format: str = option("mp3", "file format", choices=tuple(FORMATS))
    kbps: int = option(DEFAULT_KBPS, "bit rate of the lossy formats", choices=KBPS, unit="kbit/s")
    lufs: float = option(TARGET_LUFS, "integrated loudness", low=-40, high=-8, unit="LUFS")
    ceiling_dbtp: float = option(CEILING_DBTP, "highest true peak", low=-12, high=0, unit="dB of full scale")

    def __post_init__(self) -> None:
        check(self)


def stream_tags(stream: Stream, engine: str) -> Tags:
    """The tags of a stream that has begun: its first piece's title, its prompt and its seed; made by ``engine``."""
    marks = stream.marks(0, stream.position)
    title = next((str(mark.data.get("title", "")) for mark in marks if mark.kind == "piece"), "")
    return Tags.of_generated(title, stream.request.prompt, stream.request.seed, engine)


class ClipMaker:
    """The sound and the file of one clip, from a finite stream of the engine called ``engine``."""

    def __init__(self, stream: Stream, engine: str, delivery: ClipFormat, watch: Watch = iter) -> None:
        """Read the first block, with which the engine announces the title. ``watch`` sees every block."""
        total = stream.total_frames
        assert total is not None, "a clip has a length"
        self._stream, self._delivery, self._total = stream, delivery, total
        blocks = watch(of_stream(stream))
        first = list(islice(blocks, 1))
        self._blocks = chain(first, blocks)
        self.tags = stream_tags(stream, engine)

    def sound(self) -> Iterator[Audio]:
        """The mastered sound at the stream's rate. Call once."""
        seconds = self._total / self._stream.rate
        lufs, ceiling_dbtp = self._delivery.lufs, self._delivery.ceiling_dbtp
        return fitted(mastered(self._blocks, seconds, lufs, ceiling_dbtp, self._stream.loops), self._total)

    def file(self) -> Iterator[bytes]:
        """The bytes of the file, the header with the first sound. Call once, and not after ``sound``."""
        rate = rate_for(self._delivery.format, self._stream.rate)
        total = resampled_frames(self._total, self._stream.rate, rate)
        channels, kbps = self._stream.channels, self._delivery.kbps
        encoder = StreamEncoder(self._delivery.format, rate, channels, total, kbps, self.tags)
        return encoded(fitted(resampled(self.sound(), rate), total), encoder)


def _shaped(samples: Samples, channels: int, rate: int) -> Audio:
    """soxr returns mono as (T,): give it its channel back."""
    return Audio(samples.reshape(-1, channels), rate)
