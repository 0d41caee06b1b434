"""What was asked for, as values; knows nothing of the words that said it or of how wishes are met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .theory import Key


@dataclass(frozen=True)
class Wishes:
    """What was asked for. Empty wishes leave everything to the planner."""

    tempo_bpm: float | None = None
    tonic: int | None = None
    minor: bool | None = None
    styles: tuple[tuple[str, float], ...] = ()
    instruments: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    only: bool = False
    drums: bool = False  # asked for outright
    kit: str = ""
    ambience: tuple[tuple[str, float], ...] = ()
    moods: Mapping[str, float] = field(
        default_factory=dict
    )  # energy, valence, bright, wet, warm, swing, dense, pace, beat: -1…1
    crackle: float = 0.0  # -1 none … 1 much; 0 as usual

    def mood(self, name: str) -> float:
        return max(-1.0, min(1.0, self.moods.get(name, 0.0)))

    @property
    def key(self) -> Key | None:
        """The key, where tonic and mode are both asked for."""
        if self.tonic is None:
            return None
        return Key(self.tonic, bool(self.minor))
