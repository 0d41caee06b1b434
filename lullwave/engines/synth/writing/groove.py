"""Drum patterns, and the timing of every stroke and note: swing, push and pull, human spread.

Knows bars, beats and steps of sixteen; knows neither chords nor sound.
"""

from __future__ import annotations

from ..catalogue.drums import DRUMS, KITS, DrumName, KitName
from ..chance import Chance
from ..score import LOOKAHEAD_S, Hit

BEATS = 4
Stroke = tuple[DrumName, int, float]  # drum, step of sixteen, velocity
KICKS: tuple[tuple[int, ...], ...] = ((0, 10), (0, 7, 10), (0, 6, 10), (0, 3, 10), (0, 10, 11), (0, 8, 14), (0, 8, 10))
STYLE_KICKS: dict[str, tuple[tuple[int, ...], ...]] = {
    "synthwave": ((0, 8), (0, 4, 8, 12), (0, 8, 10)),
    "electronic": ((0, 4, 8, 12),),
    "bossa": ((0, 6, 8, 14), (0, 8, 14)),
    "jazz": ((0, 8), (0, 10), (0,)),
    "soul": ((0, 7, 10), (0, 3, 10), (0, 2, 10)),
    "citypop": ((0, 8, 10), (0, 6, 8), (0, 3, 8)),
}
HATS = ("open", "eighths", "sixteenths", "offbeats", "ride", "shaker", "brushes", "bossa")

_SPREAD_MS = {"drums": 3.5, "bass": 4.5, "keys": 7.0, "lead": 7.0, "answer": 7.0, "pad": 8.0}
_SWUNG = {"hat": 1.0, "drums": 0.85, "bass": 0.8, "keys": 0.6, "lead": 0.8, "answer": 0.8, "pad": 0.0}


def swung(beat: float, swing: float, unit: float) -> float:
    """Where a beat falls when the second half of each ``2 * unit / 2`` is late: 0.5 is straight.

    ``unit`` is the length of the pair in beats: 0.5 swings sixteenths, 1.0 swings eighths.
    """
    whole, part = divmod(beat, unit)
    part /= unit
    bent = part * 2.0 * swing if part < 0.5 else swing + (part - 0.5) * 2.0 * (1.0 - swing)
    return (whole + bent) * unit


def part_swing(swing: float, part: str) -> float:
    """Each part has its own share of the swing."""
    return 0.5 + (swing - 0.5) * _SWUNG[part]


class PlayerTiming:
    """The timing and weight of one player in one bar: correlated jitter, not white noise."""

    def __init__(self, chance: Chance, part: str, feel_ms: float) -> None:
        self._chance = chance
        self._sigma_ms = _SPREAD_MS[part]
        self._feel_ms = feel_ms
        self._drift = chance.normal(1.0)

    def delay_s(self) -> float:
        """How late the next stroke is."""
        self._drift = 0.5 * self._drift + 0.866 * self._chance.normal(1.0)
        jitter = max(-2.5, min(2.5, self._drift)) * self._sigma_ms
        return (self._feel_ms + jitter) / 1000.0

    def weight(self, velocity: float, *note: int) -> float:
        """The velocity as played; ``note`` names a note whose weight depends on no other note."""
        chance = self._chance.of(*note) if note else self._chance
        return max(0.05, min(1.0, velocity * (1.0 + chance.normal(0.07))))


def strokes(
    chance: Chance,
    level: int,
    kick: tuple[int, ...],
    hats: str,
    kit: KitName,
    energy: float,
    bar: int,
    fill: str,
    silent_from: int,
) -> list[Stroke]:
    """One bar of drums as (drum, step of 16, velocity). ``silent_from`` is 16 unless the drums drop out."""
    out: list[Stroke] = []
    if level <= 0:
        return out
    soft = 0.72 + 0.28 * energy
    if level >= 2:
        out += _kicks(chance, kick, bar, soft)
        out += _backbeat(chance, kit, hats, level, soft)
    out += _cymbals(chance, hats, level, energy, bar)
    out = [stroke for stroke in out if stroke[1] < silent_from]
    return _filled(out, fill, soft)


def _kicks(chance: Chance, kick: tuple[int, ...], bar: int, soft: float) -> list[Stroke]:
    out: list[Stroke] = []
    for step in kick:
        if step in (0, 8) or chance.yes(0.92):
            out.append(("kick", step, (0.92 if step == 0 else 0.8) * soft))
    if bar % 4 == 3 and chance.yes(0.45):
        step = chance.pick((6, 11, 14))
        if step not in kick:
            out.append(("kick", step, 0.62 * soft))
    elif chance.yes(0.08):
        out.append(("kick", chance.pick((5, 13)), 0.35 * soft))
    return out


def _backbeat(chance: Chance, kit: KitName, hats: str, level: int, soft: float) -> list[Stroke]:
    if hats == "bossa":
        clave = (0, 3, 6, 10, 12) if chance.yes(0.5) else (0, 3, 6, 10, 13)
        return [("rim", step, (0.62 if step in (0, 10) else 0.5) * soft) for step in clave]
    drums = KITS[kit]
    if drums.brushed:
        return [(drums.backbeat, step, 0.75 * soft) for step in (4, 12)]
    drum = drums.backbeat if level >= 3 else drums.soft_backbeat
    out: list[Stroke] = [(drum, step, 0.82 * soft) for step in (4, 12)]
    if drums.clap and level >= 3:
        out += [("clap", step, 0.5 * soft) for step in (4, 12)]
    if level >= 3:
        out += [("snare", s, chance.between(0.15, 0.28) * soft) for s in (7, 9, 15) if chance.yes(0.24)]
    return out


def _cymbals(chance: Chance, hats: str, level: int, energy: float, bar: int) -> list[Stroke]:
    out: list[Stroke] = []
    loud = 0.5 + 0.16 * energy
    if hats == "brushes":
        out += [("brush_sweep", step, 0.42 * (1.0 if step % 8 == 0 else 0.8)) for step in (0, 4, 8, 12)]
        ride = (0, 4, 6, 8, 12, 14)  # ding, ding-a ding: the sixth and fourteenth are the skipped notes
        out += [("ride", s, loud * (0.85 if s in (4, 12) else 0.62 if s % 4 == 0 else 0.45)) for s in ride]
        out += [("pedal_hat", s, 0.5 * loud) for s in (4, 12)]
        return out
    if hats == "ride":
        return [
            ("ride", s, loud * (0.85 if s % 4 == 0 else 0.6)) for s in range(0, 16, 2) if s % 4 == 0 or chance.yes(0.9)
        ]
    if hats == "open":  # as dance music has them: opened between the beats
        out += [("open_hat", step, loud * 0.95) for step in (2, 6, 10, 14)]
        out += [("hat", s, loud * (0.6 if s % 4 == 0 else 0.35)) for s in range(16) if s % 4 != 2 and chance.yes(0.9)]
        return out
    drum: DrumName = "shaker" if hats in ("shaker", "bossa") else "hat"
    if hats in ("sixteenths", "shaker", "bossa"):
        for step in range(16):
            if chance.yes(0.96 if step % 2 == 0 else 0.85):
                accent = (1.0, 0.55, 0.8, 0.55)[step % 4]
                out.append((drum, step, loud * accent))
    else:
        steps = range(0, 16, 2) if hats == "eighths" else range(2, 16, 4)
        for step in steps:
            if step % 4 == 0 or chance.yes(0.93):
                out.append((drum, step, loud * (1.0 if step % 4 == 0 else 0.66)))
        if hats == "eighths" and chance.yes(0.3):
            out.append((drum, chance.pick((3, 7, 11, 15)), loud * 0.4))
    if drum == "hat" and level >= 3 and bar % 4 == 3 and chance.yes(0.6):
        out = [s for s in out if s[1] != 14]
        out.append(("open_hat", 14, loud * 0.8))
    return out


def pick_fill(chance: Chance, bar: int, bars: int, leads_out: bool, looped: bool = False) -> str:
    """Which fill a bar of a section has: where a section ends often, at every fourth bar of no loop sometimes."""
    if bar == bars - 1 and leads_out and chance.yes(0.5 if looped else 0.75):
        return chance.pick(("toms", "drag", "stutter", "hats_off", "triplet"))
    if not looped and bar % 4 == 3 and chance.yes(0.25):
        return chance.pick(("hats_off", "drag", "stutter"))
    return ""


def _filled(strokes: list[Stroke], fill: str, soft: float) -> list[Stroke]:
    if not fill:
        return strokes
    if fill == "hats_off":
        return [s for s in strokes if s[0] not in ("hat", "shaker", "ride") or s[1] < 8]
    if fill == "stutter":
        return [*strokes, ("kick", 13, 0.6 * soft), ("kick", 15, 0.5 * soft)]
    if fill == "drag":
        return [*strokes, ("snare", 13, 0.3 * soft), ("snare", 14, 0.42 * soft), ("snare", 15, 0.6 * soft)]
    kept = [s for s in strokes if s[1] < 12 or (s[0] in ("kick", "snare") and s[1] == 12)]
    if fill == "triplet":
        return [*kept, ("rim", 13, 0.5 * soft), ("tom_high", 14, 0.5 * soft), ("tom_low", 15, 0.55 * soft)]
    return [*kept, ("tom_high", 13, 0.5 * soft), ("tom_high", 14, 0.55 * soft), ("tom_low", 15, 0.62 * soft)]


_GROUPS: dict[str, tuple[DrumName, ...]] = {
    "kick": ("kick",),
    "snare": ("snare", "clap", "brush_tap"),
    "hat": ("hat", "open_hat", "pedal_hat", "ride"),
}
_INSTEAD: dict[str, DrumName] = {"kick": "tom_low", "snare": "rim", "hat": "shaker"}


def replace_muted(strokes: list[Stroke], muted: tuple[str, ...]) -> list[Stroke]:
    """The strokes, with other drums in the place of those that were refused."""
    for group in muted:
        gone = _GROUPS[group]
        strokes = [
            (_INSTEAD[group], step, velocity) if drum in gone else (drum, step, velocity)
            for drum, step, velocity in strokes
            if drum not in gone or (group != "kick" and velocity >= 0.3)
        ]
    return strokes


def place_hits(
    chance: Chance,
    strokes: list[Stroke],
    beat_s: float,
    swing: float,
    unit: float,
    feel_ms: dict[str, float],
) -> list[Hit]:
    """The strokes of a bar as hits with human timing; of two on one drum at once, the louder."""
    hands: dict[str, PlayerTiming] = {}
    hits: list[Hit] = []
    loudest: dict[tuple[int, DrumName], float] = {}
    for drum, step, velocity in strokes:
        loudest[step, drum] = max(velocity, loudest.get((step, drum), 0.0))
    for (step, drum), velocity in sorted(loudest.items()):
        limb = DRUMS[drum].limb
        hand = hands.get(limb)
        if hand is None:
            hand = hands[limb] = PlayerTiming(chance.of(limb), "drums", feel_ms.get(limb, 0.0))
        at = swung(step / 4.0, part_swing(swing, "hat" if limb == "hat" else "drums"), unit) * beat_s
        hits.append(Hit(drum, max(-LOOKAHEAD_S, at + hand.delay_s()), hand.weight(velocity)))
    return hits
