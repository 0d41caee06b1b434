"""Replans the rest of a piece after a steer; writes no notes.

What can change at the next bar changes there: instruments, drums, density, filters, ambience. Chords, tune and feel
follow at the next section, the key by way of its dominant, the tempo a few per cent a bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..catalogue.drums import KITS
from ..chance import Chance
from ..prompts.intent import Intent
from ..score import RATE
from ..spec import Band, PieceSpec, Section
from ..writing import harmony
from ..writing.comping import CHOPS, HELD
from ..writing.metres import METRES, Metre
from .casting import drum_limit, is_pad, make_band, melody_players, pad_plays_chords
from .form import SectionPlan, plan_form
from .memory import Memory
from .planner import blend_of, key_after_steer, metre_of, tempo_after_steer
from .sections import avoid_repeated_chords, avoid_repeated_sections, brightness, build_section, close_section
from .themes import make_themes, progressions_of
from .turns import assign_turns

_STEP = 0.035  # how much the tempo may change from bar to bar
_WAIT_BARS = 4  # the new chords come after this many bars at the latest
_SHORT_S = 12.0  # with less left, a finite piece keeps its form


def replan(
    spec: PieceSpec,
    index: int,
    given: int,
    intent: Intent,
    said: Intent,
    prompt: str,
    memory: Memory,
    turn: int,
    over_s: float,
) -> tuple[PieceSpec, Memory]:
    """The piece with new sections after the first ``given`` bars of section ``index``, and the memory after that.

    ``intent`` is all that holds from now on, ``said`` what the last prompt alone asked for.
    """
    here = spec.sections[index]
    if given >= here.bars:  # all that is left is the ring of its last chord
        return replace(spec, prompt=prompt), memory
    chance = Chance(spec.seed, spec.number, "turn", turn)
    blend = blend_of(intent, chance.of("blend"), own=False)  # the beat goes on under an added violin
    limit = drum_limit(intent, blend)
    keep = None if said.styles else spec.band.production
    band = _kept(spec.band, make_band(chance.of("band"), intent, blend, memory, keep), intent, said)
    played = (*spec.sections[:index], *([replace(here, bars=given)] if given else []))
    cut = replace(
        here, bars=here.bars - given, slots=harmony.unroll(here.slots, (here.bars - given) * 4.0, given * 4.0)
    )
    ahead = (cut, *spec.sections[index + 1 :])
    finite = ahead[-1].closing == "ring"
    left_frames = sum(_frames(s) for s in ahead)
    if finite and left_frames < _SHORT_S * RATE:
        kept = tuple(_resurfaced(s, intent, said, band, limit) for s in ahead)
        return replace(spec, prompt=prompt, band=band, sections=(*played, *kept)), memory

    before = here.tempo(given)  # the first bar keeps its length: it may be playing already
    target = tempo_after_steer(intent, said, blend, before)
    metre = metre_of(intent)
    key = key_after_steer(said, here.key)
    wait = max(1, min(cut.bars, _WAIT_BARS, max(2, round(over_s * RATE / METRES[here.metre].bar_frames(before)))))
    bridge = _resurfaced(cut, intent, said, band, limit)
    bridge = replace(bridge, bars=wait, slots=harmony.unroll(cut.slots, wait * 4.0), closing="", tail_frames=0)
    if key != here.key:
        bridge = replace(bridge, slots=harmony.lead_to(bridge.slots, here.key, key))
    bridge = replace(bridge, tempo_from=before, tempo_to=_reach(before, target, wait - 1), held=1)
    left_frames -= _frames(bridge)
    bars = max(12, sum(s.bars for s in ahead) - wait)
    form = chance.of("parts")
    if finite:
        bars = _most_bars(left_frames, bridge.tempo_to, target, metre)
    parts = plan_form(form, spec.form, bars, finite, intro=False)
    tempos = _tempos([p.bars for p in parts], bridge.tempo_to, target)
    style = blend.draw(chance.of("style"))
    themes, taken = make_themes(chance.of("themes"), intent, blend, style, band, key, target, memory)
    rest: list[Section] = []
    for i, part in enumerate(parts):
        section = build_section(
            chance.of("section", i), _early(part, i), parts, i, themes, intent, blend, band, key, target
        )
        section = replace(section, metre=metre.name, feel=intent.feel)
        rest.append(replace(section, tempo_from=tempos[i][0], tempo_to=tempos[i][1]))
    tail = left_frames - sum(_frames(s) for s in rest) if finite else 0
    rest[-1] = close_section(rest[-1], key, max(0, tail))
    rest = list(assign_turns(avoid_repeated_sections(avoid_repeated_chords(tuple(rest)), themes, band), intent, band))
    players = band.instruments
    memory = memory.with_turn(
        taken, progressions_of(themes, key.minor), players.get("keys", ""), players.get("lead", ""), target
    )
    memory = replace(memory, next_tonic=key.tonic, next_minor=key.minor)
    return replace(spec, prompt=prompt, band=band, sections=(*played, bridge, *rest)), memory


def _frames(section: Section) -> int:
    return (
        sum(METRES[section.metre].bar_frames(section.tempo(bar)) for bar in range(section.bars)) + section.tail_frames
    )


def _kept(old: Band, new: Band, intent: Intent, said: Intent) -> Band:
    """The new band, keeping the players of the old one unless the prompt excludes or replaces them."""
    if said.styles or intent.only:
        return new
    players = {
        role: old.instruments[role]
        if role in old.instruments
        and old.instruments[role] not in intent.avoid.names
        and instrument not in said.instruments
        else instrument
        for role, instrument in new.instruments.items()
    }
    return replace(
        new,
        instruments=players,
        kit=said.kit or (new.kit if old.kit in intent.avoid.kits else old.kit),
        swing=old.swing,
        swing_unit=old.swing_unit,
        feel_ms=old.feel_ms,
    )


def _resurfaced(section: Section, intent: Intent, said: Intent, band: Band, limit: int) -> Section:
    """A section with its chords and tune, played by the new band."""
    roles = [r for r in section.roles if r in band.instruments]
    asked = [r for r, i in band.instruments.items() if (i in said.instruments or r in said.parts) and r not in roles]
    tunes = [i for i in melody_players(intent) if i in said.instruments]
    sings = "lead" in band.instruments and (bool(tunes) or "melody" in said.parts)
    roles += asked + (["lead"] if sings and "lead" not in (*roles, *asked) else [])
    players = {r: i for r, i in section.players.items() if r in band.instruments and i not in intent.avoid.names}
    players |= {"lead": tunes[0]} if sings and tunes else {}
    players |= {r: i for r, i in band.instruments.items() if r != "lead" and i in said.instruments and r in players}
    if not {"keys", "pad"} & set(roles):
        roles = [r for r in ("keys", "pad") if r in band.instruments][:1] + roles
    if (
        "pad" in roles
        and intent.mood("dense") < -0.3
        and len(roles) > 2
        and not any(is_pad(name) for name in intent.instruments)
    ):
        roles.remove("pad")
    drums = min(section.drums, limit)
    if intent.drums and drums < 2:
        drums = min(2, limit)
    comp = HELD if pad_plays_chords(band) and section.comp != CHOPS else section.comp
    return replace(
        section,
        roles=tuple(roles) or tuple(band.instruments)[:1],
        drums=drums,
        players=players,
        phrase="call" if sings else section.phrase,  # it begins at once
        comp=comp,
        hats=_hats(section, intent, band),
        feel=intent.feel,
        energy=max(0.1, min(1.0, section.energy + 0.2 * intent.mood("energy"))),
        bright=brightness(section.name, section.energy, intent),
        fill=section.fill and drums >= 2,
        drop=section.drop and drums >= 2,
    )


def _hats(section: Section, intent: Intent, band: Band) -> str:
    if KITS[band.kit].brushed:
        return "brushes"
    refused = section.hats == "brushes" or section.hats in intent.avoid.names
    return intent.hats or ("eighths" if refused else section.hats)


def _reach(tempo: float, target: float, bars: int) -> float:
    """The tempo after ``bars`` bars on the way to ``target``."""
    return max(tempo * (1 - _STEP * bars), min(tempo * (1 + _STEP * bars), target))


def _tempos(bars: Sequence[int], tempo: float, target: float) -> list[tuple[float, float]]:
    """The tempo before and at the end of each section."""
    out = []
    for count in bars:
        reached = _reach(tempo, target, count)
        out.append((tempo, reached))
        tempo = reached
    return out


def _most_bars(frames: int, tempo: float, target: float, metre: Metre) -> int:
    """How many bars fit into ``frames`` while the tempo moves to ``target``, however they are grouped into sections."""
    slow = min(tempo, target)
    if abs(tempo / target - 1.0) < 1e-9:
        return max(1, frames // metre.bar_frames(target))
    count, used, at = 0, 0, tempo
    while True:
        at = _reach(at, target, 1) if target > tempo else target if count == 0 else slow
        used += metre.bar_frames(min(at, tempo) if target > tempo else target)
        if used > frames:
            return max(1, count)
        count += 1


def _early(part: SectionPlan, place: int) -> SectionPlan:
    """The first section after a steer, strong enough for the change to be heard."""
    return part if place or not part.name.startswith("A") else replace(part, energy=max(part.energy, 0.7))
