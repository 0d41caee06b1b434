"""Metre and feel: what of a bar that is written in four beats is played, and which beats the drums mark.

All parts are written in bars of four quarter notes. A metre of three keeps the first three of them, so harmony, tune
and form are the same in every metre. Half-time and double-time move the backbeat and leave everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..catalogue.drums import DRUMS
from ..score import RATE, Feel, MetreName
from .groove import Stroke

WRITTEN_BEATS = 4  # quarter notes of a written bar


@dataclass(frozen=True)
class Metre:
    """One time signature. Tempos are written in quarter notes and told in beats."""

    name: MetreName
    quarters: int  # of a bar
    beats: int  # that are felt in a bar
    backbeat: tuple[int, ...]  # steps of 16 with the snare
    pulse: tuple[int, ...]  # steps of 16 with the kick

    @property
    def quarters_per_beat(self) -> float:
        return self.quarters / self.beats

    def played(self, beat: float) -> float:
        """Where a written position of a section is played, in quarter notes; what is cut lies at the bar's end."""
        bar, within = divmod(beat, WRITTEN_BEATS)
        return bar * self.quarters + min(within, self.quarters)

    def keeps(self, beat: float) -> bool:
        """Whether a note that is written here is played."""
        return beat % WRITTEN_BEATS < self.quarters - 1e-6

    def bar_frames(self, quarters_per_minute: float) -> int:
        """How many frames a bar has."""
        return round(self.quarters * 60.0 / quarters_per_minute * RATE)


METRES: Mapping[MetreName, Metre] = {
    "4/4": Metre("4/4", 4, 4, (4, 12), (0, 8)),
    "3/4": Metre("3/4", 3, 3, (4, 8), (0,)),
    "6/8": Metre("6/8", 3, 2, (6,), (0,)),
}
_BACKBEATS: Mapping[Feel, tuple[int, ...]] = {"half": (8,), "double": (2, 6, 10, 14)}
_PULSES: Mapping[Feel, tuple[int, ...]] = {"half": (0,), "double": (0, 4, 8, 12)}
_GHOST = 0.3  # a snare softer than this is an ornament


def drums_in(metre: Metre, feel: Feel, strokes: list[Stroke]) -> list[Stroke]:
    """The strokes of a bar in a metre and a feel, from those of a bar of four beats with a backbeat on 2 and 4."""
    if metre.name == "4/4" and not feel:
        return strokes
    backbeat = metre.backbeat if metre.name != "4/4" else _BACKBEATS[feel]
    pulse = metre.pulse if metre.name != "4/4" else _PULSES[feel]
    last = 4 * metre.quarters
    out = [s for s in strokes if s[1] < last and not _marks(s)]
    snares = {s[0]: s for s in strokes if _marks(s) and DRUMS[s[0]].limb == "snare"}
    softer = 0.8 if metre.quarters == 3 or feel == "double" else 1.0
    out += [(drum, step, v * softer) for drum, _, v in snares.values() for step in backbeat]
    kicks = [s for s in strokes if _marks(s) and s[0] == "kick"]
    if kicks:
        out += [("kick", step, max(v for _, _, v in kicks) * (1.0 if step == 0 else 0.87)) for step in pulse]
    return out


def _marks(stroke: Stroke) -> bool:
    """Whether a stroke marks the metre: a kick or a full backbeat."""
    drum, _, velocity = stroke
    return velocity >= _GHOST and (drum == "kick" or DRUMS[drum].limb == "snare")
