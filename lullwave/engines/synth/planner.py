"""Plans pieces: from wishes, chance and the memory of what was played to a ``PieceSpec``; writes no notes.

Explicit wishes win over everything. Where they leave room, variety decides: no progression again within ten pieces,
no pair of comping and leading instrument within four, no key within three, no motif ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from . import groove, harmony, melody
from .bass import LOFI_CELLS
from .casting import draw_hats, drum_limit, make_band
from .chance import Chance
from .composer import bar_frames, voiced
from .event import Sounding
from .form import FORMS, Part, plan_form
from .memory import Heard, Memory
from .score import RATE
from .spec import Band, MotifNote, PieceSpec, Section, Slot
from .styles import Blend, Style
from .theory import Key
from .titles import make_title
from .wishes import Wishes

_HALF_BARS_BPM = 96.0  # up to which two chords in a bar are 1.25 s each
T = TypeVar("T")

SHORTEST_S, LONGEST_S = 95.0, 200.0  # of an endless stream's pieces
_TEMPO_STEP = 0.078
_MOST_CHORDS = 7  # in all themes of a piece; cadences and loans come on top
_PROGRESSION_GAP, _KEY_GAP, _FORM_GAP = 10, 3, 3
_TONIC = {True: ("m9", "madd9", "m7"), False: ("maj9", "6/9", "add9")}


@dataclass(frozen=True)
class Length:
    """How long a piece is to be: ``frames`` exactly, or as it likes; ``last`` rings out."""

    frames: int | None = None
    last: bool = False


@dataclass(frozen=True)
class Theme:
    """What sections of one letter share."""

    loop: tuple[Slot, ...]
    motif: tuple[MotifNote, ...]
    kick: tuple[int, ...]
    hats: str
    comp: str
    bass: int
    phrase: str


def blend_of(wishes: Wishes, chance: Chance) -> Blend:
    """The styles asked for; unasked, lo-fi with a guest now and then."""
    if wishes.styles:
        shares = dict(wishes.styles)
        if set(shares) == {"piano"} and wishes.drums:
            shares = {"piano": 0.6, "lofi": 0.4}
        if "lofi" in shares and len(shares) > 1:  # "lo-fi" beside another style is the genre, not a rival
            small = 0.25 * shares.pop("lofi") / max(1e-9, sum(shares.values()) + 1e-9)
            total = sum(shares.values())
            shares = {s: (1 - min(0.25, small)) * w / total for s, w in shares.items()} | {"lofi": min(0.25, small)}
        return Blend(tuple(shares.items()))
    guest = chance.weighted({"": 6.0, "jazz": 1.0, "soul": 1.2, "hiphop": 1.2, "piano": 0.6, "folk": 0.5})
    return Blend((("lofi", 0.6), (guest, 0.4)) if guest else (("lofi", 1.0),))


def plan_piece(
    seed: int, number: int, wishes: Wishes, prompt: str, memory: Memory, length: Length
) -> tuple[PieceSpec, Memory]:
    """The next piece, and the memory after it."""
    chance = Chance(seed, "plan", number)
    blend = blend_of(wishes, chance.of("blend"))
    tempo = _tempo(chance.of("tempo"), wishes, blend, memory)
    key = _key(chance.of("key"), wishes, blend, memory)
    band = make_band(chance.of("band"), wishes, blend, memory)
    following = _next_key(chance.of("next"), wishes, blend, memory, key)
    style = blend.draw(chance.of("themes"))
    themes, taken = make_themes(chance.of("themes"), wishes, blend, style, band, key, tempo, memory)
    bars, tail = _bars(chance.of("bars"), tempo, length)
    form = _form(chance.of("form"), blend, memory)
    parts = plan_form(chance.of("parts"), form, bars, length.last)
    sections = tuple(
        build_section(chance.of("section", i), part, parts, i, themes, wishes, blend, band, key, tempo)
        for i, part in enumerate(parts)
    )
    sections = joined((*sections[:-1], close_section(sections[-1], following, tail)))
    title = make_title(chance.of("title"), key.minor, band.ambience_lufs, memory.titles)
    spec = PieceSpec(number, seed, title, prompt, tempo, key.tonic, key.minor, form, themes["A"].loop, band, sections)
    heard = Heard(
        key.tonic,
        key.minor,
        tempo,
        progression_name(themes["A"].loop, key.minor),
        form,
        band.instruments.get("keys", ""),
        band.instruments.get("lead", ""),
        themes["A"].hats,
        str(themes["A"].kick),
    )
    return spec, memory.with_piece(heard, taken, title, (following.tonic, following.minor))


def progression_name(loop: tuple[Slot, ...], minor: bool) -> str:
    """What makes a progression itself: its chords and their places, whatever the key."""
    return ("m:" if minor else "M:") + " ".join(f"{s.degree}{s.quality}/{s.beats:g}" for s in loop)


def _tempo(chance: Chance, wishes: Wishes, blend: Blend, memory: Memory) -> float:
    if wishes.tempo_bpm is not None:
        return wishes.tempo_bpm
    low, high = blend.span("tempo_bpm")
    energy = wishes.mood("energy")
    middle = (low + high) / 2 + energy * 12.0
    half = (high - low) / 2 * (1.0 - 0.4 * abs(energy))
    tempo = float(round(max(58.0, min(112.0, chance.between(middle - half, middle + half)))))
    if memory.pieces:
        before = memory.pieces[-1].tempo_bpm
        lowest, highest = before * (1 - _TEMPO_STEP), before * (1 + _TEMPO_STEP)
        tempo = float(max(int(lowest) + 1, min(int(highest), tempo)))
    return tempo


def tempo_beside(chance: Chance, wishes: Wishes, blend: Blend, now: float) -> float:
    """The tempo that a playing piece turns to: its own where that suits the wishes."""
    if wishes.tempo_bpm is not None:
        return wishes.tempo_bpm
    low, high = blend.span("tempo_bpm")
    shift = wishes.mood("energy") * 12.0
    if not wishes.styles and abs(shift) < 3.0:
        return now
    return float(round(max(low + shift, min(high + shift, now))))


def key_beside(chance: Chance, wishes: Wishes, now: Key) -> Key:
    """The key that a playing piece turns to: its own, unless another is asked for or the mood turns."""
    if wishes.key is not None:
        return wishes.key
    minor = wishes.minor
    if minor is None and abs(wishes.mood("valence")) > 0.45:
        minor = wishes.mood("valence") < 0
    if minor is None or minor == now.minor:
        return now
    return Key((now.tonic + (9 if minor else 3)) % 12, minor)


def _key(chance: Chance, wishes: Wishes, blend: Blend, memory: Memory) -> Key:
    if wishes.key is not None:
        return wishes.key
    if memory.pieces and memory.next_tonic is not None:
        announced = Key(memory.next_tonic, memory.next_minor)
        if wishes.minor is None or wishes.minor == announced.minor:
            return announced
        last = Key(memory.pieces[-1].tonic, memory.pieces[-1].minor)
        return chance.pick(_near(last, memory, wishes.minor))
    return Key(chance.whole(0, 11), _minor(chance, wishes, blend))


def _minor(chance: Chance, wishes: Wishes, blend: Blend) -> bool:
    if wishes.minor is not None:
        return wishes.minor
    return chance.yes(
        max(0.03, min(0.97, blend.number("minor") - 0.75 * wishes.mood("valence") - 0.15 * wishes.mood("bright")))
    )


def _near(key: Key, memory: Memory, minor: bool | None) -> list[Key]:
    """Keys within two fifths that were not heard lately, of the mode if one is asked for."""
    lately = {(p.tonic, p.minor) for p in memory.pieces[-_KEY_GAP:]}
    near = [k for k in key.neighbours(2) if (k.tonic, k.minor) not in lately and minor in (None, k.minor)]
    return near or key.neighbours(2)


def _next_key(chance: Chance, wishes: Wishes, blend: Blend, memory: Memory, key: Key) -> Key:
    """The key of the piece after this one, so that this one can lead to it."""
    if wishes.key is not None:
        return key
    lately = {(p.tonic, p.minor) for p in memory.pieces[-(_KEY_GAP - 1) :]} | {(key.tonic, key.minor)}
    minor = _minor(chance, wishes, blend)
    near = [k for k in key.neighbours(2) if (k.tonic, k.minor) not in lately]
    return chance.pick([k for k in near if k.minor == minor] or near)


def _form(chance: Chance, blend: Blend, memory: Memory) -> str:
    lately = {p.form for p in memory.pieces[-_FORM_GAP:]}
    return chance.pick([f for f in FORMS if f not in lately])


def _bars(chance: Chance, tempo: float, length: Length) -> tuple[int, int]:
    """How many bars, and the frames of the ring after them."""
    bar = bar_frames(tempo)
    if length.frames is None:
        seconds = chance.between(SHORTEST_S + 12, LONGEST_S - 12)
        return 2 * round(seconds * RATE / bar / 2), 0
    bars = max(1, length.frames // bar)
    tail = length.frames - bars * bar
    if not length.last:
        return max(1, round(length.frames / bar)), 0
    return bars, tail


def make_themes(
    chance: Chance,
    wishes: Wishes,
    blend: Blend,
    style: Style,
    band: Band,
    key: Key,
    tempo: float,
    memory: Memory,
) -> tuple[dict[str, Theme], list[str]]:
    """The themes A, B and C, and the names of their motifs."""
    played = {p.progression for p in memory.pieces[-_PROGRESSION_GAP:]}
    themes: dict[str, Theme] = {}
    taken: list[str] = []
    split = blend.number("split") if tempo <= _HALF_BARS_BPM else 0.0
    for letter in "ABC":
        draw = chance.of(letter)
        palette = draw.weighted(blend.weights("palette"))
        known = {s.degree: s.quality for t in themes.values() for s in t.loop}
        others = {progression_name(t.loop, key.minor) for t in themes.values()}
        firsts = {t.loop[0].degree for t in themes.values()}
        loop: tuple[Slot, ...] = ()
        for attempt in range(60):
            loop = harmony.make_loop(draw.of("loop", attempt), key.minor, palette, split, known)
            name = progression_name(loop, key.minor)
            chords = {(s.degree, s.quality) for t in themes.values() for s in t.loop} | {
                (s.degree, s.quality) for s in loop
            }
            fresh = name not in played and name not in others and len(chords) <= _MOST_CHORDS
            if fresh and (letter == "A" or attempt > 8 or loop[0].degree not in firsts):
                break
        motif = _motif(draw.of("motif"), key, loop, memory, taken)
        used = list(themes.values())
        themes[letter] = Theme(
            loop=loop,
            motif=motif,
            kick=_other(draw.of("kick"), _kicks(style), [t.kick for t in used]),
            hats=draw_hats(draw.of("hats"), blend, band.kit),
            comp=_other_weighted(draw.of("comp"), _comps(blend, wishes, band), [t.comp for t in used]),
            bass=_cell(draw.of("cell"), blend),
            phrase=_other(draw.of("phrase"), tuple(melody.PHRASES), [t.phrase for t in used]),
        )
    return themes, taken


def _kicks(style: Style) -> tuple[tuple[int, ...], ...]:
    return groove.STYLE_KICKS.get(style.kicks, groove.KICKS)


def _comps(blend: Blend, wishes: Wishes, band: Band) -> dict[str, float]:
    weights = blend.weights("comps")
    keys = band.instruments.get("keys")
    if keys == "pad":
        return {"whole": 1.0}
    if keys == "nylon_guitar" and not {"bossa", "picking"} & set(weights):
        weights = weights | {"picking": 0.4}
    if wishes.mood("dense") < -0.3:
        weights = {c: w for c, w in weights.items() if c in ("whole", "low_top", "roll", "arpeggio")} or {
            "whole": 1.0,
            "roll": 1.0,
        }
    return weights


def _cell(chance: Chance, blend: Blend) -> int:
    weights = {int(cell): weight for cell, weight in blend.weights("cells").items()}
    return chance.weighted(weights or dict.fromkeys(LOFI_CELLS, 1.0))


def _other(chance: Chance, choices: Sequence[T], used: list[T]) -> T:
    fresh = [c for c in choices if c not in used] or list(choices)
    return chance.pick(fresh)


def _other_weighted(chance: Chance, weights: dict[str, float], used: list[str]) -> str:
    fresh = {c: w for c, w in weights.items() if c not in used}
    return chance.weighted(fresh or weights)


def _motif(chance: Chance, key: Key, loop: tuple[Slot, ...], memory: Memory, taken: list[str]) -> tuple[MotifNote, ...]:
    """A motif that was never heard."""
    chords = voiced_loop(loop, key)
    motif: tuple[MotifNote, ...] = ()
    for attempt in range(60):
        motif = melody.make_motif(chance.of(attempt), key, chords)
        name = melody.motif_name(motif)
        if len(motif) >= 4 and name not in taken and not memory.knows_motif(name):
            taken.append(name)
            break
    return motif


def voiced_loop(loop: tuple[Slot, ...], key: Key) -> list[Sounding]:
    """The loop as the keys would play it from nowhere."""
    section = Section(
        "A", 4, key.tonic, key.minor, loop, (), 0, (), "", "whole", 0, (), "call", False, 0.5, 1.0, 80.0, 80.0
    )
    return voiced(section)


def build_section(
    chance: Chance,
    part: Part,
    parts: list[Part],
    index: int,
    themes: dict[str, Theme],
    wishes: Wishes,
    blend: Blend,
    band: Band,
    key: Key,
    tempo: float,
) -> Section:
    """A part of the form with everything that the composer needs."""
    theme = themes[part.theme]
    limit = drum_limit(wishes, blend)
    drums = min(part.drums, limit)
    if wishes.drums and part.drums == 0 and part.name == "break":
        drums = 1
    roles = _roles(chance, part, wishes, blend, band, limit)
    slots = harmony.unroll(theme.loop, part.bars * 4.0)
    earlier = [p for p in parts[:index] if p.theme == part.theme]
    lent = earlier and len(earlier) % 2 == 1 and part.name[0] in "ABC" and tempo <= _HALF_BARS_BPM
    if lent and chance.yes(blend.number("borrow")):
        slots = harmony.borrow(chance.of("borrow"), slots, key.minor, rich=blend.leading() not in ("folk", "zen"))
    energy = max(0.1, min(1.0, part.energy + 0.2 * wishes.mood("energy")))
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
        comp=theme.comp
        if part.name not in ("break", "intro") or theme.comp in ("picking", "bossa")
        else _calm(theme.comp),
        bass=theme.bass,
        motif=theme.motif,
        phrase=theme.phrase,
        spread=part.theme == "B",
        energy=energy,
        bright=brightness(part.name, part.energy, wishes),
        tempo_from=tempo,
        tempo_to=tempo,
        fill=part.fill and drums >= 2 and "fills" not in wishes.avoid,
        drop=part.drop and drums >= 2,
        closing=part.closing,
    )


def joined(sections: tuple[Section, ...]) -> tuple[Section, ...]:
    """The sections, where the same chord would stand on both sides of a border the first gives way half a bar early."""
    out = list(sections)
    for i, section in enumerate(out[:-1]):
        last, after = section.slots[-1], out[i + 1].slots[0]
        if last.degree != after.degree or section.key != out[i + 1].key:
            continue
        degrees = [d for d in ((10, 7, 5) if section.minor else (7, 5, 2)) if d != last.degree]
        known = {s.degree: s.quality for one in out for s in one.slots}
        degree = next((d for d in degrees if d in known), degrees[0])
        way = Slot(last.beats, degree, known.get(degree, "7sus4"))
        if last.beats < 4.0 or section.tempo_to > _HALF_BARS_BPM:
            slots = (*section.slots[:-1], way)
            if len(slots) > 1 and slots[-2].degree == degree:
                continue
        else:
            slots = (*section.slots[:-1], replace(last, beats=last.beats / 2), replace(way, beats=last.beats / 2))
        out[i] = replace(section, slots=slots)
    return tuple(out)


def brightness(name: str, energy: float, wishes: Wishes) -> float:
    """How open the filters of a section are."""
    own = {"intro": 0.75, "break": 0.7, "outro": 0.8}.get(name, 0.88 + 0.2 * energy)
    return float(own * 2.0 ** (0.6 * wishes.mood("bright")))


def _calm(comp: str) -> str:
    return {
        "stabs": "and_of_two",
        "arp16": "arpeggio",
        "charleston": "and_of_two",
        "pulse": "whole",
        "late": "low_top",
    }.get(comp, comp)


def _roles(chance: Chance, part: Part, wishes: Wishes, blend: Blend, band: Band, limit: int) -> tuple[str, ...]:
    roles = [r for r in part.roles if r in band.instruments]
    padded = blend.number("pad") + 0.35 * wishes.mood("dense") + 0.2 * wishes.mood("wet")
    if "pad" in wishes.instruments:
        padded = 1.0
    if "pad" in roles and not chance.yes(max(0.0, min(1.0, padded + 0.25))) and len(roles) > 2:
        roles.remove("pad")
    elif "pad" not in roles and "pad" in band.instruments and chance.yes(max(0.0, padded - 0.45)):
        roles.append("pad")
    if wishes.mood("dense") < -0.3 and "answer" in roles:
        roles.remove("answer")
    if "keys" not in roles and "pad" not in roles and "keys" in band.instruments:
        roles.insert(0, "keys")
    if (
        limit == 0
        and part.name not in ("intro", "break", "outro")
        and "bass" in band.instruments
        and "bass" not in roles
    ):
        roles.append("bass")
    return tuple(roles) or tuple(band.instruments)[:1]


def close_section(section: Section, following: Key, tail: int) -> Section:
    """The last section with its cadence: home and ringing, or towards the next piece."""
    key = section.key
    home = Slot(4.0, 0, _TONIC[key.minor][0])
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
    if section.tempo_to > _HALF_BARS_BPM:
        lead_in = (Slot(4.0, lead_in[1].degree, lead_in[1].quality),)
    home = Slot(4.0, 0, known.get(0, home.quality))
    if section.bars == 1:
        slots = (home,)
    elif section.bars == 2:
        slots = (*lead_in, home)
    else:
        slots = (*harmony.unroll(section.slots, section.bars * 4.0 - 8.0), *lead_in, home)
    return replace(section, slots=slots, tail_frames=tail)


__all__ = ["Length", "Theme", "build_section", "make_themes", "plan_piece", "progression_name"]
