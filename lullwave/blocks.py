"""Sound in blocks on its way to a file: mastered, resampled, encoded. One way for the command line, HTTP and Python.

Everything here takes and gives blocks of any size, and the result does not depend on how the sound was cut.
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

Watch = Callable[[Iterator[Audio]], Iterator[Audio]]  # gives the same blocks, such as a progress bar

BLOCK_S = 0.5  # seconds that are rendered, mastered and encoded at a time
WHOLE_S = 20.0  # shorter clips are mastered whole, in several passes; longer ones block by block, while they are made


def of_stream(stream: Stream) -> Iterator[Audio]:
    """The blocks of a stream, ``BLOCK_S`` each, to its end."""
    frames = round(BLOCK_S * stream.rate)
    while (block := stream.read(frames)).frames:
        yield block


def mastered(
    blocks: Iterable[Audio], seconds: float, lufs: float = TARGET_LUFS, ceiling_dbtp: float = CEILING_DBTP
) -> Iterator[Audio]:
    """A clip of ``seconds`` at its loudness, as long as it was.

    Under ``WHOLE_S`` the gain is one for the whole clip. Longer clips are followed by ``Master``, so that they can be
    sent while they are made.
    """
    if seconds < WHOLE_S:
        whole = list(blocks)
        if whole:
            yield master(concat(whole), lufs, ceiling_dbtp)
        return
    master_chain: Master | None = None
    late = 0
    for block in blocks:
        if master_chain is None:
            master_chain = Master(block.rate, block.channels, lufs, ceiling_dbtp)
            late = master_chain.latency_frames
        made = master_chain.process(block)
        early, late = min(late, made.frames), max(0, late - made.frames)
        if early < made.frames:
            yield made[early:]
    if master_chain is not None:
        yield master_chain.flush()[late:]


def resampled(blocks: Iterable[Audio], rate: int) -> Iterator[Audio]:
    """The same sound at ``rate``, sample for sample what ``Audio.resample`` makes of the whole."""
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
    """How many frames ``resampled`` makes of ``frames``: rounded to nearest, halves up."""
    return (2 * frames * to_rate + rate) // (2 * rate)


def fitted(blocks: Iterable[Audio], frames: int) -> Iterator[Audio]:
    """Exactly ``frames`` frames: what is more is cut off, what lacks is silence."""
    last: Audio | None = None
    for block in blocks:
        last, block = block, block[:frames]
        frames -= block.frames
        yield block
    if frames and last is not None:
        yield Audio.silence(frames, last.rate, last.channels)


def encoded(blocks: Iterable[Audio], encoder: StreamEncoder) -> Iterator[bytes]:
    """The bytes of a file, its header with the first sound."""
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


class ClipMaker:
    """The sound and the file of one clip, from a finite stream of the engine called ``engine``."""

    def __init__(self, stream: Stream, engine: str, delivery: ClipFormat, watch: Watch = iter) -> None:
        """Reads the first block, in which the engine says what the music is called. ``watch`` sees every block."""
        total = stream.total_frames
        assert total is not None, "a clip has a length"
        self._stream, self._delivery, self._total = stream, delivery, total
        blocks = watch(of_stream(stream))
        first = list(islice(blocks, 1))
        self._blocks = chain(first, blocks)
        marks = stream.marks(0, stream.position)
        title = next((str(mark.data.get("title", "")) for mark in marks if mark.kind == "piece"), "")
        self.tags = Tags.of_generated(title, stream.request.prompt, stream.request.seed, engine)

    def sound(self) -> Iterator[Audio]:
        """The mastered sound, at the stream's rate; can be taken once."""
        seconds = self._total / self._stream.rate
        return fitted(mastered(self._blocks, seconds, self._delivery.lufs, self._delivery.ceiling_dbtp), self._total)

    def file(self) -> Iterator[bytes]:
        """The bytes of the file, the header with the first sound; can be taken once, instead of ``sound``."""
        rate = rate_for(self._delivery.format, self._stream.rate)
        total = resampled_frames(self._total, self._stream.rate, rate)
        channels, kbps = self._stream.channels, self._delivery.kbps
        encoder = StreamEncoder(self._delivery.format, rate, channels, total, kbps, self.tags)
        return encoded(fitted(resampled(self.sound(), rate), total), encoder)


def _shaped(samples: Samples, channels: int, rate: int) -> Audio:
    """Mono comes from soxr as (T,)."""
    return Audio(samples.reshape(-1, channels), rate)
