"""``lullwave generate``: one clip of any engine, into a file or to stdout."""

from __future__ import annotations

import math
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.console import Console

from ..audio import Audio, concat
from ..codecs import FORMATS, Format, StreamEncoder, decode, format_named, rate_for, replacing, write, write_bytes
from ..engines import engine_class, engine_facts, load_engine
from ..engines.base import Engine, Stream, Understanding
from ..errors import InvalidInput
from ..mastering import TARGET_LUFS, Master, check_levels, master
from ..request import Request
from .flags import FlagGroup, called, given, parse_pairs, with_flags
from .outputs import check_file, check_folder, check_stdout, format_for
from .progress import Progress

DEFAULT_ENGINE = "synth"
DEFAULT_SECONDS = 60.0
BLOCK_S = 0.5  # what is made between two looks at the progress bar
_STEM_PEAK = 0.9
WHOLE_S = 900.0  # up to here a clip is mastered as a whole, in two passes; longer ones block by block


def build(arguments: list[str]) -> Callable[..., None]:
    """The command, with the flags of the engine that the arguments name."""
    engine = engine_facts(given(arguments, "--engine", DEFAULT_ENGINE))
    groups = (
        FlagGroup("load_options", engine.load_options),
        FlagGroup("options", engine.options),
    )
    return with_flags(generate, groups)


def generate(
    prompt: Annotated[str, typer.Argument(help="What the music should be like; may be empty.")] = "",
    output: Annotated[str, typer.Option("--output", "-o", help="The file to make; - is stdout.")] = "lullwave.mp3",
    seconds: Annotated[float, typer.Option("--seconds", "-s", help="Length of the clip.")] = DEFAULT_SECONDS,
    seed: Annotated[int | None, typer.Option(help="Where all chance comes from; drawn and shown if absent.")] = None,
    engine: Annotated[str, typer.Option(help="Who makes it: see lullwave engines.")] = DEFAULT_ENGINE,
    format: Annotated[str | None, typer.Option(help="Format, if the name does not say: " + ", ".join(FORMATS))] = None,
    kbps: Annotated[int, typer.Option(help="Bit rate of the lossy formats.")] = 128,
    lufs: Annotated[float, typer.Option(help="Loudness of the clip.")] = TARGET_LUFS,
    option: Annotated[list[str] | None, typer.Option(help="name=value, for any option of the engine.")] = None,
    midi: Annotated[Path | None, typer.Option(help="Write the notes too, where the engine knows them.")] = None,
    stems: Annotated[Path | None, typer.Option(help="Write each part into this folder, where the engine can.")] = None,
    continue_from: Annotated[
        Path | None, typer.Option(help="Go on from the end of this audio, where the engine can.")
    ] = None,
    melody: Annotated[Path | None, typer.Option(help="Follow the tune of this audio, where the engine can.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")] = False,
    *,
    load_options: dict[str, Any],
    options: dict[str, Any],
) -> None:
    """Make one clip: a file, or bytes on stdout.

    The same words, seed, length and options make the same clip. The flags below are those of the engine that --engine
    names.
    """
    if output == "-":
        check_stdout()
    else:
        check_file(Path(output))
    with called({"duration_s": "--seconds", "seed": "--seed", "target_lufs": "--lufs", "format": "--format"}):
        named = format_named(format) if format is not None else format_for(output)
        check_levels(target_lufs=lufs)
        kind = engine_class(engine)
        values = {**options, **parse_pairs(option or (), kind.options)}
        request = Request(prompt, secrets.randbelow(2**31) if seed is None else seed, seconds, values)
    for wanted, name in ((midi, "midi"), (stems, "stems")):
        if wanted is not None and not hasattr(kind, name):
            raise InvalidInput(f"--{name}", str(wanted), f"nothing: the engine {engine} has none")
    heard: dict[str, Audio] = {}
    for path, name in ((continue_from, "continue_from"), (melody, "melody")):
        if path is not None:
            if name not in getattr(kind, "listens_to", ()):
                raise InvalidInput(f"--{name.replace('_', '-')}", str(path), f"nothing: the engine {engine} cannot")
            heard[name] = decode(path)
    if midi is not None:
        check_file(midi, "--midi")
    if stems is not None:
        check_folder(stems, "--stems")
    console = Console(stderr=True, quiet=quiet)
    with load_engine(engine, **load_options) as loaded:
        begin: Callable[..., Stream] = loaded.stream
        with begin(request, **heard) as stream:
            speed = _clip(stream, output, named.name, kbps, lufs, console)
            told = getattr(stream, "understanding", None) or loaded.understand(prompt)
            titles = [
                str(t) for m in stream.marks(0, stream.position) if m.kind == "piece" and (t := m.data.get("title"))
            ]
        notes = f"{output}: {seconds:g} s, seed {request.seed}, {speed:.1f}x real time"
        if midi is not None:
            write_bytes(midi, loaded.midi(request))  # type: ignore[attr-defined]
            notes += f"; {midi}"
        if stems is not None:
            made, gain_db = _stems(stems, loaded, request, FORMATS["flac"] if named.lossy else named)
            notes += "; " + ", ".join(map(str, made)) + (f", all {-gain_db:.2f} dB softer" if gain_db else "")
    for line in (notes, *_told(told, titles)):
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _told(understood: Understanding, titles: list[str]) -> Iterator[str]:
    """What the music is called, and what was made of the words."""
    if titles:
        yield "Title: " + ", ".join(titles)
    if understood.text:
        yield "Understood: " + understood.text


def _clip(stream: Stream, output: str, format: str, kbps: int, lufs: float, console: Console) -> float:
    """Make the clip; how many times faster than real time it went."""
    seconds = stream.request.duration_s
    assert seconds is not None
    rate = rate_for(format, stream.rate)
    # Only formats that state their length beforehand need it; a resampled one is known at its end.
    total = stream.total_frames if rate == stream.rate else None
    encoder = StreamEncoder(format, rate, stream.channels, total, kbps)
    with Progress(console, seconds, lambda: getattr(stream, "tokens_made", None)) as progress, _opened(output) as file:
        file.write(encoder.header)
        blocks = progress.through(_read(stream))
        for block in _resampled(_mastered(blocks, seconds, lufs), rate):
            file.write(encoder.encode(block))
        file.write(encoder.flush())
    return progress.speed


def _stems(folder: Path, engine: Engine, request: Request, format: Format) -> tuple[list[Path], float]:
    """Each part as a lossless file of its own, unmastered, and the gain in dB that all of them have in common.

    The gain is 0, or what it takes that neither a stem nor their sum clips. Their sum is the engine's mix as far as
    that can be divided: what hears all parts at once, such as a bus compressor or the mastering, is not in it.
    """
    import numpy as np

    folder.mkdir(exist_ok=True)
    stems: dict[str, Audio] = engine.stems(request)  # type: ignore[attr-defined]
    every = [audio.samples for audio in stems.values()]
    peak = max((float(np.abs(samples).max(initial=0.0)) for samples in (*every, sum(every, np.zeros(1)))), default=0.0)
    gain = min(1.0, _STEM_PEAK / max(peak, 1e-9))
    made = [
        write(
            folder / f"{Path(name).name}{format.suffix}",
            Audio(audio.samples * np.float32(gain), audio.rate),
            format.name,
        )
        for name, audio in stems.items()
    ]
    return made, 20.0 * math.log10(gain)


def _read(stream: Stream) -> Iterator[Audio]:
    frames = round(BLOCK_S * stream.rate)
    while (block := stream.read(frames)).frames:
        yield block


def _mastered(blocks: Iterable[Audio], seconds: float, lufs: float) -> Iterator[Audio]:
    """To the wished loudness: exactly where the clip is short enough to be held in memory."""
    if seconds <= WHOLE_S:
        whole = master(concat(list(blocks)), lufs)
        step = round(BLOCK_S * whole.rate)
        for start in range(0, whole.frames, step):
            yield whole[start : start + step]
        return
    chain: Master | None = None
    late = 0
    for block in blocks:
        if chain is None:
            chain = Master(block.rate, block.channels, lufs)
            late = chain.latency_frames
        done = chain.process(block)
        yield done[min(late, done.frames) :]
        late -= min(late, done.frames)
    if chain is not None:
        yield chain.flush()[late:]


def _resampled(blocks: Iterable[Audio], rate: int) -> Iterator[Audio]:
    resampler: Any = None
    for block in blocks:
        if block.rate == rate:
            yield block
            continue
        import soxr

        if resampler is None:
            resampler = soxr.ResampleStream(block.rate, rate, block.channels, dtype="float32", quality="VHQ")
            channels = block.channels
        yield Audio(resampler.resample_chunk(block.samples), rate)
    if resampler is not None:
        import numpy as np

        yield Audio(resampler.resample_chunk(np.zeros((0, channels), np.float32), last=True), rate)


@contextmanager
def _opened(output: str) -> Iterator[BinaryIO]:
    """stdout, or a file that appears when it is complete."""
    if output == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with replacing(Path(output)) as file:
        yield file
