"""The options of a request besides its prompt. Where both set the same thing, the option wins.

Knows nothing of HTTP or the command line: ``lullwave.options`` makes both from this definition.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import InvalidInput
from ...options import check, option
from .score import AMBIENCES
from .theory import Key


@dataclass(frozen=True)
class SynthOptions:
    """Options win over the words of the prompt.

    Raises:
        InvalidInput: a value is not allowed; the message names the field.
    """

    tempo_bpm: float | None = option(
        None, "tempo in beats per minute; if empty, the prompt decides", low=40, high=180, unit="bpm"
    )
    key: str | None = option(None, "key, such as 'D minor'; if empty, the prompt decides", max_length=20)
    crackle: bool = option(True, "crackle and hiss of an old record")
    ambience: str = option(
        "prompt",
        "a layer of surroundings, whatever the prompt says",
        choices=("prompt", "none", *AMBIENCES),
    )
    drums: bool = option(True, "a drum part")
    loop: bool = option(False, "a clip of whole bars that repeats without a seam; its length is that of the bars")
    melody: bool = option(True, "a melody part")

    def __post_init__(self) -> None:
        check(self)
        if self.key is not None:
            try:
                Key.parse(self.key)
            except ValueError:
                raise InvalidInput("key", self.key, "a key such as 'D minor', 'F# major', 'Bb'") from None
