"""What is asked of the pipeline: two ends and a place between them; knows nothing of models or HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...errors import InvalidInput
from ...options import check, option
from .schedulers import MAX_STEPS

MAX_TEXT = 10_000
MIN_SEED, MAX_SEED = -(2**63), 2**63 - 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class End:
    """One end of an interpolation."""

    prompt: str = option("", "what the music should be like; (word:1.3) and [word] weigh words", max_length=MAX_TEXT)
    seed: int = option(0, "seed of the noise", low=MIN_SEED, high=MAX_SEED)
    negative_prompt: str | None = option(None, "what to avoid", max_length=MAX_TEXT)
    denoising: float = option(0.75, "how far the seed image is repainted: 0 keeps it, 1 ignores it", low=0, high=1)
    guidance: float = option(7.0, "how closely the prompt is followed; up to 1 is not at all", low=0, high=100)

    def __post_init__(self) -> None:
        check(self)
        for name in ("prompt", "negative_prompt"):
            text = getattr(self, name)
            if text is not None and any(0xD800 <= ord(c) < 0xE000 for c in text):
                raise InvalidInput(name, text, "Unicode text without lone surrogates")


@dataclass(frozen=True)
class Interpolation:
    """A clip between two ends."""

    start: End
    end: End
    alpha: float = option(0.0, "0 is the start, 1 is the end", low=0, high=1)
    num_inference_steps: int = option(50, "denoising steps", low=1, high=MAX_STEPS)
    seed_image_id: str = option("og_beat", "the spectrogram image to begin from", max_length=100)
    mask_image_id: str | None = option(None, "what to repaint: white is, black is kept, grey blends", max_length=100)

    def __post_init__(self) -> None:
        check(self)
        if self.mask_image_id == "":  # the web application says so for none
            object.__setattr__(self, "mask_image_id", None)
        image_name("seed_image_id", self.seed_image_id)
        if self.mask_image_id is not None:
            image_name("mask_image_id", self.mask_image_id)

    @property
    def strength(self) -> float:
        return between(self.start.denoising, self.end.denoising, self.alpha)

    @property
    def guidance(self) -> float:
        return between(self.start.guidance, self.end.guidance, self.alpha)


def between(start: float, end: float, alpha: float) -> float:
    """Linear; exactly the ends at 0 and 1."""
    return end if alpha >= 1 else start * (1 - alpha) + end * alpha


def image_name(field: str, name: str) -> str:
    """``name`` if it can be the name of an image.

    Raises:
        InvalidInput: it looks like a path, or is no name at all.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise InvalidInput(field, name, "the name of an image: letters, digits, _ - and .")
    return name
