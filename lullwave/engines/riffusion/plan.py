"""How clips are made, apart from what is in them; knows nothing of models."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mix:
    """Magic Mix (Liew et al. 2022): the image gives the layout, the prompt what it is made of.

    Noise begins at ``kmax`` of the way. Until ``kmin`` of it is left, each step keeps ``factor`` of what the prompt has
    made and takes the rest from the image.
    """

    kmin: float = 0.3
    kmax: float = 0.5
    factor: float = 0.5


@dataclass(frozen=True)
class Plan:
    """How legs are made: all of one call in the same way."""

    steps: int = 50
    scheduler: str | None = None  # None: the checkpoint's own
    loop: bool = False  # the end of the image meets its beginning
    compat: bool = False  # Riffusion's own behaviour to the letter
    max_rows: int = 16  # rows that the UNet sees at once
    mix: Mix | None = None  # Magic Mix instead of plain image to image
