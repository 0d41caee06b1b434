"""Keeps a station whose engine is slower than real time from running dry; knows neither threads nor sound.

The engine is asked for less before the reserve is out: it works ahead while something else is heard, and its music is
aired in whole stretches. Where the engine declares lighter options, those are asked for first. One threshold to begin
and a higher one to end keep it from wavering.
"""

from __future__ import annotations

from dataclasses import dataclass

SLOW = 1.0  # an engine that makes fewer seconds of music in a second cannot be heard all the time
FAST = 1.25  # one that makes this many can again
BRISK = 3.0  # one that makes this many is trusted at once
HALF = 0.5  # of the reserve: above it nothing is done
STRETCH_S = 30.0  # how far a slow engine works ahead before it is heard again
RETURN_S = 4.0  # how far one that is quick enough works ahead before it takes over
BEGIN_S = 1.0  # the same for one that has not been replaced
EVEN_S = 6.0  # music that has to be made before the speed says anything


@dataclass(frozen=True)
class Pace:
    """How fast an engine is, as measured."""

    speed: float  # seconds of music made in a second of work
    made_s: float  # that were measured

    @property
    def known(self) -> bool:
        return self.made_s >= EVEN_S


class Governor:
    """For one station. ``lighter`` counts the steps of lighter options that the engine declares."""

    def __init__(self, lighter: int = 0) -> None:
        self.sharing = False  # the engine is heard in stretches
        self.level = 0  # how many lighter steps are asked for
        self.lighter = lighter

    def look(self, pace: Pace, reserve_s: float, target_s: float) -> bool:
        """Whether anything changed."""
        if not self.sharing:
            if pace.known and pace.speed < SLOW and reserve_s < HALF * target_s:
                self.sharing = True
                self.level = min(self.level + 1, self.lighter)
                return True
            if self.level and pace.known and pace.speed > BRISK:
                self.level -= 1  # for the next stream: one that is heard is not broken off for it
        elif pace.known and pace.speed > FAST:
            self.sharing = False
            return True
        return False

    def margin_s(self, pace: Pace, replaced: bool) -> float:
        """How much has to be made ahead before the engine is heard; ``replaced``: something else is heard now."""
        if not replaced and pace.speed >= BRISK:
            return BEGIN_S
        return STRETCH_S if self.sharing or pace.speed < FAST else RETURN_S
