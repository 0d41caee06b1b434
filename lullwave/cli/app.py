"""The program ``lullwave``: which commands there are; imports none of them before it is asked for."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from .. import __version__
from .exit_codes import insist_on_interrupts
from .lazy import LazyGroup

# name → (module, summary). A new command is a module and a line here.
COMMANDS = {
    "serve": ("lullwave.cli.serve", "Play endless music in the browser: the radio and its API."),
    "inference": ("lullwave.cli.inference", "Make music for other machines, over websockets."),
    "generate": ("lullwave.cli.generate", "Make one clip: a file, or bytes on stdout."),
    "riff": ("lullwave.cli.riff", "Riffusion's tasks on files: text, batches, between prompts, audio to audio, stems."),
    "models": ("lullwave.cli.models", "Model weights on this machine: list, pull, path, remove."),
    "replay": ("lullwave.cli.replay", "Make a moment that was on air again, to the sample."),
    "audio-to-image": ("lullwave.cli.audio_to_image", "Make the spectrogram image of a sound."),
    "image-to-audio": ("lullwave.cli.image_to_audio", "Make the sound of a spectrogram image."),
    "sample-clips": ("lullwave.cli.sample_clips", "Cut clips out of a sound, from random places."),
    "print-exif": ("lullwave.cli.print_exif", "Print the spectrogram parameters in an image's tags."),
    "audio-to-images-batch": ("lullwave.cli.audio_to_images_batch", "Make the images of a folder of sounds."),
    "sample-clips-batch": ("lullwave.cli.sample_clips_batch", "Cut clips out of a folder of sounds."),
    "engines": ("lullwave.cli.engines", "List what can make music here, and with which options."),
}


class _Commands(LazyGroup):
    table = COMMANDS


app = typer.Typer(cls=_Commands, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"lullwave {__version__}")
        raise typer.Exit


@app.callback()
def lullwave(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more; show where an error came from.")] = False,
) -> None:
    """Endless, cosy, self-hosted generative music."""
    level = logging.DEBUG if verbose else logging.WARNING
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname)s %(name)s: %(message)s")


def run() -> None:
    """Parse the command line and run what it asks for."""
    insist_on_interrupts()
    app(prog_name="lullwave")
