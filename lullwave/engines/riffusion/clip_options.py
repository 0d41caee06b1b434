"""Options of a clip: two prompts and the position between them, denoising, Magic Mix; and the tags of its files.

Imports nothing heavy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...codecs.tags import Tags
from ...errors import InvalidInput
from ...options import check, option
from .schedulers import MAX_STEPS, short_name

ENGINE = "riffusion"  # its name in tags
MAX_SECONDS = 600.0  # longest clip, to bound memory
MAX_TEXT = 10_000  # characters of a prompt
MIN_SEED, MAX_SEED = -(2**63), 2**63 - 1  # what torch.manual_seed accepts
_IMAGE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class PromptInput:
    """One end of an interpolation."""

    prompt: str = option("", "what the music should be like; (word:1.3) and [word] weigh words", max_length=MAX_TEXT)
    seed: int = option(0, "seed of the noise", low=MIN_SEED, high=MAX_SEED)
    negative_prompt: str | None = option(None, "what to avoid", max_length=MAX_TEXT)
    denoising: float = option(0.75, "how far the seed image is repainted: 0 keeps it, 1 ignores it", low=0, high=1)
    guidance: float = option(7.0, "how closely the prompt is followed; 1 or less turns guidance off", low=0, high=100)

    def __post_init__(self) -> None:
        check(self)
        for name in ("prompt", "negative_prompt"):
            text = getattr(self, name)
            if text is not None and any(0xD800 <= ord(c) < 0xE000 for c in text):
                raise InvalidInput(name, text, "Unicode text without lone surrogates")

    def tags(self) -> Tags:
        """The tags of a clip from this prompt alone."""
        return Tags.of_generated("", self.prompt, self.seed, ENGINE)

    def tags_to(self, end: PromptInput, alpha: float | None = None) -> Tags:
        """The tags of a clip on the way to another prompt or seed: at ``alpha``, or (None) of the whole way."""
        if self.prompt == end.prompt and self.seed == end.seed:
            return self.tags()
        title = f"{self.prompt} → {end.prompt}" if self.prompt != end.prompt else ""
        return Tags.of_generated(
            title, self.prompt, self.seed, ENGINE, end_prompt=end.prompt, end_seed=end.seed, alpha=alpha
        )


@dataclass(frozen=True)
class Interpolation:
    """A clip between two ends."""

    start: PromptInput
    end: PromptInput
    alpha: float = option(0.0, "0 is the start, 1 is the end", low=0, high=1)
    num_inference_steps: int = option(50, "denoising steps", low=1, high=MAX_STEPS)
    seed_image_id: str = option("og_beat", "the spectrogram image to begin from", max_length=100)
    mask_image_id: str | None = option(None, "mask: white is repainted, black is kept, grey blends", max_length=100)

    def __post_init__(self) -> None:
        check(self)
        if self.mask_image_id == "":  # Riffusion's web application sends "" for no mask
            object.__setattr__(self, "mask_image_id", None)
        check_image_name("seed_image_id", self.seed_image_id)
        if self.mask_image_id is not None:
            check_image_name("mask_image_id", self.mask_image_id)

    @property
    def strength(self) -> float:
        """Share of the denoising steps that run, 0 to 1."""
        return _interpolate(self.start.denoising, self.end.denoising, self.alpha)

    @property
    def guidance(self) -> float:
        """Guidance scale between those of the two ends."""
        return _interpolate(self.start.guidance, self.end.guidance, self.alpha)

    def tags(self) -> Tags:
        """The tags of the clip; at an end, those of that end alone."""
        if 0 < self.alpha < 1:
            return self.start.tags_to(self.end, self.alpha)
        return (self.end if self.alpha >= 1 else self.start).tags()


@dataclass(frozen=True)
class MagicMix:
    """Magic Mix (Liew et al. 2022): the image gives the layout, the prompt gives the content.

    Denoising begins at ``kmax`` of the noise. Until ``kmin`` of the steps are left, each step keeps ``factor`` of the
    prompt's result and takes the rest from the image.
    """

    kmin: float = option(0.3, "mix the image in until this share of the steps is left", low=0, high=1)
    kmax: float = option(0.5, "share of the noise at the beginning", low=0, high=1)
    factor: float = option(0.5, "share of the prompt's result in the mix", low=0, high=1)

    def __post_init__(self) -> None:
        check(self)
        if self.kmin > self.kmax:
            raise InvalidInput("kmin", self.kmin, f"a number from 0 to kmax, which is {self.kmax:g}")


@dataclass(frozen=True)
class DenoisingConfig:
    """How images are denoised; one configuration for all images of a call."""

    steps: int = option(50, "denoising steps", low=1, high=MAX_STEPS)
    scheduler: str | None = None  # None: the checkpoint's own
    loop: bool = False  # join the end of the image to its beginning
    compat: bool = False  # reproduce Riffusion's own arithmetic
    max_rows: int = 16  # UNet batch size, guidance rows included
    mix: MagicMix | None = None  # Magic Mix instead of plain image to image

    def __post_init__(self) -> None:
        check(self)
        if self.scheduler is not None:
            short_name(self.scheduler)


@dataclass(frozen=True)
class ClipOptions:
    """Options of a single clip besides its ``Interpolation``."""

    scheduler: str | None = option(None, "scheduler; empty for the checkpoint's own", max_length=60)
    loop: bool = option(False, "join the end of the clip to its beginning")
    compat: bool = option(False, "reproduce Riffusion's own arithmetic")
    width: int = option(512, "columns of a clip without a seed image, 100 a second", low=128, high=6144)

    def __post_init__(self) -> None:
        check(self)
        if self.scheduler is not None:
            short_name(self.scheduler)
        if self.width % 32:
            raise InvalidInput("width", self.width, "a multiple of 32 from 128 to 6144")

    def denoising_config(self, interpolation: Interpolation) -> DenoisingConfig:
        """The configuration for one clip."""
        return DenoisingConfig(interpolation.num_inference_steps, self.scheduler, self.loop, self.compat)


def check_image_name(field: str, name: str) -> None:
    """Check that ``name`` can be the name of an image.

    Raises:
        InvalidInput: it looks like a path or holds other characters.
    """
    if not _IMAGE_NAME.fullmatch(name) or ".." in name:
        raise InvalidInput(field, name, "the name of an image: letters, digits, _ - and .")


def _interpolate(start: float, end: float, alpha: float) -> float:
    """Linear interpolation; exactly the ends at 0 and 1."""
    return end if alpha >= 1 else start * (1 - alpha) + end * alpha
