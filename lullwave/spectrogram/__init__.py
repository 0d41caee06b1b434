"""Sound as a spectrogram image and back: fast, faithful, the same every time. Knows nothing of engines or servers.

::

    spectrogram = Spectrogram.from_audio(audio)
    spectrogram.to_image().save("loop.png", exif=spectrogram.exif())       # Riffusion's form, 8 bit
    sound = Spectrogram.from_image(Image.open("loop.png")).to_audio()       # quality="best" takes longer

Nothing here draws random numbers: the same image gives the same samples.
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
    """Mel amplitudes (C, F, T) in 16-bit units, with what their numbers mean. The array must not be written to."""

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
        """The spectrogram of a sound. Without ``params``: the default ones at its rate, stereo if it has two channels.

        Sound of another rate than that of ``params`` is resampled; of other channels, mixed or spread.
        """
        params = params or default_params(audio)
        parts = list(analyse([audio], params))
        return cls(np.concatenate(parts, axis=2), params)

    @classmethod
    def from_image(
        cls, image: Image.Image, params: SpectrogramParams | None = None, rounded: bool | None = None
    ) -> Spectrogram:
        """The spectrogram that an image shows. Without ``params``: what its tags say, defaults where they are silent.

        The amplitude of black is that of ``params``, else that of the tags, else 30 million. ``rounded`` says that
        8-bit levels were rounded, as ours are, and not cut off; without it the tags tell.
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
        """Of the sound: one step less than there are columns."""
        return (self.columns - 1) * self.params.step_ms / 1000

    def with_max(self) -> SpectrogramParams:
        """The parameters with the amplitude of black filled in: the loudest, if none was given."""
        if self.params.max_value is not None:
            return self.params
        return replace(self.params, max_value=float(self.mel.max()) or USUAL_MAX)

    def to_image(self, bits: int = 8) -> Image.Image:
        """8 bits: Riffusion's form. 16: without loss, loudness included. Save it with ``exif=spectrogram.exif()``."""
        return images.to_image(self.mel, self.with_max(), bits)

    def exif(self) -> Image.Exif:
        """The tags of its image."""
        return images.tags_of(self.with_max())

    def to_audio(
        self, quality: str | int = "fast", device: str | None = None, loudness_lufs: float | None = None
    ) -> Audio:
        """A sound with this spectrogram, at the level that it encodes, or at ``loudness_lufs``.

        ``quality`` is a name of ``QUALITIES`` or a number of iterations. With ``device`` (``"cuda"``, ``"cpu"``) the
        iterations run in torch there; a sound longer than one block (15 s) is made on the CPU without it, and the
        log says so.
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


USUAL_MAX = 30e6  # what Riffusion takes black to be


def default_params(audio: Audio, **wanted: Any) -> SpectrogramParams:
    """What is ``wanted``, the rest for a sound: its own rate where that goes with it, one or two channels.

    Raises:
        InvalidInput: what is wanted is not allowed at any rate.
    """
    own = {"stereo": audio.channels == 2, **wanted}
    try:
        return SpectrogramParams(**{"rate": audio.rate, **own})
    except InvalidInput:
        return SpectrogramParams(**own)


def iterations_of(quality: str | int) -> int:
    """How many iterations a quality means."""
    if isinstance(quality, int) and not isinstance(quality, bool) and 0 <= quality <= 4096:
        return quality
    if not isinstance(quality, str) or quality not in QUALITIES:
        raise InvalidInput("quality", quality, f"one of {', '.join(QUALITIES)}, or a number of iterations up to 4096")
    return QUALITIES[quality]


def analyse(blocks: Iterable[Audio], params: SpectrogramParams) -> Iterator[Mel]:
    """(C, F, T') arrays as blocks of sound arrive, all of one rate: an hour passes in the memory of a minute."""
    import soxr

    from .analysis import FULL_SCALE, Analyser

    analysers = [Analyser(params) for _ in range(params.channels)]
    resampler: Any = None
    rate = 0
    for audio in blocks:
        if not rate:
            rate = audio.rate
            if rate != params.analysis_rate:
                resampler = soxr.ResampleStream(rate, params.analysis_rate, params.channels, "float32", "VHQ")
        elif audio.rate != rate:
            raise InvalidInput("rate", audio.rate, f"{rate}, as the blocks before")
        if not np.isfinite(audio.samples).all():
            raise InvalidInput("audio", float("nan"), "samples that are numbers, and this sound has some that are none")
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
    """Sound as (C, F, T') arrays arrive, in bounded memory; where the arrays are cut changes nothing."""
    from .streaming import Synthesiser
    from .threads import each

    channels = [Synthesiser(params, iterations_of(quality)) for _ in range(params.channels)]
    given = False
    for mel in blocks:
        turned = [np.ascontiguousarray(mel[c].T) for c in range(len(channels))]
        for parts in zip(*each(lambda c: channels[c].push(turned[c]), range(len(channels))), strict=True):  # noqa: B023
            given = True
            yield Audio(np.stack(parts, axis=1), params.rate)
    for parts in zip(*each(lambda c: channels[c].finish(), range(len(channels))), strict=True):
        given = True
        yield Audio(np.stack(parts, axis=1), params.rate)
    if not given:
        yield Audio.silence(0, params.rate, params.channels)
