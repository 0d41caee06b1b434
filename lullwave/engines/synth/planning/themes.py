"""Makes themes: the chords, motif and patterns that sections with the same letter share.

Progressions and motifs that were played recently are not used again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..catalogue.instruments import INSTRUMENTS
from ..chance import Chance
from ..prompts.intent import Intent
from ..spec import Band, MotifNote, Section, Slot
from ..theory import Key
from ..writing import groove, harmony, melody
from ..writing.bass import LOFI_CELLS
from ..writing.comping import CHOPS, HELD
from ..writing.composer import voiced
from ..writing.event import VoicedChord
from .blend import Blend
from .casting import beat_leads, draw_hats, leads_by_name, pad_plays_chords
from .memory import Memory
from .styles import STYLES, Style

T = TypeVar("T")

_CALM_COMPS = (HELD, "whole", "low_top", "roll", "arpeggio")  # what a sparse piece may play
HALF_BARS_BPM = 96.0  # fastest tempo with two chords per bar: each lasts at least 1.25 s
_MOST_CHORDS = 7  # in all themes of a piece, not counting cadences and borrowed chords
_PROGRESSION_GAP = 10  # pieces before a progression may return
_CLEAR = 0.1  # least `harmony.clarity` of a loop
_LOOPS = {0: 2.5, 2: 1.2, 3: 2.0, 4: 2.5}  # weights: a loop of four bars (0), or of two bars with 2 to 4 chords
_SAME_LOOP = 0.85  # how likely another theme of a looped piece keeps chords, bass and manner of the first


@dataclass(frozen=True)
class Theme:
    """What the sections with the same letter share."""

    loop: tuple[Slot, ...]
    motif: tuple[MotifNote, ...]
    kick: tuple[int, ...]
    hats: str
    comp: str
    bass: int
    phrase: str
    loop_bars: int  # chords, bass and drums repeat after this many bars; 0: written through


def make_themes(
    chance: Chance,
    intent: Intent,
    blend: Blend,
    style: Style,
    band: Band,
    key: Key,
    tempo: float,
    memory: Memory,
) -> tuple[dict[str, Theme], list[str]]:
    """Make the themes A, B and C; returns them and the names of their motifs."""
    played = {name for p in memory.pieces[-_PROGRESSION_GAP:] for name in p.progressions}
    themes: dict[str, Theme] = {}
    taken: list[str] = []
    split = blend.number(lambda style: style.split) if tempo <= HALF_BARS_BPM else 0.0
    comps = _comps(blend, intent, band)
    phrases = melody.FULL if leads_by_name(band) else tuple(melody.PHRASES)
    looped = chance.of("looped").yes(max(blend.number(lambda style: style.loops), STYLES[blend.leading()].loops))
    for letter in "ABC":
        draw = chance.of(letter)
        palette = draw.weighted(blend.weights(lambda style: style.palette))
        known = {s.degree: s.quality for t in themes.values() for s in t.loop}
        others = {progression_name(t.loop, key.minor) for t in themes.values()}
        firsts = {t.loop[0].degree for t in themes.values()}
        loop: tuple[Slot, ...] = themes["A"].loop if themes else ()
        again = looped and letter != "A" and draw.of("again").yes(_SAME_LOOP)
        for attempt in range(0 if again else 200):
            loop = _make_loop(draw.of("loop", attempt), key, palette, split, known, looped, tempo)
            name = progression_name(loop, key.minor)
            chords = {(s.degree, s.quality) for t in themes.values() for s in t.loop} | {
                (s.degree, s.quality) for s in loop
            }
            fresh = name not in played and name not in others and len(chords) <= _MOST_CHORDS
            fresh = fresh and harmony.clarity(loop, key.minor) > _CLEAR
            if fresh and (letter == "A" or attempt > 8 or loop[0].degree not in firsts):
                break
        motif = _motif(draw.of("motif"), key, loop, memory, taken)
        used = list(themes.values())
        themes[letter] = Theme(
            loop=loop,
            motif=motif,
            kick=used[0].kick if looped and used else _other(draw.of("kick"), _kicks(style), [t.kick for t in used]),
            hats=used[0].hats if looped and used else draw_hats(draw.of("hats"), blend, band.kit, intent),
            comp=used[0].comp if again else _other_weighted(draw.of("comp"), comps, [t.comp for t in used]),
            bass=used[0].bass if again else _cell(draw.of("cell"), blend),
            phrase=_other(draw.of("phrase"), phrases, [t.phrase for t in used]),
            loop_bars=round(sum(slot.beats for slot in loop) / 4.0) if looped else 0,
        )
    return themes, taken


def _make_loop(
    chance: Chance, key: Key, palette: str, split: float, known: Mapping[int, str], looped: bool, tempo: float
) -> tuple[Slot, ...]:
    """Four bars or, where chords repeat all through a piece, often two."""
    chords = chance.of("shape").weighted(_LOOPS) if looped else 0
    if chords == 2 or (chords and tempo <= HALF_BARS_BPM):
        return harmony.make_short_loop(chance, key.minor, palette, chords, known)
    return harmony.make_loop(chance, key.minor, palette, 0.4 * split if looped else split, known)


def _kicks(style: Style) -> tuple[tuple[int, ...], ...]:
    return groove.STYLE_KICKS.get(style.kicks, groove.KICKS)


def _comps(blend: Blend, intent: Intent, band: Band) -> dict[str, float]:
    weights = blend.weights(lambda style: style.comps)
    if intent.comp:
        return {intent.comp: 1.0}
    if beat_leads(intent):
        return {CHOPS: 2.0, "stabs": 1.0}
    own: tuple[str, ...] = ()
    if keys := band.instruments.get("keys"):
        named = INSTRUMENTS[keys].named_comps if keys in band.featured and not intent.styles else ()
        own = named or INSTRUMENTS[keys].comps
    if own and own != (HELD,):
        return dict.fromkeys(own, 1.0)
    if pad_plays_chords(band) or own:
        chopped = weights.get(CHOPS, 0.0)
        return {HELD: 1.0} | ({CHOPS: 0.5 * chopped} if chopped else {})
    if intent.mood("dense") < -0.3:
        weights = {c: w for c, w in weights.items() if c in _CALM_COMPS} or {HELD: 1.0, "roll": 0.3}
    return weights


def _cell(chance: Chance, blend: Blend) -> int:
    weights = {int(cell): weight for cell, weight in blend.weights(lambda style: style.cells).items()}
    return chance.weighted(weights or dict.fromkeys(LOFI_CELLS, 1.0))


def _other(chance: Chance, choices: Sequence[T], used: list[T]) -> T:
    fresh = [c for c in choices if c not in used] or list(choices)
    return chance.pick(fresh)


def _other_weighted(chance: Chance, weights: dict[str, float], used: list[str]) -> str:
    fresh = {c: w * (0.3 if c in used else 1.0) for c, w in weights.items()}
    return chance.weighted(fresh or weights)


def _motif(chance: Chance, key: Key, loop: tuple[Slot, ...], memory: Memory, taken: list[str]) -> tuple[MotifNote, ...]:
    """Draw a motif that was not played recently; its name is added to ``taken``."""
    chords = voiced_loop(loop, key)
    motif: tuple[MotifNote, ...] = ()
    for attempt in range(60):
        motif = melody.make_motif(chance.of(attempt), key, chords)
        name = melody.motif_name(motif)
        if len(motif) >= 4 and name not in taken and not memory.knows_motif(name):
            taken.append(name)
            break
    return motif


def voiced_loop(loop: tuple[Slot, ...], key: Key) -> list[VoicedChord]:
    """Voice the loop as at the beginning of a piece."""
    section = Section(
        "A", 4, key.tonic, key.minor, loop, (), 0, (), "", "whole", 0, (), "call", False, 0.5, 1.0, 80.0, 80.0
    )
    return voiced(section)


def progression_name(loop: tuple[Slot, ...], minor: bool) -> str:
    """Identify a progression by the degrees and lengths of its chords, independent of key and extensions."""
    return ("m:" if minor else "M:") + " ".join(f"{s.degree}/{s.beats:g}" for s in loop)


def progressions_of(themes: Mapping[str, Theme], minor: bool) -> tuple[str, ...]:
    """The progressions of all themes of a piece."""
    return tuple(dict.fromkeys(progression_name(theme.loop, minor) for theme in themes.values()))
