"""Sound to a spectrogram image and back, fast and reproducible.

::

    spectrogram = Spectrogram.from_audio(audio)
    spectrogram.to_image().save("loop.png", exif=spectrogram.exif())       # Riffusion's form, 8 bit
    sound = Spectrogram.from_image(Image.open("loop.png")).to_audio()       # quality="best" takes longer

There is no randomness: the same image gives the same samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..audio import Audio, concat
from ..errors import InvalidInput
from . import image as images
from .params import TAGS, SpectrogramParams

__all__ = ["QUALITIES", "TAGS", "Spectrogram", "SpectrogramParams", "analyse", "iterations_of", "synthesise"]

QUALITIES = {"fast": 4, "good": 16, "best": 128}  # iterations

Mel = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Spectrogram:
    """Mel amplitudes (C, F, T) in 16-bit units and their parameters. Do not write to the array."""

    mel: Mel
    params: SpectrogramParams

    def __post_init__(self) -> None:
        wanted = (self.params.channels, self.params.bands)
        if self.mel.ndim != 3 or self.mel.shape[:2] != wanted or self.mel.shape[2] < 1:
            raise InvalidInput("mel", self.mel.shape, f"shape ({wanted[0]}, {wanted[1]}, columns)")
        if self.mel.dtype != np.float32:
            raise InvalidInput("mel", self.mel.dtype, "float32")

    @classmethod
    def from_audio(cls, audio: Audio, params: SpectrogramParams | None = None) -> Spectrogram:
        """The spectrogram of a sound. Default ``params``: at its rate, stereo if it has two channels.

        The sound is resampled to the rate of ``params`` and mixed or copied to its channels.
        """
        params = params or default_params(audio)
        parts = list(analyse([audio], params))
        return cls(np.concatenate(parts, axis=2), params)

    @classmethod
    def from_image(
        cls, image: Image.Image, params: SpectrogramParams | None = None, rounded: bool | None = None
    ) -> Spectrogram:
        """The spectrogram of an image. Default ``params``: from its tags, with defaults for absent tags.

        The amplitude of black is that of ``params``, else 30 million. ``rounded``: whether 8-bit levels were rounded,
        as ours are, or truncated; by default the tags tell.
        """
        if params is None:
            params = SpectrogramParams.from_exif(images.tags_in(image))
        if params.max_value is None:
            params = replace(params, max_value=USUAL_MAX)
        rounded = images.is_rounded(image) if rounded is None else rounded
        return cls(images.from_image(image, params, rounded), params)

    @property
    def columns(self) -> int:
        """T."""
        return int(self.mel.shape[2])

    @property
    def duration_s(self) -> float:
        """Duration of the sound: T - 1 steps."""
        return (self.columns - 1) * self.params.step_ms / 1000

    def with_max(self) -> SpectrogramParams:
        """The parameters with ``max_value`` set: to the loudest amplitude, if none was given."""
        if self.params.max_value is not None:
            return self.params
        return replace(self.params, max_value=float(self.mel.max()) or USUAL_MAX)

    def to_image(self, bits: int = 8) -> Image.Image:
        """An image: 8 bits is Riffusion's form, 16 bits keep the loudness. Save it with ``exif=spectrogram.exif()``."""
        return images.to_image(self.mel, self.with_max(), bits)

    def exif(self) -> Image.Exif:
        """The tags of the image."""
        return images.tags_of(self.with_max())

    def to_audio(
        self, quality: str | int = "fast", device: str | None = None, loudness_lufs: float | None = None
    ) -> Audio:
        """A sound with this spectrogram, at the level that it encodes or at ``loudness_lufs``.

        ``quality`` is a key of ``QUALITIES`` or a number of iterations. With ``device`` (``"cuda"``, ``"cpu"``) the
        iterations run in torch on that device; for a sound longer than one block (15 s) NumPy does it, with a warning.
        """
        if loudness_lufs is not None:
            from ..mastering.offline import at_loudness

            made = self.to_audio(quality, device)
            return concat(list(at_loudness(lambda: [made], loudness_lufs)))
        iterations = iterations_of(quality)
        if device is not None:
            from .torch_backend import fits, invert_all

            if not fits(self.columns, device) or self.columns < 2:
                return self.to_audio(iterations)
            return invert_all([self], iterations, device)[0]
        return concat(list(synthesise([self.mel], self.params, iterations)))


USUAL_MAX = 30e6  # amplitude of black in Riffusion


def default_params(audio: Audio, **wanted: Any) -> SpectrogramParams:
    """Parameters for a sound: ``wanted``, its own rate where ``wanted`` allows it, its own one or two channels.

    Raises:
        InvalidInput: ``wanted`` is not allowed at any rate.
    """
    own = {"stereo": audio.channels == 2, **wanted}
    try:
        return SpectrogramParams(**{"rate": audio.rate, **own})
    except InvalidInput:
        return SpectrogramParams(**own)


def iterations_of(quality: str | int) -> int:
    """The number of iterations of a quality.

    Raises:
        InvalidInput: not a key of ``QUALITIES``, nor a number from 0 to 4096.
    """
    if isinstance(quality, int) and not isinstance(quality, bool) and 0 <= quality <= 4096:
        return quality
    if not isinstance(quality, str) or quality not in QUALITIES:
        raise InvalidInput("quality", quality, f"one of {', '.join(QUALITIES)}, or a number of iterations up to 4096")
    return QUALITIES[quality]


def analyse(blocks: Iterable[Audio], params: SpectrogramParams) -> Iterator[Mel]:
    """Yield (C, F, T') mel amplitudes as blocks of sound arrive, in bounded memory.

    Raises:
        InvalidInput: blocks of different rates, or samples that are not finite.
    """
    import soxr

    from .analysis import FULL_SCALE, Analyser

    analysers = [Analyser(params) for _ in range(params.channels)]
    resampler: Any = None
    rate = 0
    for audio in blocks:
        if not rate:
            rate = audio.rate
            if rate != params.rate:
                resampler = soxr.ResampleStream(rate, params.rate, params.channels, "float32", "VHQ")
        elif audio.rate != rate:
            raise InvalidInput("rate", audio.rate, f"{rate}, as the blocks before")
        if not np.isfinite(audio.samples).all():
            raise InvalidInput("audio", float("nan"), "finite samples")
        samples = audio.to_channels(params.channels).samples
        if resampler is not None:
            samples = resampler.resample_chunk(samples).reshape(-1, params.channels)
        parts = [one.push(np.ascontiguousarray(samples[:, c])) for c, one in enumerate(analysers)]
        if len(parts[0]):
            yield np.stack(parts).transpose(0, 2, 1) * np.float32(FULL_SCALE)
    if resampler is not None:
        rest = resampler.resample_chunk(np.zeros((0, params.channels), np.float32), last=True)
        rest = rest.reshape(-1, params.channels)
        parts = [one.push(np.ascontiguousarray(rest[:, c])) for c, one in enumerate(analysers)]
        if len(parts[0]):
            yield np.stack(parts).transpose(0, 2, 1) * np.float32(FULL_SCALE)
    parts = [one.finish() for one in analysers]
    if len(parts[0]):
        yield np.stack(parts).transpose(0, 2, 1) * np.float32(FULL_SCALE)


def synthesise(blocks: Iterable[Mel], params: SpectrogramParams, quality: str | int = "fast") -> Iterator[Audio]:
    """Yield sound as (C, F, T') arrays arrive, in bounded memory; where they are cut does not matter."""
    from .acceleration import parallel_map
    from .streaming import Synthesiser

    channels = [Synthesiser(params, iterations_of(quality)) for _ in range(params.channels)]
    given = False
    for mel in blocks:
        turned = [np.ascontiguousarray(mel[c].T) for c in range(len(channels))]
        for parts in zip(*parallel_map(lambda c: channels[c].push(turned[c]), range(len(channels))), strict=True):  # noqa: B023
            given = True
            yield Audio(np.stack(parts, axis=1), params.rate)
    for parts in zip(*parallel_map(lambda c: channels[c].finish(), range(len(channels))), strict=True):
        given = True
        yield Audio(np.stack(parts, axis=1), params.rate)
    if not given:
        yield Audio.silence(0, params.rate, params.channels)
