"""``lullwave generate``: arguments and outputs of one clip; its flags include those of the chosen engine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.console import Console

from ...audio import Audio
from ...blocks import ClipFormat, ClipMaker
from ...codecs import DEFAULT_KBPS, FORMATS, Format, format_named, read
from ...conversions.stem_files import stem_files
from ...engines import engine_class, engine_facts, load_engine
from ...engines.base import AudioPrompt, Engine, EngineFacts, Stream
from ...errors import Unsupported
from ...generation import DEFAULT_ENGINE, DEFAULT_SECONDS
from ...mastering import TARGET_LUFS
from ...options import build as build_options
from ...options import parse_pairs
from ...request import Request, random_seed
from ...storage.atomic_files import replacing
from ..flags import AsJson, FlagGroup, Force, Kbps, Quiet, Words, called, given, with_flags
from ..outputs import check_distinct, check_file, check_folder, check_stdout, format_for, next_free, print_json
from ..parsing import prompt_of
from ..progress import Progress
from ..server import Server, Token, clip_from_server, open_client, refuse_local

DEFAULT_FORMAT = "mp3"
_AUDIO_PROMPTS: Mapping[AudioPrompt, str] = {
    "continue_from": "continue from audio",
    "melody": "follow a melody",
    "source": "make music from audio",
}


def build(arguments: list[str]) -> Callable[..., None]:
    """The command, with the flags of the engine that the arguments name."""
    here = not given(arguments, "--server", "")  # a server has packages of its own
    engine = engine_facts(given(arguments, "--engine", DEFAULT_ENGINE), usable=here)
    groups = (
        FlagGroup("load_options", engine.load_options),
        FlagGroup("options", engine.options),
    )
    return with_flags(generate, groups)


def generate(
    words: Words = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to write; - is stdout.  [default: lullwave.mp3, or lullwave-2.mp3 and so on]",
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds",
            "-s",
            metavar="SECONDS",
            help=f"Length of the clip.  [default: {DEFAULT_SECONDS:g}, or that of --source]",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="Random seed; drawn and printed if absent.")
    ] = None,
    engine: Annotated[
        str, typer.Option(metavar="TEXT", help="Engine that makes the music; see lullwave engines.")
    ] = DEFAULT_ENGINE,
    format: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Format, if the suffix of --output names none: " + ", ".join(FORMATS) + "."),
    ] = None,
    kbps: Kbps = DEFAULT_KBPS,
    lufs: Annotated[float, typer.Option(metavar="NUMBER", help="Loudness of the clip, in LUFS.")] = TARGET_LUFS,
    option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Any option of the engine; may be repeated.")
    ] = None,
    midi: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the notes, if the engine can.")] = None,
    stems: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Also write each part into this folder, if the engine can.")
    ] = None,
    continue_from: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Continue from the end of this audio file, if the engine can.")
    ] = None,
    melody: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Follow the melody of this audio file, if the engine can.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Make the clip from this audio file, if the engine can.")
    ] = None,
    server: Server = None,
    token: Token = "",
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    *,
    load_options: dict[str, Any],
    options: dict[str, Any],
) -> None:
    """Make one clip: a file, or bytes on stdout.

    The same prompt, seed, length and options make the same clip. The last flags below are those of the engine that
    --engine names.
    """
    with called(
        {"duration_s": "--seconds", "seed": "--seed", "lufs": "--lufs", "kbps": "--kbps", "format": "--format"}
    ):
        if output is None:
            output = str(next_free(Path("lullwave" + format_named(format or DEFAULT_FORMAT).suffix)))
        _check_outputs(output, midi, stems, force, as_json)
        named = format_named(format) if format is not None else format_for(output)
        delivery = ClipFormat(named.name, kbps, lufs)
        kind = engine_class(engine) if server is None else engine_facts(engine, usable=False)
        pairs = parse_pairs(option or (), kind.options)
        build_options(kind.options, pairs, where="--option ")
        values = {**options, **pairs}
        heard = _audio_prompts(engine, kind, {"continue_from": continue_from, "melody": melody, "source": source})
        if seconds is None:
            seconds = heard["source"].duration_s if "source" in heard else DEFAULT_SECONDS
        request = Request(prompt_of(words), random_seed() if seed is None else seed, seconds, values)
    console = Console(stderr=True, quiet=quiet)
    made: dict[str, Any] = {
        "file": output, "format": named.name, "seconds": seconds, "prompt": request.prompt, "seed": request.seed,
        "engine": engine,
    }  # fmt: skip
    if server is not None:
        refuse_local({"--midi": midi, "--stems": stems})
        refuse_local({"--continue-from": continue_from, "--melody": melody, "--source": source})
        refuse_local({"--" + name.replace("_", "-"): True for name in load_options})
        with open_client(server, token) as client, _opened(output) as file:
            clip_from_server(client, request, engine, delivery, file, console)
        if as_json:
            print_json(made)
        else:
            console.print(f"{output}: {seconds:g} s, seed {request.seed}", highlight=False, markup=False)
        return
    if midi is not None and not kind.writes_midi:
        raise Unsupported("--midi", str(midi), f"the engine {engine!r} cannot write MIDI")
    if stems is not None and not kind.writes_stems:
        raise Unsupported("--stems", str(stems), f"the engine {engine!r} cannot write stems")
    with load_engine(engine, **load_options) as loaded, ExitStack() as written:
        files: dict[Path, bytes] = {}  # beside the clip; all appear once everything is made
        if midi is not None:
            files[midi] = loaded.midi(request)
            made["midi"] = str(midi)
        if stems is not None:
            taken = {"--output": Path(output), **({"--midi": midi} if midi else {})}
            parts, gain_db = _stems(stems, loaded, request, FORMATS["flac"] if named.lossy else named, taken)
            files |= parts
            made["stems"], made["stems_gain_db"] = [str(file) for file in parts], round(gain_db, 2)
        with called({"duration_s": "--seconds"}), loaded.stream(request, **heard) as stream:
            made["seconds"] = round((stream.total_frames or 0) / stream.rate, 3)
            file = written.enter_context(_opened(output))
            made["speed"] = round(_clip(stream, loaded.made_by, file, delivery, console), 2)
            understood = stream.understanding or loaded.understand(request.prompt)
            marks = stream.marks(0, stream.position)
        made["titles"] = [str(mark.data["title"]) for mark in marks if mark.kind == "piece" and mark.data.get("title")]
        made["understood"], made["ignored"] = understood.text, list(understood.ignored)
        if stems is not None:
            stems.mkdir(exist_ok=True)
        for path, data in files.items():
            written.enter_context(replacing(path)).write(data)
    if as_json:
        print_json(made)
    else:
        for line in _summary(made):
            console.print(line, highlight=False, soft_wrap=True, markup=False)


def _audio_prompts(
    engine: str, kind: type[EngineFacts], files: Mapping[AudioPrompt, Path | None]
) -> dict[AudioPrompt, Audio]:
    """Read the audio that the music is to begin from.

    Raises:
        Unsupported: the engine does not take it.
    """
    heard: dict[AudioPrompt, Audio] = {}
    for name, path in files.items():
        if path is not None:
            if name not in kind.audio_prompts:
                reason = f"the engine {engine!r} cannot {_AUDIO_PROMPTS[name]}"
                raise Unsupported(f"--{name.replace('_', '-')}", str(path), reason)
            heard[name] = read(path)
    return heard


def _check_outputs(output: str, midi: Path | None, stems: Path | None, force: bool, as_json: bool) -> None:
    """Check every path before work begins."""
    files = [] if output == "-" else [("--output", Path(output))]
    if output == "-":
        check_stdout()
        if as_json:
            raise Unsupported("--json", True, "stdout already gets the audio of --output -")
    if midi is not None:
        files.append(("--midi", midi))
    check_distinct([*files, *([("--stems", stems)] if stems else [])])
    for flag, path in files:
        check_file(path, flag, force)
    if stems is not None:
        check_folder(stems, "--stems", force)


def _summary(made: Mapping[str, Any]) -> Iterator[str]:
    """The lines that tell a person what was made."""
    notes = f"{made['file']}: {made['seconds']:g} s, seed {made['seed']}, {made['speed']:.1f}x real time"
    if "midi" in made:
        notes += f"; {made['midi']}"
    if "stems" in made:
        gain_db = made["stems_gain_db"]
        notes += "; " + ", ".join(made["stems"]) + (f", all {-gain_db:.2f} dB softer" if gain_db else "")
    yield notes
    if made["titles"]:
        yield "Title: " + ", ".join(made["titles"])
    if made["understood"]:
        yield "Understood: " + made["understood"]


def _clip(stream: Stream, engine: str, file: BinaryIO, delivery: ClipFormat, console: Console) -> float:
    """Write the clip to ``file``; how many times faster than real time it went."""
    seconds = stream.request.duration_s
    assert seconds is not None
    with Progress(console, seconds, lambda: stream.tokens_made) as progress:
        for data in ClipMaker(stream, engine, delivery, progress.through).file():
            file.write(data)
    return progress.speed


def _stems(
    folder: Path, engine: Engine, request: Request, format: Format, taken: Mapping[str, Path]
) -> tuple[dict[Path, bytes], float]:
    """The files of the stems by their paths, and their common gain in dB.

    Raises:
        Unsupported: a stem would replace one of the files ``taken`` by other flags.
    """
    stems, gain_db = stem_files(engine, request, format)
    files = {folder / f"{name}{format.suffix}": data for name, data in stems.items()}
    check_distinct([*taken.items(), *(("--stems", path) for path in files)])
    return files, gain_db


@contextmanager
def _opened(output: str) -> Iterator[BinaryIO]:
    """stdout, or a file that appears when it is complete."""
    if output == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with replacing(Path(output)) as file:
        yield file
