"""Spectrogram images to sound at one fixed level, and back; knows nothing of how images are made.

Levels are those of the image: the loudest black is always ``MAX_VALUE``, whatever else is in a clip, so that clips
that follow one another do not jump. Peaks beyond full scale are rounded off.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ...audio import Audio
from ...spectrogram import Spectrogram, SpectrogramParams

RATE = 44100
HOP = 441  # frames a column
MAX_VALUE = 30e6  # mel amplitude, in 16-bit units, of a black pixel
KNEE = 0.8  # up to here samples are left alone


class Sound:
    """A converter that is made once. Safe to call from several threads."""

    def __init__(self) -> None:
        self.params = SpectrogramParams(max_value=MAX_VALUE)

    def audio(self, image: Image.Image) -> Audio:
        """The sound of a whole image, its tags ignored: (width - 1) x ``HOP`` frames."""
        return Audio(self.samples(np.asarray(image.convert("RGB"))[:, :, 0])[:, None], RATE)

    def samples(self, grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(T,) the sound of (bins, columns) grey values, low frequencies at the bottom."""
        rgb = np.repeat(grey[:, :, None], 3, axis=2)
        made = Spectrogram.from_image(Image.fromarray(rgb), self.params).to_audio()
        return rounded_off(made.to_channels(1).samples[:, 0])

    def image(self, audio: Audio) -> Image.Image:
        """The image of a sound: a column each ``HOP`` frames, and one."""
        mono = audio.to_channels(1).resample(RATE)
        made: Image.Image = Spectrogram.from_audio(mono, self.params).to_image()
        return made

    def exif(self) -> Any:
        """The tags of images that the model made."""
        return self.params.to_exif()


def rounded_off(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Peaks above ``KNEE`` bent smoothly so that nothing reaches full scale."""
    size = np.abs(samples)
    if not len(size) or float(size.max()) <= KNEE:
        return samples
    bent = KNEE + (1 - KNEE) * np.tanh((size - KNEE) / (1 - KNEE))
    return np.where(size > KNEE, np.sign(samples) * bent, samples).astype(np.float32)
