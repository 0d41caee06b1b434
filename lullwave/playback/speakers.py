"""Plays blocks on this machine's speakers, by the package ``sounddevice`` (extra ``play``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..audio import Audio
from ..errors import InvalidInput, LullwaveError, MissingExtra


class NoSpeakers(LullwaveError):
    """There is no device to play sound on, or it cannot be used."""


def open_speakers(rate: int, channels: int, device: str | None = None) -> Any:
    """Open an output stream of ``sounddevice``. ``device``: part of its name, or its number; None: the default.

    Raises:
        MissingExtra: ``sounddevice`` is not installed.
        NoSpeakers: its library PortAudio is not, or there is no output device.
        InvalidInput: there is no device of that name.
    """
    try:
        import sounddevice
    except ModuleNotFoundError as error:
        raise MissingExtra("lullwave play", "play", error.name or "sounddevice") from None
    except OSError as error:
        raise NoSpeakers(
            f"{error}; install it, on Debian and Ubuntu with: sudo apt-get install libportaudio2"
        ) from None
    chosen: int | str | None = int(device) if device is not None and device.isdigit() else device
    try:
        found = [one["name"] for one in sounddevice.query_devices() if one["max_output_channels"] > 0]
        if not found:
            raise NoSpeakers("this machine has no sound output; --to icecast://… sends the music elsewhere")
        if chosen is not None:
            try:
                sounddevice.query_devices(chosen, "output")
            except ValueError:
                raise InvalidInput("speakers", device, "one of " + ", ".join(found)) from None
        return sounddevice.OutputStream(
            samplerate=rate, channels=channels, dtype="float32", device=chosen, latency="high"
        )
    except sounddevice.PortAudioError as error:
        raise NoSpeakers(f"the sound output cannot be used: {error}") from None


def play(blocks: Iterable[Audio], device: str | None = None) -> int:
    """Play blocks to their end; how many times the speakers had to wait for the next one.

    Raises:
        see ``open_speakers``
    """
    speakers: Any = None
    waits = 0
    try:
        for block in blocks:
            if speakers is None:
                speakers = open_speakers(block.rate, block.channels, device)
                speakers.start()
            waits += bool(speakers.write(block.samples.clip(-1.0, 1.0)))
        if speakers is not None:
            speakers.stop()  # plays what it holds
    finally:
        if speakers is not None:
            speakers.close()
    return waits
