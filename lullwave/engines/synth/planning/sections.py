"""Turns section plans into sections with chords, roles, patterns and cadences.

Writes no notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..catalogue.instruments import Role
from ..chance import Chance
from ..prompts.intent import Intent
from ..spec import Band, Section, Slot
from ..theory import Key
from ..writing import harmony
from ..writing.comping import HELD
from .blend import Blend
from .casting import beat_leads, drum_limit, is_pad, leads_by_name, unaccompanied
from .form import SectionPlan
from .themes import HALF_BARS_BPM, Theme

_TONIC = {True: "m9", False: "maj9"}
_ALONE = ("intro", "A", "A'", "break")  # sections of a soloist without accompaniment
_BEAT_FIRST, _DRUM_BREAK = 0.6, 0.5  # how likely a loop's beat is whole from the first bar, and alone in the break


def build_section(
    chance: Chance,
    part: SectionPlan,
    parts: list[SectionPlan],
    index: int,
    themes: dict[str, Theme],
    intent: Intent,
    blend: Blend,
    band: Band,
    key: Key,
    tempo: float,
) -> Section:
    """A planned section with everything that the composer needs."""
    theme = themes[part.theme]
    limit = drum_limit(intent, blend)
    drums = min(part.drums, limit)
    if intent.drums and part.drums == 0 and part.name == "break":
        drums = 1
    if theme.loop_bars or limit == 3:  # the beat is there from the first bar
        full = 3 if theme.loop_bars else 2
        drums = min(limit, max(drums, full if part.name[0] in "ABC" else 1))
        if theme.loop_bars and part.name == "intro" and chance.of("beat").yes(_BEAT_FIRST):
            drums = min(limit, 2)
    if intent.only and intent.drums:  # there is little else to hear
        drums = min(limit, max(2, part.drums))
    roles = _roles(chance, part, index, intent, blend, band, limit)
    if theme.loop_bars and limit == 3 and part.name == "break" and chance.of("beat").yes(_DRUM_BREAK):
        drums = 3
        roles = tuple(r for r in roles if r == "bass" or band.instruments[r] in band.featured) or roles
    comp = theme.comp
    if part.name in ("break", "intro") and comp not in ("picking", "bossa"):
        comp = _calm(comp)
    if part.border:  # as full on this side of the join as on the other
        roles = (*roles, *(r for r in ("keys", "bass", "pad") if r in band.instruments and r not in roles))
        drums = min(limit, 1)
        comp = comp if comp not in ("whole", "roll", "low_top") else HELD
    slots = harmony.unroll(theme.loop, part.bars * 4.0)
    earlier = [p for p in parts[:index] if p.theme == part.theme]
    lent = earlier and len(earlier) % 2 == 1 and part.name[0] in "ABC" and tempo <= HALF_BARS_BPM
    if lent and not theme.loop_bars and chance.yes(blend.number(lambda style: style.borrow)):
        slots = harmony.borrow(chance.of("borrow"), slots, key.minor, rich=blend.leading() not in ("folk", "zen"))
    energy = max(0.1, min(1.0, part.energy + 0.2 * intent.mood("energy")))
    return Section(
        name=part.name,
        bars=part.bars,
        tonic=key.tonic,
        minor=key.minor,
        slots=slots,
        roles=roles,
        drums=drums,
        kick=theme.kick,
        hats=theme.hats,
        comp=comp,
        bass=theme.bass,
        motif=theme.motif,
        phrase=theme.phrase,
        spread=part.theme == "B",
        energy=energy,
        bright=brightness(part.name, part.energy, intent),
        tempo_from=tempo,
        tempo_to=tempo,
        fill=part.fill and drums >= 2 and "fills" not in intent.avoid.names,
        drop=part.drop and drums >= 2,
        closing=part.closing,
        border=part.border,
        loop_bars=theme.loop_bars,
        theme=part.theme,
    )


def close_section(section: Section, following: Key, tail: int) -> Section:
    """The last section with its cadence: home and ringing, or towards the next piece."""
    key = section.key
    home = Slot(4.0, 0, _TONIC[key.minor])
    if section.closing == "turn":
        slots = (*harmony.unroll(section.slots, section.bars * 4.0 - 4.0), home) if section.bars > 1 else (home,)
        if following != key:
            slots = harmony.lead_to(slots, key, following)
        return replace(section, slots=slots)
    known = {s.degree: s.quality for s in section.slots}
    lead_in: tuple[Slot, ...] = (
        Slot(2.0, 5, known.get(5, "m7" if key.minor else "maj7")),
        Slot(2.0, 7, known.get(7, "7sus4" if key.minor else "9sus4")),
    )
    if section.tempo_to > HALF_BARS_BPM:
        lead_in = (Slot(4.0, lead_in[1].degree, lead_in[1].quality),)
    home = Slot(4.0, 0, known.get(0, home.quality))
    if section.bars == 1:
        slots = (home,)
    elif section.bars == 2:
        slots = (*lead_in, home)
    else:
        before = harmony.unroll(section.slots, section.bars * 4.0 - 8.0)
        if before[-1].degree == lead_in[0].degree:  # the cadence has begun already
            degree = 8 if key.minor else 2
            lead_in = (Slot(2.0, degree, known.get(degree, "maj7" if key.minor else "m7")), *lead_in[1:])
            if section.tempo_to > HALF_BARS_BPM:
                lead_in = (Slot(4.0, degree, lead_in[0].quality),)
        slots = (*before, *lead_in, home)
    return replace(section, slots=slots, tail_frames=tail)


def avoid_repeated_chords(sections: tuple[Section, ...]) -> tuple[Section, ...]:
    """The sections; where two neighbours would share a chord at their border, the first leaves it half a bar early."""
    out = list(sections)
    for i, section in enumerate(out[:-1]):
        last, after = section.slots[-1], out[i + 1].slots[0]
        if last.degree != after.degree or section.key != out[i + 1].key:
            continue
        near = {last.degree, *(s.degree for s in section.slots[-2:-1])}
        degrees = [d for d in ((10, 7, 5) if section.minor else (7, 5, 2)) if d not in near]
        known = {s.degree: s.quality for one in out for s in one.slots}
        degree = next((d for d in degrees if d in known), degrees[0])
        way = Slot(last.beats, degree, known.get(degree, "7sus4"))
        if last.beats < 4.0 or section.tempo_to > HALF_BARS_BPM:
            slots = (*section.slots[:-1], way)
        else:
            slots = (*section.slots[:-1], replace(last, beats=last.beats / 2), replace(way, beats=last.beats / 2))
        out[i] = replace(section, slots=slots)
    return tuple(out)


def avoid_repeated_sections(
    sections: tuple[Section, ...], themes: Mapping[str, Theme], band: Band
) -> tuple[Section, ...]:
    """The sections, each arranged differently from the one before it."""
    out = list(sections)
    for i in range(1, len(out)):
        before, here = out[i - 1], out[i]
        if (before.roles, before.drums, before.slots) != (here.roles, here.drums, here.slots):
            continue
        comps = [t.comp for t in themes.values() if t.comp != before.comp]
        if "pad" in here.roles and len(here.roles) > 2:
            out[i] = replace(here, roles=tuple(r for r in here.roles if r != "pad"))
        elif "pad" in band.instruments:
            out[i] = replace(here, roles=(*here.roles, "pad"))
        elif comps and comps[0] != before.comp:
            out[i] = replace(here, comp=comps[0])
        elif len(here.roles) > 1:
            out[i] = replace(here, roles=here.roles[:-1])
    return tuple(out)


def brightness(name: str, energy: float, intent: Intent) -> float:
    """Factor of the cutoff frequencies of a section."""
    own = {"intro": 0.75, "break": 0.7, "outro": 0.8}.get(name, 0.88 + 0.2 * energy)
    return float(own * 2.0 ** (1.1 * intent.mood("bright")))


def _calm(comp: str) -> str:
    return {
        "stabs": "and_of_two",
        "arp16": "arpeggio",
        "charleston": "and_of_two",
        "pulse": "whole",
        "late": "low_top",
    }.get(comp, comp)


def _roles(
    chance: Chance, part: SectionPlan, index: int, intent: Intent, blend: Blend, band: Band, limit: int
) -> tuple[Role, ...]:
    if unaccompanied(intent) and part.name in _ALONE and not part.border and not part.closing:
        return ("lead",)
    roles = [r for r in part.roles if r in band.instruments]
    padded = blend.number(lambda style: style.pad) + 0.35 * intent.mood("dense") + 0.2 * intent.mood("wet")
    if any(is_pad(name) for name in intent.instruments):
        padded = 1.0
    if "pad" in roles and not chance.yes(max(0.0, min(1.0, padded + 0.25))) and len(roles) > 2:
        roles.remove("pad")
    elif "pad" not in roles and "pad" in band.instruments and chance.yes(max(0.0, padded - 0.45)):
        roles.append("pad")
    if intent.mood("dense") < -0.3 and "answer" in roles:
        roles.remove("answer")
    if beat_leads(intent) and limit == 3:  # chords and bass under the drums, a tune in between
        roles = [r for r in roles if r in ("keys", "bass") or (r == "lead" and part.theme != "A")]
        if part.name == "A" and "bass" in roles:
            roles = ["bass"]
    elif "keys" not in roles and "pad" not in roles and "keys" in band.instruments:
        roles.insert(0, "keys")
    if "keys" in band.instruments and band.instruments["keys"] in band.featured and "keys" not in roles:
        roles.append("keys")  # what is named is there from the first bar
    sings = index < 2 or part.name[0] in "ABC"
    if sings and "lead" not in roles and leads_by_name(band):
        roles.append("lead")
    if (
        limit == 0
        and part.name not in ("intro", "break", "outro")
        and "bass" in band.instruments
        and "bass" not in roles
    ):
        roles.append("bass")
    return tuple(roles) or tuple(band.instruments)[:1]
