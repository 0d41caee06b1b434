"""Tasks that only a Riffusion checkpoint can do: between two prompts, and audio to audio."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ...blocks import ClipFormat
from ...codecs import Tags, encode, format_named, read
from ...engines.base import Engine
from ...engines.riffusion.batch_file import Entry, clips_of
from ...engines.riffusion.clip_options import DenoisingConfig, MagicMix, PromptInput, check_image_name
from ...engines.riffusion.options import RiffusionOptions
from ...engines.riffusion.schedulers import short_name
from ...errors import CheckpointError, LullwaveError
from ...options import build, option
from ...prompt import MAX_PROMPT_CHARS
from ...request import random_seed
from ...spectrogram.image import save
from ...storage.atomic_files import replacing
from ..engine_pool import EnginePool
from ..riffusion_service import INSTALL
from .file_tasks import SoundField
from .task import Task, call, fields_of, only
from .work import Work

if TYPE_CHECKING:
    from ...engines.riffusion.engine import RiffusionEngine
    from ...engines.riffusion.tasks import Clip

ENGINE = "riffusion"
MAKING = ("preset", "steps", "scheduler", "guidance")  # how the images are denoised
DRAWN = {"seed": {"default": None, "optional": True, "doc": "seed of the noise; leave empty for a new one", "low": 0}}


@dataclass(frozen=True)
class InterpolationFields:
    """The way between two prompts."""

    start: str = option("", "prompt at the beginning", max_length=MAX_PROMPT_CHARS)
    end: str = option("", "prompt at the end", max_length=MAX_PROMPT_CHARS)
    clips: int = option(5, "number of clips of 5.12 s", low=2, high=40)
    power: float = option(1.0, "curve of the change: above 1 stays near the start for longer", low=0.05, high=20)
    end_seed: int | None = option(None, "seed at the end; empty: the same", low=0, high=2**63 - 1)


@dataclass(frozen=True)
class TransformFields:
    """Which part of a track is repainted, and towards what."""

    end: str | None = option(None, "prompt at the end of the track, if it should change", max_length=MAX_PROMPT_CHARS)
    start_s: float = option(0.0, "where to begin in the file", low=0, high=36000, unit="seconds")
    seconds: float | None = option(None, "length; empty: to the end", low=1, high=600, unit="seconds")
    magic_mix: bool = option(False, "mix the layout of the audio with the content of the prompt")


def riffusion_tasks(engines: EnginePool) -> list[Task]:
    """Interpolation and audio to audio."""

    def lacking() -> LullwaveError | None:
        try:
            engines.check_installed(ENGINE)
        except CheckpointError as error:
            return CheckpointError(f"{error}. To install a checkpoint: {INSTALL}")
        except LullwaveError as error:
            return error
        return None

    making = fields_of(RiffusionOptions, *MAKING)
    images = fields_of(RiffusionOptions, "seed_image", "mask_image")
    delivery = fields_of(ClipFormat, "format")
    return [
        Task(
            "interpolate",
            "one long clip from one prompt to another",
            [
                *fields_of(InterpolationFields, "start", "end", "clips", "power"),
                *fields_of(PromptInput, "seed", **DRAWN),
                *fields_of(InterpolationFields, "end_seed"),
                *fields_of(PromptInput, "negative_prompt", "denoising"),
                *images,
                *making,
                *delivery,
            ],
            _interpolate,
            _python_interpolate,
            check=_check_interpolation,
            lacking=lacking,
        ),
        Task(
            "transform",
            "a track is repainted towards a prompt (audio to audio)",
            [
                *fields_of(SoundField),
                *fields_of(PromptInput, "prompt", prompt={"max_length": MAX_PROMPT_CHARS}),
                *fields_of(TransformFields),
                *fields_of(PromptInput, "negative_prompt", "seed", "denoising", **DRAWN, denoising={"default": 0.55}),
                *fields_of(MagicMix),
                *making,
                *delivery,
            ],
            _transform,
            _python_transform,
            files={"audio": "audio"},
            check=_check_transform,
            lacking=lacking,
        ),
    ]


def make_batch_clip(
    report: Callable[[float], None], engine: Engine, entry: Entry, seed: int, params: Mapping[str, Any], path: Path
) -> None:
    """Write one clip of a batch, as ``lullwave riff batch`` does."""
    from ...engines.riffusion.tasks import text_to_audio

    one = Entry(entry.prompt, entry.negative_prompt, seed)
    clip = next(clips_of(params, "", [one], 1))
    made = text_to_audio(cast("RiffusionEngine", engine), clip.end, clip.seconds, clip.config, report)
    _write(made, clip.end.tags(), path)


def _config(values: Mapping[str, Any]) -> tuple[DenoisingConfig, float]:
    """How images are denoised, and the guidance that goes with it."""
    chosen = build(RiffusionOptions, {name: values[name] for name in MAKING}).chosen
    named = None if chosen.scheduler is None else short_name(chosen.scheduler)
    return DenoisingConfig(chosen.steps, named), chosen.guidance


def _check_interpolation(values: dict[str, Any]) -> None:
    if values["seed"] is None:
        values["seed"] = random_seed()
    _ends(values, _config(values)[1])
    check_image_name("seed_image", values["seed_image"])
    if values["mask_image"]:
        check_image_name("mask_image", values["mask_image"])


def _ends(values: Mapping[str, Any], guidance: float) -> tuple[PromptInput, PromptInput]:
    rest = (values["negative_prompt"], values["denoising"], guidance)
    end_seed = values["seed"] if values["end_seed"] is None else values["end_seed"]
    return PromptInput(values["start"], values["seed"], *rest), PromptInput(values["end"], end_seed, *rest)


def _interpolate(work: Work) -> None:
    from ...engines.riffusion.tasks import between_prompts

    values = work.values
    config, guidance = _config(values)
    start, end = _ends(values, guidance)
    engine = cast("RiffusionEngine", work.engine(ENGINE))
    images = (values["seed_image"], values["mask_image"] or None)
    made = between_prompts(engine, start, end, values["clips"], values["power"], *images, config, work.report)
    _write(made, start.tags_to(end), _sound(work), work.add("clip.png"))


def _check_transform(values: dict[str, Any]) -> None:
    if values["seed"] is None:
        values["seed"] = random_seed()
    _track_ends(values, _config(values)[1])
    _mix(values)


def _track_ends(values: Mapping[str, Any], guidance: float) -> tuple[PromptInput, PromptInput | None]:
    rest = (values["seed"], values["negative_prompt"], values["denoising"], guidance)
    return PromptInput(values["prompt"], *rest), PromptInput(values["end"], *rest) if values["end"] else None


def _mix(values: Mapping[str, Any]) -> MagicMix | None:
    mix: MagicMix = build(MagicMix, only(values, MagicMix))
    return mix if values["magic_mix"] else None


def _transform(work: Work) -> None:
    from ...engines.riffusion.tasks import audio_to_audio

    values = work.values
    config, guidance = _config(values)
    start, end = _track_ends(values, guidance)
    sound = read(work.inputs["audio"])
    engine = cast("RiffusionEngine", work.engine(ENGINE))
    part = (values["start_s"], values["seconds"])
    made = audio_to_audio(engine, sound, start, end, *part, _mix(values), config, work.report)
    _write(made, start.tags_to(end or start), _sound(work), work.add("clip.png"))


def _sound(work: Work) -> Path:
    return work.add(f"clip{format_named(work.values['format']).suffix}")


def _write(made: Clip, tags: Tags, sound: Path, image: Path | None = None) -> None:
    """Write the sound, and its image if it is wanted."""
    from ...engines.riffusion.spectrogram_converter import SpectrogramConverter

    with replacing(sound) as file:
        file.write(encode(made.audio, format_named(sound.suffix.removeprefix(".")).name, tags=tags))
    if image is not None:
        with replacing(image) as file:
            save(made.image, file, "PNG", SpectrogramConverter().exif(), tags)


_IMPORTS = """from lullwave import Audio, load_engine
from lullwave.engines.riffusion.clip_options import DenoisingConfig, MagicMix, PromptInput
from lullwave.engines.riffusion.tasks import audio_to_audio, between_prompts

"""


def _python_interpolate(values: Mapping[str, Any]) -> str:
    config, guidance = _config(values)
    start, end = _ends(values, guidance)
    images = {"seed_image": values["seed_image"], "mask_image": values["mask_image"] or None}
    made = call("between_prompts", start, end, values["clips"], values["power"], **images, config=config)
    return _program(made, values)


def _python_transform(values: Mapping[str, Any]) -> str:
    config, guidance = _config(values)
    start, end = _track_ends(values, guidance)
    part = {"start_s": values["start_s"], "seconds": values["seconds"], "mix": _mix(values), "config": config}
    made = call("audio_to_audio", start, end, **part)
    return _program(made.replace("audio_to_audio(", 'audio_to_audio(Audio.load("sound.wav"), '), values)


def _program(made: str, values: Mapping[str, Any]) -> str:
    inside = made.replace("(", "(engine, ", 1)
    return (
        f'{_IMPORTS}with load_engine("riffusion") as engine:\n    clip = {inside}\n'
        f'clip.audio.save("clip.{values["format"]}")\nclip.image.save("clip.png")\n'
    )
