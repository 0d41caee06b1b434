"""Runs the networks for a batch of requests: paints latents, decodes them, encodes sound.

A request to paint has text, a length and perhaps known latents, which the model continues or fills in (its inpainting
conditioning), or a sound to begin from. Nothing here knows of streams.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...audio import Audio
from ...device import set_threads
from ...errors import Cancelled
from ..batching import Progress
from .model.checkpoint import Networks
from .sampler import Schedule, default_steps, run


@dataclass(frozen=True, eq=False)
class Paint:
    """Latents to be made: T of them."""

    prompts: Mapping[str, float]  # prompt → share; the shares add up to 1
    length: int  # T
    noise: Callable[[int], Tensor]  # step, 0 for the beginning → (channels, T) float32
    told_s: float  # length of the sound that the model is told, in seconds
    known: Tensor | None = None  # (channels, T): latents, of which ``mask`` says which are known
    mask: Tensor | None = None  # (T,): 1 known, 0 to be painted
    init: Tensor | None = None  # (channels, T): latents to begin from, where the strength is below 1
    first: bool = False  # whether it is a short first window, for which somebody waits


@dataclass(frozen=True, eq=False)
class Decode:
    """Latents (channels, T) whose sound is wanted, except that of the first ``left`` and the last ``right``."""

    latents: Tensor
    left: int = 0
    right: int = 0


@dataclass(frozen=True, eq=False)
class Encode:
    """Sound (C, frames) whose latents are wanted."""

    sound: Tensor


Work = Paint | Decode | Encode


@dataclass(frozen=True)
class Config:
    """What the requests of one pass have in common; decoding and encoding need none of it."""

    steps: int = 8
    guidance: float = 1.0  # above 1: away from what the prompts exclude, at twice the work
    strength: float = 1.0  # noise level from which to paint, above 0; below 1 something of ``init`` stays


@dataclass
class Pipeline:
    """A loaded checkpoint. One thread at a time. ``threads``: cores of a product on the CPU; None: torch's choice."""

    networks: Networks
    threads: int | None = None
    _schedules: dict[tuple[int, float], Schedule] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Steps that the checkpoint is made for."""
        return default_steps(self.networks.scheduler)

    def make(
        self,
        requests: Sequence[Work],
        config: Config,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Tensor]:
        """The results of requests of one kind and shape.

        Painting gives (channels, T) latents, decoding (C, frames) of sound, encoding (channels, T) latents; all float32
        on the CPU.

        Raises:
            Cancelled: ``cancelled`` became true between two layers.
        """
        if self.threads is not None:
            set_threads(self.threads)  # torch sets the number per thread
        paints = [one for one in requests if isinstance(one, Paint)]
        decodes = [one for one in requests if isinstance(one, Decode)]
        if paints:
            return self.paint(paints, config, progress, cancelled)
        if decodes:
            first = decodes[0]
            stacked = torch.stack([one.latents for one in decodes])
            return list(self.networks.autoencoder.decode(stacked, first.left, first.right))
        sounds = torch.stack([one.sound for one in requests if isinstance(one, Encode)])
        return list(self.networks.autoencoder.encode(sounds))

    @torch.inference_mode()
    def paint(
        self,
        requests: Sequence[Paint],
        config: Config,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Tensor]:
        """The latents of requests of one length, either all with known latents or none."""
        networks, guided = self.networks, config.guidance > 1.0
        schedule = self._schedule(config)
        device, dtype = networks.device, networks.dtype
        text = [networks.text.blend(one.prompts) for one in requests]
        if guided:
            text = [networks.text.avoided(one.prompts) for one in requests] + text
        rows = len(text) // len(requests)
        told = torch.tensor([one.told_s for one in requests] * rows, device=device)
        duration = networks.duration(told).to(dtype)
        known = _known(requests)
        if known is not None:
            known = known.to(device, dtype).repeat(rows, 1, 1)
        timesteps = torch.tensor(schedule.timesteps, device=device)
        given = networks.denoiser.condition(torch.stack(text).to(device, dtype), duration, timesteps, known)

        def noise(step: int) -> Tensor:
            return torch.stack([one.noise(step) for one in requests]).to(device)

        def velocity(latents: Tensor, step: int) -> Tensor:
            rows_of_all = latents.to(dtype).repeat(rows, 1, 1)
            predicted = networks.denoiser.velocity(rows_of_all, step, given, lambda: pause(step)).float()
            if not guided:
                return predicted
            avoided, wanted = predicted.chunk(2)
            return avoided + config.guidance * (wanted - avoided)

        def pause(done: int) -> None:
            if progress is not None:
                progress(done, len(schedule.timesteps))
            if cancelled is not None and cancelled():
                raise Cancelled("the pass was cancelled")

        latents = noise(0)
        if config.strength < 1.0:
            init = torch.stack([one.init for one in requests if one.init is not None]).to(device)
            latents = (1.0 - config.strength) * init + config.strength * latents
        return list(run(schedule, latents, velocity, noise, pause).cpu())

    def _schedule(self, config: Config) -> Schedule:
        key = (config.steps, config.strength)
        if key not in self._schedules:
            self._schedules[key] = Schedule.of(self.networks.scheduler, *key)
        return self._schedules[key]


def _known(requests: Sequence[Paint]) -> Tensor | None:
    """(B, 1 + channels, T): masks and the latents that they leave; None where nothing is known."""
    rows = [
        torch.cat([one.mask[None], one.known * one.mask])
        for one in requests
        if one.known is not None and one.mask is not None
    ]
    return torch.stack(rows) if rows else None


def batch_key(request: Work, config: Config) -> object:
    """Requests with equal keys can share a pass."""
    if isinstance(request, Paint):
        return (config, request.length, request.known is None)
    if isinstance(request, Decode):
        return ("decode", request.latents.shape, request.left, request.right)
    return ("encode", request.sound.shape)


def urgency_of(request: Work) -> int:
    """A request interrupts those of a lower number."""
    if isinstance(request, Paint):
        return 1 if request.first else 0
    return 2


def fitted(audio: Audio, rate: int, channels: int) -> Audio:
    """``audio`` at another rate and number of channels; surround sound becomes mono first."""
    if audio.channels not in (1, channels):
        audio = audio.to_channels(1)
    return audio.resample(rate).to_channels(channels)


def sound_of(audio: Audio) -> Tensor:
    """(C, frames) of an audio value."""
    return torch.from_numpy(audio.samples.T.copy())
