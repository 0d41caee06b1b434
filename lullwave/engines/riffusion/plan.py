"""How clips are made, apart from what is in them; knows nothing of models."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """How legs are made: all of one call in the same way."""

    steps: int = 50
    scheduler: str | None = None  # None: the checkpoint's own
    loop: bool = False  # the end of the image meets its beginning
    compat: bool = False  # Riffusion's own behaviour to the letter
    max_rows: int = 16  # rows that the UNet sees at once
