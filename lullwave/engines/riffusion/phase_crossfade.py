"""A crossfade with matched phase: no partial is cancelled in its middle.

Two sounds made from nearly the same spectrogram have the same partials in unrelated phases, so that a plain crossfade
cancels some of them. Here the short-time spectrum of the overlap is interpolated: magnitudes linearly, and the phase
of each bin along the unwrapped difference of the two sounds, which is a tiny change of frequency. A few iterations of
Griffin and Lim (1984) with both ends held fixed make the spectrum consistent.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

Mono = npt.NDArray[np.float32]

WINDOW = 2048  # samples: 46 ms at 44.1 kHz, which separates partials 43 Hz apart
HOP = 256  # samples: an overlap of 8 windows
ITERATIONS = 12  # of Griffin-Lim; the start is close, more change nothing audible


def join_overlap(before: Mono, after: Mono) -> Mono:
    """Crossfade two sounds over the whole of their overlap, all of shape (T,).

    Overlaps shorter than three windows (0.14 s) get a plain crossfade.

    Raises:
        ValueError: the two lengths differ.
    """
    if before.shape != after.shape:
        raise ValueError(f"the two sides of an overlap differ in length: {before.shape} and {after.shape}")
    frames = len(before)
    fade = (np.sin(np.linspace(0, np.pi / 2, frames)) ** 2).astype(np.float32)
    if frames < 3 * WINDOW:
        return before * (1 - fade) + after * fade
    a, b = _spectrum(before), _spectrum(after)
    share = _at_steps(fade, a.shape[-1])
    magnitude = (1 - share) * a.abs() + share * b.abs()
    difference = _unwrapped(torch.angle(b * a.conj()), a.abs() * b.abs())
    guess = _sound(torch.polar(magnitude, torch.angle(a) + share * difference), frames)
    held = _held(frames)
    ends = torch.from_numpy(before * (1 - fade) + after * fade)
    for _ in range(ITERATIONS):
        guess = ends + held * (guess - ends)
        spectrum = _spectrum(guess)
        guess = _sound(torch.polar(magnitude, torch.angle(spectrum)), frames)
    mixed: Mono = (ends + held * (guess - ends)).numpy().astype(np.float32)
    return mixed


def _spectrum(sound: Mono | torch.Tensor) -> torch.Tensor:
    """(F, S) complex short-time spectrum of (T,) samples."""
    signal = torch.as_tensor(sound, dtype=torch.float32)
    return torch.stft(signal, WINDOW, HOP, window=torch.hann_window(WINDOW), return_complex=True)


def _sound(spectrum: torch.Tensor, frames: int) -> torch.Tensor:
    return torch.istft(spectrum, WINDOW, HOP, window=torch.hann_window(WINDOW), length=frames)


def _at_steps(fade: Mono, steps: int) -> torch.Tensor:
    """(S,) the fade at the middle of each step."""
    at = np.minimum(np.arange(steps) * HOP, len(fade) - 1)
    return torch.from_numpy(fade[at])


def _unwrapped(angle: torch.Tensor, power: torch.Tensor) -> torch.Tensor:
    """(F, S) phase differences without jumps along time, shifted by turns so that each row's mean is within ±pi."""
    steps = torch.diff(angle, dim=-1)
    wrapped = torch.remainder(steps + torch.pi, 2 * torch.pi) - torch.pi
    path = torch.cat([angle[:, :1], angle[:, :1] + torch.cumsum(wrapped, dim=-1)], dim=-1)
    mean = (path * power).sum(-1, keepdim=True) / power.sum(-1, keepdim=True).clamp_min(1e-12)
    return path - 2 * torch.pi * torch.round(mean / (2 * torch.pi))


def _held(frames: int) -> torch.Tensor:
    """(T,) weight of the new sound: 0 at both ends, 1 between, with ramps of one window."""
    held = torch.ones(frames)
    ramp = torch.sin(torch.linspace(0, torch.pi / 2, WINDOW)) ** 2
    held[:WINDOW] = ramp
    held[-WINDOW:] = ramp.flip(0)
    return held
