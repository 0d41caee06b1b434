"""How clips are made, apart from what is in them; knows nothing of models."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import InvalidInput
from ...options import check, option
from .schedulers import MAX_STEPS, short_name


@dataclass(frozen=True)
class Mix:
    """Magic Mix (Liew et al. 2022): the image gives the layout, the prompt what it is made of.

    Noise begins at ``kmax`` of the way. Until ``kmin`` of it is left, each step keeps ``factor`` of what the prompt has
    made and takes the rest from the image.
    """

    kmin: float = option(0.3, "until so much of the way is left, the image is mixed in", low=0, high=1)
    kmax: float = option(0.5, "how much of the way there is noise", low=0, high=1)
    factor: float = option(0.5, "the share of what the prompt has made", low=0, high=1)

    def __post_init__(self) -> None:
        check(self)
        if self.kmin > self.kmax:
            raise InvalidInput("kmin", self.kmin, f"a number from 0 to kmax, which is {self.kmax:g}")


@dataclass(frozen=True)
class Plan:
    """How legs are made: all of one call in the same way."""

    steps: int = option(50, "denoising steps", low=1, high=MAX_STEPS)
    scheduler: str | None = None  # None: the checkpoint's own
    loop: bool = False  # the end of the image meets its beginning
    compat: bool = False  # Riffusion's own behaviour to the letter
    max_rows: int = 16  # rows that the UNet sees at once
    mix: Mix | None = None  # Magic Mix instead of plain image to image

    def __post_init__(self) -> None:
        check(self)
        if self.scheduler is not None:
            short_name(self.scheduler)
