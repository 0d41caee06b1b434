"""``lullwave riff``: Riffusion's tasks on files: text, batches, between prompts, audio to audio, stems."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..codecs import decode, format_of, write, write_bytes
from ..device import DTYPES
from ..engines import load_engine
from ..engines.riffusion.denoising import Mix, Plan
from ..engines.riffusion.interpolation import End
from ..engines.riffusion.options import DEFAULT_CHECKPOINT, PRESETS
from ..engines.riffusion.schedulers import scheduler_names, short_name
from ..errors import InvalidInput
from .outputs import check_file, check_folder

if TYPE_CHECKING:
    from ..engines.riffusion.engine import RiffusionEngine
    from ..engines.riffusion.tasks import Piece

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Riffusion's tasks on files: text, batches, between prompts, audio to audio, stems.",
)

Output = Annotated[str, typer.Option("--output", "-o", help="The sound file to make.")]
Checkpoint = Annotated[str, typer.Option(help="A directory in diffusers format, or a name on the hub.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
Dtype = Annotated[str, typer.Option(help="Precision: " + ", ".join(DTYPES) + ".")]
Lora = Annotated[str, typer.Option(help="LoRA files to blend in: FILE:WEIGHT, split by commas.")]
Preset = Annotated[str, typer.Option(help="Steps, scheduler and guidance together: " + ", ".join(PRESETS) + ".")]
Steps = Annotated[int | None, typer.Option(help="Denoising steps; the preset's if absent.")]
Scheduler = Annotated[str | None, typer.Option(help="One of " + ", ".join(scheduler_names()) + ".")]
Guidance = Annotated[float | None, typer.Option(help="How closely the prompt is followed; the preset's if absent.")]
Negative = Annotated[str | None, typer.Option("--negative", help="What to avoid.")]
Seed = Annotated[int, typer.Option(help="Seed of the noise.")]
Denoising = Annotated[float, typer.Option(help="How far the image is repainted, 0 to 1.")]
Picture = Annotated[bool, typer.Option("--image", help="Write the spectrogram beside the sound, as PNG.")]


@app.command()
def text(
    prompt: Annotated[str, typer.Argument(help="What it should sound like.")],
    output: Output = "riff.mp3",
    seconds: Annotated[float, typer.Option("--seconds", "-s", help="Length.")] = 5.12,
    negative: Negative = None,
    seed: Seed = 0,
    loop: Annotated[bool, typer.Option("--loop", help="Let its end meet its beginning.")] = False,
    image: Picture = False,
    preset: Preset = "balanced",
    steps: Steps = None,
    scheduler: Scheduler = None,
    guidance: Guidance = None,
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    lora: Lora = "",
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Text to audio, of any length."""
    plan, followed = _plan(preset, steps, scheduler, guidance, loop)
    end = End(prompt, seed, negative, guidance=followed)
    _checked(output)
    with _engine(checkpoint, device, lora, dtype) as engine, _bar(prompt or output) as progress:
        from ..engines.riffusion.tasks import text_to_audio

        _written(text_to_audio(engine, end, seconds, plan, progress), Path(output), image)


@app.command()
def interpolate(
    start: Annotated[str, typer.Argument(help="The prompt that it begins with.")],
    end: Annotated[str, typer.Argument(help="The prompt that it ends with.")],
    output: Output = "riff.mp3",
    clips: Annotated[int, typer.Option(help="Tiles of 5.12 s.")] = 5,
    power: Annotated[float, typer.Option(help="Alpha power: above 1 stays near the start for longer.")] = 1.0,
    seed: Seed = 0,
    end_seed: Annotated[int | None, typer.Option(help="Seed at the end; the same if absent.")] = None,
    negative: Negative = None,
    denoising: Denoising = 0.75,
    seed_image: Annotated[str, typer.Option(help="The spectrogram that all tiles begin from.")] = "og_beat",
    mask_image: Annotated[str | None, typer.Option(help="What to repaint.")] = None,
    image: Picture = False,
    preset: Preset = "balanced",
    steps: Steps = None,
    scheduler: Scheduler = None,
    guidance: Guidance = None,
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    lora: Lora = "",
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """One long clip from one prompt to another."""
    plan, followed = _plan(preset, steps, scheduler, guidance)
    first = End(start, seed, negative, denoising, followed)
    last = End(end, seed if end_seed is None else end_seed, negative, denoising, followed)
    _checked(output)
    with _engine(checkpoint, device, lora, dtype) as engine, _bar(f"{start} to {end}") as progress:
        from ..engines.riffusion.tasks import between_prompts

        made = between_prompts(engine, first, last, clips, power, seed_image, mask_image, plan, progress)
        _written(made, Path(output), image)


@app.command()
def transform(
    file: Annotated[Path, typer.Argument(help="The sound to work on.")],
    prompt: Annotated[str, typer.Argument(help="What it should sound like.")],
    output: Output = "riff.mp3",
    end: Annotated[str | None, typer.Option(help="The prompt at the end of the track, if another.")] = None,
    start_s: Annotated[float, typer.Option("--start", help="Where to begin, in seconds.")] = 0.0,
    seconds: Annotated[float | None, typer.Option("--seconds", "-s", help="How much of it.")] = None,
    negative: Negative = None,
    seed: Seed = 0,
    denoising: Denoising = 0.55,
    magic_mix: Annotated[bool, typer.Option("--magic-mix", help="Layout from the sound, matter from words.")] = False,
    kmin: Annotated[float, typer.Option(help="Of Magic Mix: until here layout is mixed in.")] = 0.3,
    kmax: Annotated[float, typer.Option(help="Of Magic Mix: where noise begins.")] = 0.5,
    mix_factor: Annotated[float, typer.Option(help="Of Magic Mix: share of the words.")] = 0.5,
    image: Picture = False,
    preset: Preset = "balanced",
    steps: Steps = None,
    scheduler: Scheduler = None,
    guidance: Guidance = None,
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    lora: Lora = "",
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Audio to audio: a whole track, repainted towards a prompt, or from one prompt to another."""
    plan, followed = _plan(preset, steps, scheduler, guidance)
    mix = Mix(kmin, kmax, mix_factor) if magic_mix else None
    first = End(prompt, seed, negative, denoising, followed)
    last = None if end is None else End(end, seed, negative, denoising, followed)
    _checked(output)
    sound = decode(file)
    with _engine(checkpoint, device, lora, dtype) as engine, _bar(file.name) as progress:
        from ..engines.riffusion.tasks import audio_to_audio

        made = audio_to_audio(engine, sound, first, last, start_s, seconds, mix, plan, progress)
        _written(made, Path(output), image)


@app.command()
def batch(
    file: Annotated[Path, typer.Argument(help='JSON: {"params": {…} or […], "entries": [{"prompt": …}, …]}.')],
    folder: Annotated[Path, typer.Argument(help="Where the clips and index.json go.")],
    seeds: Annotated[int, typer.Option(help="Clips per entry, each with the next seed.", min=1, max=1000)] = 1,
    format: Annotated[str, typer.Option(help="wav, flac, mp3, ogg or opus.")] = "mp3",
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    lora: Lora = "",
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Many prompts from a JSON file, each with every set of parameters; what is there and unchanged is kept."""
    from ..engines.riffusion.tasks import read_batch, text_to_audio

    try:
        sets, entries = read_batch(file.read_text("utf-8-sig"))
    except UnicodeDecodeError:
        raise InvalidInput("file", str(file), "a JSON file in UTF-8") from None
    names = [_plain(str(params.get("name", f"set{number}"))) for number, params in enumerate(sets)]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InvalidInput(f"params[{number}].name", name, "a name of its own for each set: files are called by it")
    check_folder(folder, "folder")
    format_of(f"x.{format}")
    folder.mkdir(parents=True, exist_ok=True)
    index: list[dict[str, Any]] = []
    known = _read_index(folder / "index.json")
    total = len(sets) * len(entries) * seeds
    with _bar(file.name) as progress:
        for number, params in enumerate(sets):
            plan = Plan(params.get("num_inference_steps", 50), params.get("scheduler"))
            whole = {"checkpoint": checkpoint, **params, "name": params.get("name", f"set{number}")}
            with _engine(params.get("checkpoint", checkpoint), device, lora, dtype) as engine:
                for n, entry in enumerate(entries):
                    for seed in range(entry.seed, entry.seed + seeds):
                        end = End(entry.prompt, seed, entry.negative_prompt, guidance=params.get("guidance", 7.0))
                        path = folder / f"{names[number]}-{n:03d}-{seed}.{format}"
                        said: dict[str, Any] = {"file": path.name, "prompt": entry.prompt}
                        said |= {"negative_prompt": entry.negative_prompt, "seed": seed, "params": whole}
                        if not path.exists() or known.get(path.name) != said:
                            made = text_to_audio(engine, end, params.get("width", 512) / 100, plan)
                            _written(made, path, True)
                            known[path.name] = said
                            _write_index(folder, [*known.values()])  # what is broken off goes on from here
                        index.append(said)
                        progress(len(index) / total)
    _write_index(folder, index)
    typer.echo(f"{folder}: {len(index)} clips and index.json")


@app.command()
def stems(
    file: Annotated[Path, typer.Argument(help="The mix.")],
    folder: Annotated[Path, typer.Argument(help="Where the stems go.")],
    keep: Annotated[str, typer.Option(help="Stems to mix again, such as drums,bass:-6.")] = "",
) -> None:
    """Split a mix into drums, bass, vocals, guitar, piano and other (needs the extra stems)."""
    from ..engines.riffusion.stems import recombined, split

    check_folder(folder, "folder")
    found = split(decode(file))
    folder.mkdir(parents=True, exist_ok=True)
    for name, audio in found.items():
        write(folder / f"{name}.wav", audio)
    if keep:
        levels = {}
        for part in keep.split(","):
            name, _, level = part.strip().partition(":")
            try:
                levels[name] = float(level or 0.0)
            except ValueError:
                raise InvalidInput("--keep", part, "STEM or STEM:DECIBELS") from None
        write(folder / "mix.wav", recombined(found, levels))
    typer.echo(f"{folder}: {', '.join(found)}")


def _plan(
    preset: str, steps: int | None, scheduler: str | None, guidance: float | None, loop: bool = False
) -> tuple[Plan, float]:
    """How clips are made, and the guidance that goes with it."""
    if preset not in PRESETS:
        raise InvalidInput("--preset", preset, "one of " + ", ".join(PRESETS))
    base = PRESETS[preset]
    named = base.scheduler if scheduler is None else short_name(scheduler)
    return Plan(base.steps if steps is None else steps, named, loop), base.guidance if guidance is None else guidance


def _checked(output: str) -> None:
    format_of(output)
    check_file(Path(output))


@contextmanager
def _engine(checkpoint: str, device: str, lora: str, dtype: str) -> Iterator[RiffusionEngine]:
    loaded: Any = load_engine("riffusion", checkpoint=checkpoint, device=device, lora=lora, dtype=dtype)
    with loaded as engine:
        yield engine


@contextmanager
def _bar(what: str) -> Iterator[Callable[[float], None]]:
    """A progress bar from 0 to 1, on a terminal alone."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(what[:40], total=1.0)
        yield lambda share: bars.update(task, completed=share)


def _written(made: Piece, path: Path, image: bool) -> None:
    write(path, made.audio)
    if image:
        made.image.save(path.with_suffix(".png"))
    typer.echo(f"{path}: {made.audio.duration_s:.2f} s")


def _read_index(path: Path) -> dict[str, dict[str, Any]]:
    """What an earlier run wrote, by file; nothing where there is no index or none that can be read."""
    try:
        return {one["file"]: one for one in json.loads(path.read_text("utf-8"))}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _write_index(folder: Path, index: list[dict[str, Any]]) -> None:
    write_bytes(folder / "index.json", json.dumps(index, indent=1, ensure_ascii=False).encode())


def _plain(name: str) -> str:
    """A name as part of a file's name."""
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in name)[:60] or "clip"
