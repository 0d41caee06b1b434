"""What a single clip may set besides the interpolation itself; knows nothing of how it is made."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import InvalidInput
from ...options import check, option
from .denoising import Plan
from .interpolation import Interpolation
from .schedulers import short_name


@dataclass(frozen=True)
class ClipOptions:
    """See each field."""

    scheduler: str | None = option(None, "a scheduler by name; nothing is the checkpoint's own", max_length=60)
    loop: bool = option(False, "the end of the clip meets its beginning")
    compat: bool = option(False, "Riffusion's own behaviour to the letter")
    width: int = option(512, "columns of a clip without a seed image, 100 a second", low=128, high=6144)

    def __post_init__(self) -> None:
        check(self)
        if self.scheduler is not None:
            short_name(self.scheduler)
        if self.width % 32:
            raise InvalidInput("width", self.width, "a multiple of 32 from 128 to 6144")

    def plan(self, wish: Interpolation) -> Plan:
        """How the clip is made."""
        return Plan(wish.num_inference_steps, self.scheduler, self.loop, self.compat)
