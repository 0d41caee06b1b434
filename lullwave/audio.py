"""The value type for sound: float32 samples with their sample rate.

Conversion to and from int16, mono, other rates and file formats happens at the edges. ``save`` and ``load`` are short
ways into ``codecs``, which is imported when they are called.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .errors import InvalidInput

if TYPE_CHECKING:
    from .codecs.tags import Tags

Samples = npt.NDArray[np.float32]

SILENCE_DBFS = -120.0  # value of `peak_dbfs` and `rms_dbfs` for digital silence


@dataclass(frozen=True, eq=False)
class Audio:
    """A piece of sound.

    ``samples`` is float32 of shape (T, C), nominally within ±1; ``rate`` is in Hz. The array is not
    copied and must not be written to afterwards.
    """

    samples: Samples
    rate: int
    tags: Tags | None = None  # written into the file by `save`; set only on sound exactly as an engine made it

    def __post_init__(self) -> None:
        if not isinstance(self.samples, np.ndarray) or self.samples.dtype != np.float32:
            raise InvalidInput("samples", type(self.samples), "a float32 array (Audio.of converts)")
        if self.samples.ndim != 2 or self.samples.shape[1] < 1:
            raise InvalidInput("samples", self.samples.shape, "shape (frames, channels), at least one channel")
        if self.rate < 1:
            raise InvalidInput("rate", self.rate, "a positive number of samples a second")

    @classmethod
    def of(cls, samples: npt.ArrayLike, rate: int) -> Audio:
        """Make audio from anything array-like: (T,) is mono, integers are scaled by their full range."""
        array: npt.NDArray[Any] = np.asarray(samples)
        if array.dtype.kind == "i":
            array = array.astype(np.float32) / float(-np.iinfo(array.dtype).min)
        if array.dtype.kind not in "fi":
            raise InvalidInput("samples", array.dtype, "floating-point or signed integer samples")
        if array.ndim == 1:
            array = array[:, None]
        return cls(np.ascontiguousarray(array, dtype=np.float32), int(rate))

    @classmethod
    def silence(cls, frames: int, rate: int, channels: int = 2) -> Audio:
        """``frames`` frames of digital silence."""
        return cls(np.zeros((frames, channels), np.float32), rate)

    @classmethod
    def load(cls, path: str | Path) -> Audio:
        """The sound of a WAV, FLAC, MP3, Ogg Vorbis or Opus file; of more formats with the extra ``media``.

        Raises:
            CodecError: the file cannot be read or decoded.
        """
        from .codecs.reading import read

        return read(Path(path))

    def save(self, path: str | Path, kbps: int | None = None) -> Path:
        """Write a file whose suffix names its format: .wav, .flac, .mp3, .ogg or .opus; returns the path.

        ``kbps`` is the bit rate of the lossy formats (None: the usual one). The file is never half written.

        Raises:
            InvalidInput: the suffix, rate or bit rate is not allowed.
            CodecError: there is no sound to write.
        """
        from .codecs import DEFAULT_KBPS, write

        return write(path, self, kbps=kbps or DEFAULT_KBPS, tags=self.tags)

    @property
    def frames(self) -> int:
        """The length in frames, T."""
        return int(self.samples.shape[0])

    @property
    def channels(self) -> int:
        """The number of channels, C."""
        return int(self.samples.shape[1])

    @property
    def duration_s(self) -> float:
        return self.frames / self.rate

    @property
    def peak_dbfs(self) -> float:
        """Largest sample magnitude in dB of full scale."""
        peak = float(np.max(np.abs(self.samples))) if self.frames else 0.0
        return 20.0 * float(np.log10(peak)) if peak > 1e-6 else SILENCE_DBFS

    @property
    def rms_dbfs(self) -> float:
        """Root mean square over all channels in dB of full scale."""
        power = float(np.mean(np.square(self.samples, dtype=np.float64))) if self.frames else 0.0
        return 10.0 * float(np.log10(power)) if power > 1e-12 else SILENCE_DBFS

    def __getitem__(self, span: slice) -> Audio:
        """A view of a span of frames."""
        return Audio(self.samples[span], self.rate)

    def __add__(self, after: Audio) -> Audio:
        """This sound, then ``after``; both must agree in rate and channels."""
        return concat([self, after])

    def trim(self, start_s: float = 0.0, stop_s: float | None = None) -> Audio:
        """A view of the sound from ``start_s`` to ``stop_s`` seconds (None: to its end).

        Raises:
            InvalidInput: not ``0 <= start_s <= stop_s <= duration_s``.
        """
        end_s = self.duration_s if stop_s is None else stop_s
        if not 0.0 <= start_s <= self.duration_s:
            raise InvalidInput("start_s", start_s, f"0 to {self.duration_s:g} seconds")
        if not start_s <= end_s <= self.duration_s:
            raise InvalidInput("stop_s", stop_s, f"{start_s:g} to {self.duration_s:g} seconds")
        return self[round(start_s * self.rate) : round(end_s * self.rate)]

    def gain(self, level_db: float) -> Audio:
        """The same sound, ``level_db`` dB louder."""
        return Audio(self.samples * np.float32(10.0 ** (level_db / 20.0)), self.rate)

    def check_shape(self, rate: int, channels: int) -> None:
        """Check the sample rate and the number of channels.

        Raises:
            InvalidInput: they differ.
        """
        if (self.rate, self.channels) != (rate, channels):
            raise InvalidInput("audio", f"{self.rate} Hz, {self.channels} channels", f"{rate} Hz, {channels} channels")

    def to_channels(self, channels: int) -> Audio:
        """Convert mono to any number of channels, or any number to mono (their mean).

        Raises:
            InvalidInput: any other conversion.
        """
        if channels == self.channels:
            return self
        if self.channels == 1:
            return Audio(np.repeat(self.samples, channels, axis=1), self.rate)
        if channels == 1:
            return Audio(np.mean(self.samples, axis=1, keepdims=True, dtype=np.float32), self.rate)
        raise InvalidInput("channels", channels, f"1 or {self.channels} for this audio")

    def resample(self, rate: int) -> Audio:
        """The same sound at another rate (soxr, very high quality). Chunks: use ``soxr.ResampleStream``."""
        if rate == self.rate:
            return self
        if rate < 1:
            raise InvalidInput("rate", rate, "a positive number of samples a second")
        import soxr

        return Audio(np.ascontiguousarray(soxr.resample(self.samples, self.rate, rate, "VHQ")), rate)

    def fade(self, in_s: float = 0.0, out_s: float = 0.0) -> Audio:
        """Fade in and out along raised cosines; each fade is at most the whole length."""
        for name, length_s in (("in_s", in_s), ("out_s", out_s)):
            if not 0.0 <= length_s < math.inf:
                raise InvalidInput(name, length_s, "a number of seconds from 0 on")
        out = self.samples.copy()
        n_in = min(self.frames, round(in_s * self.rate))
        n_out = min(self.frames, round(out_s * self.rate))
        if n_in:
            out[:n_in] *= _raised_cosine(n_in)
        if n_out:
            out[-n_out:] *= _raised_cosine(n_out)[::-1]
        return Audio(out, self.rate)

    def to_int16(self) -> npt.NDArray[np.int16]:
        """(T, C) int16, rounded to nearest, clipped at full scale."""
        scaled = np.rint(self.samples * 32768.0)
        return np.asarray(np.clip(scaled, -32768, 32767), dtype=np.int16)


def _raised_cosine(frames: int) -> Samples:
    """(T, 1): a rise from just above 0 to just below 1, sin² at the middle of each frame."""
    t = (np.arange(frames, dtype=np.float64) + 0.5) / frames
    return (np.sin(0.5 * np.pi * t) ** 2).astype(np.float32)[:, None]


def concat(parts: list[Audio]) -> Audio:
    """Join sounds, which must all have the same rate and channels."""
    if not parts:
        raise InvalidInput("parts", parts, "at least one piece of audio")
    _require_alike(parts[0], *parts[1:])
    return Audio(np.concatenate([p.samples for p in parts]), parts[0].rate)


def crossfade(before: Audio, after: Audio, overlap_s: float) -> Audio:
    """Crossfade ``before`` into ``after`` with an equal-power overlap (cos² + sin² = 1 in power).

    The result is as long as both together less the overlap. Equal power suits material that is not
    correlated, such as two different pieces.
    """
    _require_alike(before, after)
    n = min(round(overlap_s * before.rate), before.frames, after.frames)
    if n <= 0:
        return concat([before, after])
    fade_in = np.sqrt(_raised_cosine(n))
    mixed = before.samples[before.frames - n :] * fade_in[::-1] + after.samples[:n] * fade_in
    return Audio(np.concatenate([before.samples[: before.frames - n], mixed, after.samples[n:]]), before.rate)


def _require_alike(first: Audio, *others: Audio) -> None:
    for other in others:
        if (other.rate, other.channels) != (first.rate, first.channels):
            raise InvalidInput(
                "audio",
                f"{other.rate} Hz, {other.channels} channels",
                f"the same shape as the rest: {first.rate} Hz, {first.channels} channels",
            )
