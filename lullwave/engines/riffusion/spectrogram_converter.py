"""Converts spectrogram images to sound at one fixed level, and back.

A black pixel always stands for ``MAX_VALUE``, whatever else is in a clip, so that the level does not jump from clip
to clip. Peaks near full scale are compressed smoothly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ...audio import Audio
from ...spectrogram import Spectrogram, SpectrogramParams

RATE = 44100  # frames per second
HOP = 441  # frames per column: 10 ms
MAX_VALUE = 30e6  # mel amplitude, in 16-bit units, of a black pixel
KNEE = 0.8  # of full scale; samples below stay unchanged


class SpectrogramConverter:
    """Converts with the parameters of Riffusion's images. Thread-safe."""

    def __init__(self) -> None:
        self.params = SpectrogramParams(max_value=MAX_VALUE)

    def audio(self, image: Image.Image) -> Audio:
        """Convert a whole image: (width - 1) x ``HOP`` frames. Its tags are ignored."""
        return Audio(self.samples(np.asarray(image.convert("RGB"))[:, :, 0])[:, None], RATE)

    def samples(self, grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Convert (F, columns) grey values, low frequencies in the last row, to (T,) samples."""
        rgb = np.repeat(grey[:, :, None], 3, axis=2)
        made = Spectrogram.from_image(Image.fromarray(rgb), self.params).to_audio()
        return soft_clip(made.to_channels(1).samples[:, 0])

    def image(self, audio: Audio) -> Image.Image:
        """Convert a sound to an image of frames // ``HOP`` + 1 columns."""
        mono = audio.to_channels(1).resample(RATE)
        made: Image.Image = Spectrogram.from_audio(mono, self.params).to_image()
        return made

    def exif(self) -> Any:
        """The EXIF tags for images that the model made."""
        return self.params.to_exif()


def soft_clip(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Compress peaks above ``KNEE`` smoothly, below full scale."""
    size = np.abs(samples)
    if not len(size) or float(size.max()) <= KNEE:
        return samples
    bent = KNEE + (1 - KNEE) * np.tanh((size - KNEE) / (1 - KNEE))
    return np.where(size > KNEE, np.sign(samples) * bent, samples).astype(np.float32)
