"""``lullwave riff``: a group of commands, one for each of Riffusion's tasks on files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ...codecs import FORMAT_NAMES, Tags, encode, format_of, read, read_tags, write
from ...engines import load_engine
from ...engines.riffusion.clip_options import DenoisingConfig, MagicMix, PromptInput
from ...engines.riffusion.options import DEFAULT_CHECKPOINT, RiffusionLoadOptions, RiffusionOptions
from ...engines.riffusion.schedulers import short_name
from ...errors import InvalidInput
from ...options import build
from ...spectrogram.image import save
from ...storage.atomic_files import replacing, write_bytes
from ..flags import FlagGroup, Force, Quiet, Seconds, Words, called, with_flags
from ..outputs import check_file, check_folder, next_free
from ..parsing import WordCommand, prompt_of

if TYPE_CHECKING:
    from ...engines.riffusion.engine import RiffusionEngine
    from ...engines.riffusion.tasks import Clip

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

Output = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="FILE", help="File to write.  [default: riff.mp3, or riff-2.mp3 and so on]"),
]
Negative = Annotated[str | None, typer.Option("--negative", metavar="TEXT", help="What to avoid.")]
Seed = Annotated[int, typer.Option("--seed", metavar="NUMBER", help="Random seed of the noise.")]
Denoising = Annotated[
    float, typer.Option("--denoising", metavar="NUMBER", help="How far the image is repainted, 0 to 1.")
]
WithImage = Annotated[bool, typer.Option("--image", help="Also write the spectrogram as PNG, beside the audio.")]
LOADING = FlagGroup(
    "load_options",
    RiffusionLoadOptions,
    ("checkpoint", "lora", "device", "dtype", "compiled", "seed_images", "offline"),
)
MAKING = FlagGroup("options", RiffusionOptions, ("preset", "steps", "scheduler", "guidance"))


def _command(*groups: FlagGroup) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add a function to the group, with the flags of ``groups`` beside its own."""

    def add(function: Callable[..., None]) -> Callable[..., None]:
        return app.command(function.__name__, cls=WordCommand)(with_flags(function, groups))

    return add


@app.callback()
def riff() -> None:
    """Riffusion's tasks on files: text, batch, interpolate, transform, stems."""


@_command(LOADING, MAKING)
def text(
    words: Words,
    output: Output = None,
    seconds: Seconds = 5.12,
    negative: Negative = None,
    seed: Seed = 0,
    loop: Annotated[bool, typer.Option("--loop", help="Make the end lead into the beginning.")] = False,
    image: WithImage = False,
    force: Force = False,
    quiet: Quiet = False,
    *,
    load_options: dict[str, Any],
    options: dict[str, Any],
) -> None:
    """Turn text into audio of any length."""
    config, guidance = _config(options, loop)
    prompt = prompt_of(words)
    end = PromptInput(prompt, seed, negative, guidance=guidance)
    path = _checked(output, image, force)
    with _engine(load_options) as engine, _bar(prompt or path.name, quiet) as progress:
        from ...engines.riffusion.tasks import text_to_audio

        _write(text_to_audio(engine, end, seconds, config, progress), end.tags(), path, image, quiet)


@_command(LOADING, MAKING)
def interpolate(
    start: Annotated[str, typer.Argument(metavar="START", help="Prompt at the beginning.")],
    end: Annotated[str, typer.Argument(metavar="END", help="Prompt at the end.")],
    output: Output = None,
    clips: Annotated[int, typer.Option(metavar="NUMBER", help="Number of clips of 5.12 s.")] = 5,
    power: Annotated[
        float, typer.Option(metavar="NUMBER", help="Curve of the change: above 1 stays near the start for longer.")
    ] = 1.0,
    seed: Seed = 0,
    end_seed: Annotated[int | None, typer.Option(metavar="NUMBER", help="Seed at the end; default: the same.")] = None,
    negative: Negative = None,
    denoising: Denoising = 0.75,
    seed_image: Annotated[
        str, typer.Option(metavar="TEXT", help="Spectrogram image that every clip starts from.")
    ] = "og_beat",
    mask_image: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Image whose white parts are repainted.")
    ] = None,
    image: WithImage = False,
    force: Force = False,
    quiet: Quiet = False,
    *,
    load_options: dict[str, Any],
    options: dict[str, Any],
) -> None:
    """Move from one prompt to another in one long clip."""
    config, guidance = _config(options)
    first = PromptInput(start, seed, negative, denoising, guidance)
    last = PromptInput(end, seed if end_seed is None else end_seed, negative, denoising, guidance)
    path = _checked(output, image, force)
    with _engine(load_options) as engine, _bar(f"{start} to {end}", quiet) as progress:
        from ...engines.riffusion.tasks import between_prompts

        made = between_prompts(engine, first, last, clips, power, seed_image, mask_image, config, progress)
        _write(made, first.tags_to(last), path, image, quiet)


@_command(LOADING, MAKING)
def transform(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Audio file to start from.")],
    words: Words,
    output: Output = None,
    end: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Prompt at the end of the track, if it should change.")
    ] = None,
    start_s: Annotated[
        float, typer.Option("--start", metavar="SECONDS", help="Where to begin in the file, in seconds.")
    ] = 0.0,
    seconds: Annotated[
        float | None, typer.Option("--seconds", "-s", metavar="SECONDS", help="Length; default: to the end.")
    ] = None,
    negative: Negative = None,
    seed: Seed = 0,
    denoising: Denoising = 0.55,
    magic_mix: Annotated[
        bool, typer.Option("--magic-mix", help="Mix the layout of the audio with the content of the prompt.")
    ] = False,
    kmin: Annotated[
        float, typer.Option(metavar="NUMBER", help="Magic Mix: share of the steps without layout, at the end.")
    ] = 0.3,
    kmax: Annotated[float, typer.Option(metavar="NUMBER", help="Magic Mix: noise level to start from.")] = 0.5,
    mix_factor: Annotated[float, typer.Option(metavar="NUMBER", help="Magic Mix: share of the prompt.")] = 0.5,
    image: WithImage = False,
    force: Force = False,
    quiet: Quiet = False,
    *,
    load_options: dict[str, Any],
    options: dict[str, Any],
) -> None:
    """Repaint a track towards a prompt, or from one prompt to another (audio to audio)."""
    config, guidance = _config(options)
    prompt = prompt_of(words)
    mix = MagicMix(kmin, kmax, mix_factor) if magic_mix else None
    first = PromptInput(prompt, seed, negative, denoising, guidance)
    last = None if end is None else PromptInput(end, seed, negative, denoising, guidance)
    path = _checked(output, image, force)
    sound = read(file)
    with _engine(load_options) as engine, _bar(file.name, quiet) as progress:
        from ...engines.riffusion.tasks import audio_to_audio

        made = audio_to_audio(engine, sound, first, last, start_s, seconds, mix, config, progress)
        _write(made, first.tags_to(last or first), path, image, quiet)


@_command(LOADING)
def batch(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help='JSON: {"params": {…} or […], "entries": [{"prompt": …}, …]}.')
    ],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder for the clips and index.json.")],
    seeds: Annotated[
        int, typer.Option(metavar="NUMBER", help="Clips per entry, each with the next seed.", min=1, max=1000)
    ] = 1,
    format: Annotated[str, typer.Option(metavar="TEXT", help=f"{FORMAT_NAMES}.")] = "mp3",
    force: Force = False,
    quiet: Quiet = False,
    *,
    load_options: dict[str, Any],
) -> None:
    """Make a clip of each prompt in a JSON file with each set of parameters.

    Run it again to resume or after a change: clips that index.json lists and that would not change are kept.
    """
    from ...engines.riffusion.batch_file import read_batch
    from ...engines.riffusion.tasks import text_to_audio
    from ..riff_batch import plan

    try:
        sets, entries = read_batch(file.read_text("utf-8-sig"))
    except UnicodeDecodeError:
        raise InvalidInput("file", str(file), "a JSON file in UTF-8") from None
    checkpoint = load_options.get("checkpoint", DEFAULT_CHECKPOINT)
    known = _read_index(folder / "index.json")
    offline = bool(load_options.get("offline"))
    planned = plan(sets, entries, seeds, folder, format, checkpoint, known, force, offline)
    folder.mkdir(parents=True, exist_ok=True)
    left = sum(len(one.left) for one in planned)
    with _bar(file.name, quiet) as progress:
        made = 0
        for one in planned:
            if not one.left:
                continue
            with _engine({**load_options, "checkpoint": one.checkpoint}) as engine:
                for clip in one.left:
                    sound = text_to_audio(engine, clip.end, clip.seconds, clip.config)
                    _write(sound, clip.end.tags(), clip.path, True, quiet)
                    known[clip.path.name] = dict(clip.indexed)
                    _write_index(folder, [*known.values()])  # after an interruption the next run resumes here
                    made += 1
                    progress(made / left)
    index = [dict(clip.indexed) for one in planned for clip in one.clips]
    _write_index(folder, index)
    if not quiet:
        typer.echo(f"{folder}: {len(index)} clips and index.json")


@_command()
def stems(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Audio file of the mix.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder for the stems.")],
    keep: Annotated[
        str, typer.Option(metavar="TEXT", help="Also write a mix of these stems, such as drums,bass:-6 (dB).")
    ] = "",
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Split a mix into drums, bass, vocals, guitar, piano and other (needs the extra stems)."""
    check_folder(folder, "folder", force)
    from ...engines.riffusion.stems import mix_stems, parse_levels, split

    levels = parse_levels(keep, "--keep")
    found, tags = split(read(file)), read_tags(file)
    folder.mkdir(parents=True, exist_ok=True)
    for name, audio in found.items():
        write(folder / f"{name}.wav", audio, tags=replace(tags, title=f"{tags.title} ({name})"))
    if levels:
        said = replace(tags, title=f"{tags.title} ({', '.join(levels)})")
        write(folder / "mix.wav", mix_stems(found, levels), tags=said)
    if not quiet:
        typer.echo(f"{folder}: {', '.join(found)}")


def _config(options: dict[str, Any], loop: bool = False) -> tuple[DenoisingConfig, float]:
    """How clips are made, and the guidance that goes with it."""
    with called({"preset": "--preset", "steps": "--steps", "scheduler": "--scheduler", "guidance": "--guidance"}):
        chosen = build(RiffusionOptions, options).chosen
        named = None if chosen.scheduler is None else short_name(chosen.scheduler)
        return DenoisingConfig(chosen.steps, named, loop), chosen.guidance


def _checked(output: str | None, image: bool, force: bool) -> Path:
    """The audio file to write: ``output``, or the next free name. With ``image``, a PNG beside it must be free, too."""
    path = next_free(Path("riff.mp3"), ".png") if output is None else Path(output)
    format_of(path)
    check_file(path, force=force)
    if image:
        check_file(path.with_suffix(".png"), "--image", force)
    return path


@contextmanager
def _engine(load_options: dict[str, Any]) -> Iterator[RiffusionEngine]:
    loaded: Any = load_engine("riffusion", **load_options)
    with loaded as engine:
        yield engine


@contextmanager
def _bar(what: str, quiet: bool) -> Iterator[Callable[[float], None]]:
    """A progress bar from 0 to 1, shown on a terminal only."""
    console = Console(stderr=True, quiet=quiet)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(what[:40], total=1.0)
        yield lambda share: bars.update(task, completed=share)


def _write(made: Clip, tags: Tags, path: Path, image: bool, quiet: bool) -> None:
    """Write the audio, and its image beside it; neither appears before both are complete."""
    from ...engines.riffusion.spectrogram_converter import SpectrogramConverter

    with ExitStack() as written:
        written.enter_context(replacing(path)).write(encode(made.audio, format_of(path).name, tags=tags))
        if image:
            file = written.enter_context(replacing(path.with_suffix(".png")))
            save(made.image, file, "PNG", SpectrogramConverter().exif(), tags)
    if not quiet:
        typer.echo(f"{path}: {made.audio.duration_s:.2f} s")


def _read_index(path: Path) -> dict[str, dict[str, Any]]:
    """The entries of an earlier run's index by file name; empty if there is no readable index."""
    try:
        return {one["file"]: one for one in json.loads(path.read_text("utf-8"))}
    except (OSError, ValueError, RecursionError, TypeError, KeyError):
        return {}


def _write_index(folder: Path, index: list[dict[str, Any]]) -> None:
    write_bytes(folder / "index.json", json.dumps(index, indent=1, ensure_ascii=False).encode())
