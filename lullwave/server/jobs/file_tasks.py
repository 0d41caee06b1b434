"""Tasks that need no engine: spectrogram images and sound, clips out of a sound, and the stems of a mix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from PIL import Image

from ...blocks import ClipFormat
from ...codecs import blocks_of, format_named, read, write
from ...conversions import audio_to_image, image_to_audio
from ...conversions.sample_clips import SampleOptions, cut
from ...engines.riffusion.stems import mix_stems, parse_levels, split
from ...errors import InvalidInput, LullwaveError, MissingExtra
from ...mastering.master import check_levels
from ...options import option
from ...spectrogram import QUALITIES, SpectrogramParams
from ...spectrogram.image import open_image, tags_in
from .task import Task, call, fields_of, only
from .work import Work, draw

MAX_PICTURE_S = 600.0  # seconds of sound of an image
SOUND = "the sound: a file that you dropped, or a result"


@dataclass(frozen=True)
class SoundField:
    """A task that begins with a sound."""

    audio: str = option("", SOUND, max_length=400)


@dataclass(frozen=True)
class PictureFields:
    """An image and how it becomes sound."""

    picture: str = option("", "the spectrogram image: a file that you dropped, or a result", max_length=400)
    quality: str = option("good", "how carefully the phase is found", choices=tuple(QUALITIES))
    loudness_lufs: float | None = option(
        None, "loudness of the whole; empty: the level in the image", low=-40, high=-8, unit="LUFS"
    )


@dataclass(frozen=True)
class ImageFields:
    """The pixels of an image."""

    bits: int = option(8, "8: Riffusion's form; 16 keeps the loudness", choices=(8, 16))


@dataclass(frozen=True)
class StemFields:
    """What is mixed again of the stems."""

    keep: str = option("", "also mix these stems, such as: drums, bass:-6 (dB)", max_length=200)


def file_tasks() -> list[Task]:
    """Image to audio, audio to image, sample clips, stems."""
    return [
        Task(
            "image-to-audio",
            "a spectrogram image, painted or dropped, becomes sound",
            [*fields_of(PictureFields), *fields_of(ClipFormat, "format", format={"default": "wav"})],
            _image_to_audio,
            _python_image_to_audio,
            files={"picture": "image"},
            check=_check_loudness,
        ),
        Task(
            "audio-to-image",
            "sound becomes a spectrogram image that turns back into sound",
            [
                *fields_of(SoundField),
                *fields_of(SpectrogramParams, *audio_to_image.PARAMETERS),
                *fields_of(ImageFields),
            ],
            _audio_to_image,
            lambda values: (
                "from lullwave import Audio, Spectrogram, SpectrogramParams\n\n"
                f"params = {call('SpectrogramParams', **_params(values))}\n"
                'made = Spectrogram.from_audio(Audio.load("sound.wav"), params)\n'
                f'made.to_image(bits={values["bits"]}).save("sound.png", exif=made.exif())\n'
            ),
            files={"audio": "audio"},
            check=lambda values: SpectrogramParams(**_params(values)),
        ),
        Task(
            "sample-clips",
            "clips of one length, cut out of a sound at random places",
            [*fields_of(SoundField), *fields_of(SampleOptions, count={"high": 100})],
            _sample_clips,
            lambda values: (
                (
                    "from pathlib import Path\n\nfrom lullwave.conversions.sample_clips import cut\n\n"
                    + call("cut", *_SOURCE, *(values[name] for name in _CUT))
                    + "\n"
                )
                .replace("'sound.wav'", "Path('sound.wav')")
                .replace("'clips'", "Path('clips')")
            ),
            files={"audio": "audio"},
        ),
        Task(
            "stems",
            "a mix becomes vocals, drums, bass, guitar, piano and other",
            [*fields_of(SoundField), *fields_of(StemFields)],
            _stems,
            lambda values: (
                "from lullwave import Audio\nfrom lullwave.engines.riffusion.stems import split\n\n"
                'for name, sound in split(Audio.load("mix.wav")).items():\n    sound.save(f"{name}.wav")\n'
            ),
            files={"audio": "audio"},
            check=lambda values: parse_levels(values["keep"]),
            lacking=_lacking_separator,
        ),
    ]


_SOURCE = ("sound.wav", "clips")
_CUT = ("count", "duration_ms", "mono", "format", "seed")


def _check_loudness(values: Mapping[str, Any]) -> None:
    if values["loudness_lufs"] is not None:
        check_levels(values["loudness_lufs"])


def _image_to_audio(work: Work) -> None:
    values, source = work.values, work.inputs["picture"]
    sound = work.add(f"sound{format_named(values['format']).suffix}")
    picture = open_image(source)
    check_length(picture, "picture")
    watch = work.watched(picture.width / 100)
    image_to_audio.convert(
        picture, source, sound, values["quality"], loudness_lufs=values["loudness_lufs"], watch=watch
    )
    draw(sound, work.add("sound.png"), work.report)


def check_length(picture: Image.Image, field: str) -> None:
    """Refuse an image with more sound than a job may make; its tags tell how long a column is.

    Raises:
        InvalidInput: names ``field``.
    """
    params = SpectrogramParams.from_exif(tags_in(picture))
    seconds = params.samples_of(picture.width) / params.rate
    if round(seconds) > MAX_PICTURE_S:
        raise InvalidInput(field, f"an image of {seconds:.0f} s", f"at most {MAX_PICTURE_S:g} seconds of sound")


def _python_image_to_audio(values: Mapping[str, Any]) -> str:
    made = call(".to_audio", values["quality"], loudness_lufs=values["loudness_lufs"])
    return (
        "from PIL import Image\n\nfrom lullwave import Spectrogram\n\n"
        f'sound = Spectrogram.from_image(Image.open("picture.png")){made}\nsound.save("sound.{values["format"]}")\n'
    )


def _params(values: Mapping[str, Any]) -> dict[str, Any]:
    return only(values, SpectrogramParams)


def _audio_to_image(work: Work) -> None:
    values, source = work.values, work.inputs["audio"]
    image = work.add("sound.png")
    seconds = 2 * _seconds(work)  # the sound is read twice
    audio_to_image.convert(source, image, _params(values), values["bits"], watch=work.watched(seconds))


def _seconds(work: Work) -> float:
    total = 0.0
    for block in blocks_of(work.inputs["audio"]):
        work.report(0.0)
        total += block.duration_s
    return total


def _sample_clips(work: Work) -> None:
    values = work.values
    if values["format"] == "wav":
        first = next(blocks_of(work.inputs["audio"]))
        channels = 1 if values["mono"] else first.channels
        work.need(values["count"] * values["duration_ms"] / 1000 * 2 * first.rate * channels)
    seconds = values["count"] * values["duration_ms"] / 1000
    count, duration_ms, mono, format, seed = (values[name] for name in _CUT)
    watch = work.watched(seconds)
    work.made.extend(cut(work.inputs["audio"], work.folder, count, duration_ms, mono, format, seed, watch=watch))


def _stems(work: Work) -> None:
    work.report(0.0)
    found = split(read(work.inputs["audio"]))
    work.report(0.9)
    for name, audio in found.items():
        work.report(0.9)
        write(work.add(f"{name}.wav"), audio)
    if levels := parse_levels(work.values["keep"]):
        write(work.add("mix.wav"), mix_stems(found, levels))


def _lacking_separator() -> LullwaveError | None:
    if find_spec("audio_separator") is not None:
        return None
    return MissingExtra("splitting stems", "stems", "audio_separator")
