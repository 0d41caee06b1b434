"""Plans the form of a piece: its sections, the roles that play in each, and their energy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..catalogue.instruments import Role
from ..chance import Chance


@dataclass(frozen=True)
class SectionPlan:
    """A planned section; sections with the same ``theme`` share chords and melody."""

    name: str
    bars: int
    theme: str
    roles: tuple[Role, ...]
    drums: int
    energy: float
    fill: bool = False
    drop: bool = False
    closing: str = ""
    border: bool = False  # another piece joins here: the arrangement must be full


# (name, theme, roles: k keys, b bass, p pad, l lead, a answer; drums 0-3; energy)
_Unit = tuple[str, str, str, int, float]
# For each form: the intro, the units of four bars in order (a longer piece repeats them from the second), the break,
# and the outro.
FORMS: dict[str, tuple[_Unit, tuple[_Unit, ...], _Unit, _Unit]] = {
    "arch": (
        ("intro", "A", "kp", 0, 0.35),
        (
            ("A", "A", "kb", 2, 0.6),
            ("A'", "A", "kbl", 3, 0.75),
            ("B", "B", "kbpl", 3, 0.85),
            ("A''", "A", "kbla", 3, 0.8),
            ("B'", "B", "kbla", 3, 0.9),
            ("A'''", "A", "kbpl", 3, 0.85),
        ),
        ("break", "B", "kpl", 0, 0.4),
        ("outro", "A", "kbp", 1, 0.4),
    ),
    "song": (
        ("intro", "A", "kb", 1, 0.4),
        (
            ("A", "A", "kbl", 3, 0.7),
            ("B", "B", "kbpla", 3, 0.8),
            ("A'", "A", "kbp", 2, 0.65),
            ("B'", "B", "kbpl", 3, 0.9),
            ("A''", "A", "kbla", 3, 0.85),
        ),
        ("break", "A", "kl", 1, 0.45),
        ("outro", "B", "kbp", 0, 0.4),
    ),
    "late drums": (
        ("intro", "A", "k", 0, 0.3),
        (
            ("A", "A", "kbl", 1, 0.5),
            ("A'", "A", "kbl", 3, 0.75),
            ("B", "B", "kbpa", 3, 0.8),
            ("A''", "A", "kbpl", 3, 0.9),
            ("B'", "B", "kbl", 2, 0.75),
        ),
        ("break", "B", "kbp", 1, 0.45),
        ("outro", "A", "kpb", 1, 0.4),
    ),
    "rondo": (
        ("intro", "B", "kp", 1, 0.4),
        (
            ("A", "A", "kbl", 3, 0.7),
            ("B", "B", "kbp", 2, 0.65),
            ("A'", "A", "kbpla", 3, 0.85),
            ("C", "C", "kbl", 3, 0.8),
            ("A''", "A", "kbpl", 3, 0.9),
        ),
        ("break", "C", "kpl", 0, 0.4),
        ("outro", "A", "kb", 1, 0.45),
    ),
    "slow build": (
        ("intro", "A", "p", 1, 0.3),
        (
            ("A", "A", "kp", 1, 0.4),
            ("A'", "A", "kbp", 2, 0.6),
            ("A''", "A", "kbpl", 3, 0.8),
            ("B", "B", "kbpla", 3, 0.95),
            ("B'", "B", "kbl", 3, 0.85),
        ),
        ("break", "B", "kp", 1, 0.4),
        ("outro", "A", "kpl", 0, 0.35),
    ),
    "ballad": (
        ("intro", "A", "kl", 0, 0.35),
        (
            ("A", "A", "kb", 2, 0.6),
            ("B", "B", "kbl", 3, 0.75),
            ("A'", "A", "kbpl", 3, 0.8),
            ("B'", "B", "kbpa", 2, 0.7),
            ("A''", "A", "kbpla", 3, 0.85),
        ),
        ("break", "A", "kl", 0, 0.4),
        ("outro", "B", "kbp", 1, 0.4),
    ),
    "verse and refrain": (
        ("intro", "B", "kb", 0, 0.4),
        (
            ("A", "A", "kb", 2, 0.6),
            ("A'", "A", "kbl", 3, 0.7),
            ("B", "B", "kbpl", 3, 0.9),
            ("B'", "B", "kbpla", 3, 0.95),
            ("A''", "A", "kbl", 2, 0.7),
        ),
        ("break", "A", "kp", 1, 0.4),
        ("outro", "A", "kpb", 0, 0.4),
    ),
    "solo": (
        ("intro", "A", "kbp", 1, 0.4),
        (
            ("A", "A", "kbl", 3, 0.7),
            ("A'", "A", "kba", 3, 0.75),
            ("B", "B", "kbpl", 3, 0.85),
            ("C", "C", "kbla", 2, 0.75),
            ("A''", "A", "kbpla", 3, 0.9),
        ),
        ("break", "C", "kb", 1, 0.45),
        ("outro", "A", "kp", 0, 0.35),
    ),
}
_ROLES: dict[str, Role] = {"k": "keys", "b": "bass", "p": "pad", "l": "lead", "a": "answer"}


def plan_form(
    chance: Chance, form: str, bars: int, finite: bool, intro: bool = True, joins: bool = False
) -> list[SectionPlan]:
    """Plan the sections of a form, ``bars`` long in total.

    ``finite``: the piece ends with a chord that rings out. ``joins``: it follows another piece without a break.
    """
    opening, units, pause, outro = FORMS[form]
    closing = "ring" if finite else "turn"
    if bars <= 3:
        return [_part(units[1], max(1, bars), closing=closing)]
    if bars <= 7:
        return [_part(units[1], bars - 1, fill=False), _part(outro, 1, closing=closing)]
    head = 0 if not intro else 4 if bars >= 36 or (bars >= 22 and chance.yes(0.4)) else 2
    tail = 4 if bars >= 36 else 2
    body = bars - head - tail
    rest = body % 4
    breaks = 0
    if rest == 2:
        breaks, rest = 2, 0
    elif rest == 3:
        breaks, rest = 2, 1
    if breaks == 0 and body >= 24:
        breaks = 4
    tail += rest
    count = (body - breaks - rest) // 4
    chosen = list(units[:count]) if count <= len(units) else [units[0], *_round(units[1:], count - 1)]
    if count == len(units) - 1 and chance.yes(0.5):
        chosen = [*units[: count - 1], units[-1]]
    parts = [_part(opening, head, fill=True)] if head else []
    where = max(1, round(count * chance.pick((0.5, 0.6, 0.75)))) if breaks else -1
    if where == count:
        where = count - 1
    for k, unit in enumerate(chosen):
        if k == where and breaks:
            parts.append(_part(pause, breaks, fill=True))
        before_change = k + 1 == count or chosen[k + 1][1] != unit[1]
        drop = before_change and chance.yes(0.35)
        parts.append(_part(_renamed(unit, k, len(units)), 4, fill=before_change or chance.yes(0.5), drop=drop))
    if breaks and not 0 <= where < count:
        parts.append(_part(pause, breaks))
    name, theme, roles, _, energy = outro
    parts.append(_part((name, theme, roles, 2 if tail >= 3 else 1, energy), tail, closing=closing))
    parts = _distinct(parts)
    if joins:
        parts[0] = replace(parts[0], border=True)
    if not finite:
        parts[-1] = replace(parts[-1], border=True)
    return parts


def _round(units: tuple[_Unit, ...], count: int) -> list[_Unit]:
    return [units[k % len(units)] for k in range(count)]


def _renamed(unit: _Unit, place: int, around: int) -> _Unit:
    """Give a unit more energy when it is repeated."""
    name, theme, roles, drums, energy = unit
    if place < around:
        return unit
    return (name, theme, roles, drums, min(1.0, energy + 0.05))


def _part(unit: _Unit, bars: int, fill: bool = False, drop: bool = False, closing: str = "") -> SectionPlan:
    name, theme, roles, drums, energy = unit
    return SectionPlan(name, bars, theme, tuple(_ROLES[r] for r in roles), drums, energy, fill, drop, closing)


def _distinct(parts: list[SectionPlan]) -> list[SectionPlan]:
    """Make neighbouring sections differ: if two would sound alike, the second gains or loses its pad."""
    out = parts[:1]
    for part in parts[1:]:
        if (part.roles, part.theme, part.drums) == (out[-1].roles, out[-1].theme, out[-1].drums):
            roles = tuple(r for r in part.roles if r != "pad") if "pad" in part.roles else (*part.roles, "pad")
            part = SectionPlan(
                part.name, part.bars, part.theme, roles, part.drums, part.energy, part.fill, part.drop, part.closing
            )
        out.append(part)
    return out
