"""Parameters of a spectrogram (step, window, bands, scale) and the image tags that hold them."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, fields
from typing import Any

from PIL import Image

from ..errors import InvalidInput
from ..options import check, option

log = logging.getLogger(__name__)

LARGEST_FFT = 400_000  # samples of the padded window
LARGEST_BANK = 60_000_000  # bands x the samples of that window: what filters and their inverse need in memory


@dataclass(frozen=True)
class SpectrogramParams:
    """How a mel spectrogram is computed from a sound and drawn. The defaults are Riffusion's."""

    rate: int = option(44100, "sample rate of the sound", low=4000, high=192_000, unit="Hz")
    stereo: bool = option(False, "two channels: left in green, right in blue")
    step_ms: int = option(10, "time from one column to the next", low=1, high=1000, unit="ms")
    window_ms: int = option(100, "length of the Hann window", low=2, high=2000, unit="ms")
    padded_ms: int = option(400, "window with the zeros that it is padded with", low=2, high=8000, unit="ms")
    bands: int = option(512, "mel bands: the height of the image", low=8, high=4096)
    low_hz: int = option(0, "where the lowest band begins", low=0, high=90_000, unit="Hz")
    high_hz: int = option(10_000, "where the highest band ends", low=100, high=96_000, unit="Hz")
    power: float = option(0.25, "amplitudes are raised to this power in the image", low=0.05, high=2.0)
    max_value: float | None = option(
        None, "mel amplitude, in 16-bit units, of a black pixel; none: the loudest", low=1e-9, high=1e12
    )

    def __post_init__(self) -> None:
        check(self)
        if self.step_ms > self.window_ms // 2:
            raise InvalidInput("step_ms", self.step_ms, f"at most half of window_ms ({self.window_ms})")
        if self.padded_ms < self.window_ms:
            raise InvalidInput("padded_ms", self.padded_ms, f"at least window_ms ({self.window_ms})")
        if self.low_hz >= self.high_hz:
            raise InvalidInput("low_hz", self.low_hz, f"less than high_hz ({self.high_hz})")
        if 2 * self.high_hz > self.rate:
            raise InvalidInput("high_hz", self.high_hz, f"at most half of the sample rate ({self.rate})")
        if self.fft_samples > LARGEST_FFT:
            raise InvalidInput("padded_ms", self.padded_ms, f"at most {LARGEST_FFT} samples (here {self.fft_samples})")
        if self.bands * self.fft_samples > LARGEST_BANK:
            raise InvalidInput("bands", self.bands, f"at most {LARGEST_BANK // self.fft_samples} for such a window")

    @property
    def channels(self) -> int:
        """C."""
        return 2 if self.stereo else 1

    @property
    def hop_samples(self) -> int:
        """One step in samples: as in Riffusion, a fraction of a sample is dropped (5 ms at 44.1 kHz: 220)."""
        return self._samples(self.step_ms)

    @property
    def window_samples(self) -> int:
        """The window in samples."""
        return self._samples(self.window_ms)

    @property
    def fft_samples(self) -> int:
        """The padded window in samples."""
        return self._samples(self.padded_ms)

    def _samples(self, duration_ms: int) -> int:
        return int(duration_ms / 1000.0 * self.rate)  # to the letter: another order rounds differently

    def samples_of(self, columns: int) -> int:
        """Number of samples of the sound of T columns: T - 1 steps."""
        return (columns - 1) * self.hop_samples

    def to_exif(self) -> Image.Exif:
        """The image tags (numbers 11000 to 11080) that carry these parameters."""
        exif = Image.Exif()
        for name, tag in TAGS.items():
            value = getattr(self, name)
            if value is not None:
                exif[tag] = int(value) if isinstance(value, bool) else value
        return exif

    @classmethod
    def from_exif(cls, exif: Any, **instead: Any) -> SpectrogramParams:
        """Parameters from an image's tags; absent tags, and tags that are not numbers, get the defaults.

        ``instead`` overrides both.

        Raises:
            InvalidInput: a tag's number is not allowed, or contradicts another tag.
        """
        types = {f.name: (float if f.name in ("power", "max_value") else int) for f in fields(cls)}
        values: dict[str, Any] = {}
        for name, tag in TAGS.items():
            raw = exif.get(tag)
            if raw is None:
                continue
            number = _number(raw)
            if number is None:
                log.warning("image tag %d (%s) is not a number: using the default", tag, name)
                continue
            if types[name] is float:
                values[name] = number
            elif number == int(number):
                values[name] = bool(number) if name == "stereo" else int(number)
            else:
                raise InvalidInput(name, raw, "a whole number")
        return cls(**(values | instead))


TAGS = {
    "rate": 11000,
    "stereo": 11005,
    "step_ms": 11010,
    "window_ms": 11020,
    "padded_ms": 11030,
    "bands": 11040,
    "low_hz": 11050,
    "high_hz": 11060,
    "power": 11070,
    "max_value": 11080,
}


def _number(raw: Any) -> float | None:
    """A tag's value as a number; writers use numbers, fractions, text or tuples of one. None if it is none of these."""
    try:
        number = float(raw[0] if isinstance(raw, tuple) else raw)
    except (TypeError, ValueError, ZeroDivisionError, IndexError, OverflowError):
        return None
    return number if math.isfinite(number) else None
