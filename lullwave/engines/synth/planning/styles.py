"""The styles as data: what each prefers, in numbers and weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..catalogue.drums import KitName
from ..catalogue.instruments import InstrumentName
from ..catalogue.productions import ProductionName
from ..score import Ambience

Weights = Mapping[str, float]
Players = Mapping[InstrumentName, float]


@dataclass(frozen=True)
class Style:
    """What a style prefers. Ranges are (low, high); weights need not add up to 1."""

    tempo_bpm: tuple[float, float]
    keys: Players
    lead: Players
    bass: Players  # empty: none unless a prompt names one
    kits: Mapping[KitName, float]
    hats: Weights
    comps: Weights
    cells: Mapping[int, float]
    palette: Weights
    answer: Players = field(default_factory=lambda: {"vibraphone": 2, "music_box": 1, "flute": 1})
    kicks: str = ""
    swing: tuple[float, float] = (0.52, 0.6)
    unit: float = 0.5
    minor: float = 0.5  # how likely a minor key is
    split: float = 0.3  # how likely a bar has two chords
    borrow: float = 0.5
    drums: float = 1.0  # how much drumming there is: 0 none
    pad: float = 0.5  # how likely there is a pad
    ambience: Mapping[Ambience, float] = field(default_factory=dict)  # places that belong to it
    wet: float = 0.5
    warmth: float = 0.5
    wow: float = 0.5
    cutoff_hz: float = 10000.0
    gate: bool = False
    open: float = 0.0  # how likely the players come from the whole catalogue
    loops: float = 0.0  # how likely a piece is a loop, and not written through
    productions: Mapping[ProductionName, float] = field(
        default_factory=lambda: {"dusty": 1, "clean": 1, "tape": 1, "night": 1, "bright": 1}
    )


_LOFI_COMPS = {"held": 7, "halves": 1.5, "chops": 1.2, "low_top": 0.6, "and_of_two": 0.4, "roll": 0.4, "late": 0.3}
_LOFI_PRODUCTIONS: Mapping[ProductionName, float] = {
    "dusty": 2, "clean": 1, "tape": 1.5, "night": 1, "bright": 1.5, "lo-bit": 1, "live": 1, "hall": 1, "deep": 1,
    "radio": 0.8,
}  # fmt: skip
_LOFI_LEADS: Players = {
    "vibraphone": 2, "flute": 1.5, "nylon_guitar": 1.5, "felt_piano": 1.5, "muted_trumpet": 1.5, "synth_lead": 1,
}  # fmt: skip
_LOFI_KITS: Mapping[KitName, float] = {
    "dusty": 3, "acoustic": 1, "electronic": 1, "brushes": 0.5, "808": 1.2, "606": 0.5, "foley": 1, "hand": 0.5,
}  # fmt: skip
_JAZZ_LEADS: Players = {
    "muted_trumpet": 3, "saxophone": 2, "trumpet": 1, "clarinet": 1, "vibraphone": 2, "felt_piano": 1, "flute": 1,
}  # fmt: skip
_LOFI_CELLS = {0: 1, 1: 2, 2: 2, 3: 2, 4: 2, 5: 2}

STYLES: dict[str, Style] = {
    "lofi": Style(
        tempo_bpm=(62, 96),
        keys={"rhodes": 4, "felt_piano": 2.5, "wurli": 1.5, "nylon_guitar": 2},
        lead=_LOFI_LEADS,
        bass={"upright_bass": 2, "sub_bass": 2.5, "synth_bass": 0.5},
        kits=_LOFI_KITS,
        hats={"eighths": 4, "sixteenths": 1.5, "offbeats": 0.8, "shaker": 1},
        comps=_LOFI_COMPS,
        cells=_LOFI_CELLS,
        palette={"lofi": 1},
        swing=(0.52, 0.62),
        open=0.85,
        loops=0.95,
        productions=_LOFI_PRODUCTIONS,
    ),
    "jazz": Style(
        tempo_bpm=(72, 92),
        keys={"felt_piano": 3, "rhodes": 3, "nylon_guitar": 1},
        lead=_JAZZ_LEADS,
        bass={"upright_bass": 1},
        kits={"brushes": 1},
        hats={"brushes": 1},
        comps={"charleston": 3, "and_of_two": 2, "late": 2, "whole": 1},
        cells={6: 2, 1: 1, 2: 1, 4: 1},
        palette={"lofi": 1},
        kicks="jazz",
        swing=(0.58, 0.64),
        unit=1.0,
        split=0.5,
        borrow=0.8,
        pad=0.1,
        wow=0.35,
        minor=0.4,
        productions={"dusty": 1, "clean": 1, "tape": 1, "night": 1, "live": 1.5},
    ),
    "synthwave": Style(
        tempo_bpm=(90, 104),
        keys={"pad": 2, "rhodes": 1, "synth_pluck": 1, "pulse_pad": 1},
        lead={"synth_lead": 4, "vibraphone": 0.5},
        answer={"synth_lead": 1, "music_box": 0.5},
        bass={"synth_bass": 1},
        kits={"electronic": 1},
        hats={"eighths": 2, "sixteenths": 2, "offbeats": 1},
        comps={"held": 3, "arp16": 2, "pulse": 1},
        cells={7: 4, 4: 1, 1: 1},
        palette={"plain": 1, "lofi": 1},
        kicks="synthwave",
        swing=(0.5, 0.52),
        minor=0.75,
        split=0.1,
        borrow=0.2,
        pad=1.0,
        gate=True,
        wow=0.4,
        cutoff_hz=11000,
        loops=1.0,
        productions={"bright": 2, "clean": 1, "tape": 1, "lo-bit": 0.5},
    ),
    "ambient": Style(
        tempo_bpm=(60, 72),
        keys={"pad": 3, "humming_choir": 3, "harp": 0.7, "string_section": 0.5, "rhodes": 0.5, "felt_piano": 0.5},
        lead={"flute": 2, "harp": 1, "celesta": 1, "vibraphone": 1, "music_box": 0.5, "felt_piano": 0.5},
        bass={"sub_bass": 1},
        kits={"dusty": 1},
        hats={"shaker": 1},
        comps={"held": 4, "roll": 1, "arpeggio": 0.5},
        cells={0: 1},
        palette={"open": 1},
        swing=(0.5, 0.52),
        drums=0.0,
        split=0.05,
        borrow=0.15,
        pad=1.0,
        wet=1.0,
        minor=0.4,
        open=0.2,
        loops=0.6,
        productions={"clean": 1, "tape": 1, "night": 1, "hall": 1.5},
    ),
    "newage": Style(
        tempo_bpm=(58, 68),
        keys={"humming_choir": 1},
        lead={"vibraphone": 2, "flute": 1, "harp": 1},
        answer={"harp": 1, "kalimba": 1},
        bass={},
        kits={"hand": 1},
        hats={"shaker": 1},
        comps={"held": 1},
        cells={0: 1},
        palette={"open": 1},
        swing=(0.5, 0.51),
        drums=0.0,
        split=0.0,
        borrow=0.05,
        pad=1.0,
        wet=1.0,
        minor=0.3,
        wow=0.2,
        ambience={"waves": 1},
        loops=0.6,
        productions={"clean": 2, "night": 1},
    ),
    "folk": Style(
        tempo_bpm=(70, 90),
        keys={"nylon_guitar": 2, "steel_guitar": 2},
        lead={"violin": 0.7, "accordion": 0.5, "flute": 2, "nylon_guitar": 2, "felt_piano": 1, "music_box": 0.5},
        bass={"upright_bass": 1},
        kits={"acoustic": 2, "brushes": 1, "hand": 1.5},
        hats={"shaker": 3, "eighths": 1},
        comps={"picking": 4, "arpeggio": 2, "low_top": 1},
        cells={1: 2, 2: 2, 0: 1, 5: 1},
        palette={"plain": 1},
        swing=(0.51, 0.56),
        split=0.15,
        borrow=0.2,
        pad=0.2,
        wow=0.35,
        minor=0.4,
        loops=0.75,
        productions={"clean": 1, "live": 2, "tape": 1, "dusty": 1},
    ),
    "bossa": Style(
        tempo_bpm=(70, 84),
        keys={"nylon_guitar": 4, "rhodes": 1},
        lead={"flute": 3, "vibraphone": 1, "nylon_guitar": 1, "muted_trumpet": 1},
        bass={"upright_bass": 1},
        kits={"acoustic": 2, "brushes": 0.5, "hand": 1},
        hats={"bossa": 1},
        comps={"bossa": 1},
        cells={8: 1},
        palette={"lofi": 1},
        kicks="bossa",
        swing=(0.5, 0.53),
        borrow=0.8,
        pad=0.15,
        minor=0.4,
        loops=0.3,
        productions={"clean": 2, "dusty": 1, "tape": 1},
    ),
    "soul": Style(
        tempo_bpm=(66, 84),
        keys={"rhodes": 3, "wurli": 2, "organ": 1.5, "electric_guitar": 1},
        lead={"muted_trumpet": 2, "nylon_guitar": 1, "vibraphone": 1, "rhodes": 1},
        bass={"sub_bass": 1, "synth_bass": 1, "upright_bass": 1},
        kits={"dusty": 2, "acoustic": 2},
        hats={"eighths": 2, "sixteenths": 3},
        comps={"held": 3, "halves": 1, "late": 1, "stabs": 0.5, "chops": 0.7, "and_of_two": 0.5},
        cells={3: 1, 4: 2, 5: 2, 2: 1},
        palette={"lofi": 1},
        kicks="soul",
        swing=(0.56, 0.64),
        split=0.45,
        borrow=0.8,
        pad=0.3,
        minor=0.5,
        open=0.4,
        loops=0.95,
    ),
    "citypop": Style(
        tempo_bpm=(84, 98),
        keys={"rhodes": 3, "wurli": 1},
        lead={"synth_lead": 2, "muted_trumpet": 1, "nylon_guitar": 1, "vibraphone": 1},
        bass={"synth_bass": 2, "sub_bass": 1},
        kits={"electronic": 1, "acoustic": 2, "606": 0.5},
        hats={"sixteenths": 3, "eighths": 2},
        comps={"held": 2, "stabs": 2, "halves": 1, "and_of_two": 0.7},
        cells={4: 2, 3: 2, 5: 1},
        palette={"lofi": 1},
        kicks="citypop",
        swing=(0.5, 0.54),
        split=0.35,
        borrow=0.6,
        pad=0.6,
        minor=0.3,
        cutoff_hz=11000,
        open=0.4,
        loops=0.9,
        productions={"bright": 3, "clean": 2, "tape": 0.5},
    ),
    "piano": Style(
        tempo_bpm=(62, 78),
        keys={"felt_piano": 1},
        lead={"felt_piano": 1},
        answer={"felt_piano": 2, "music_box": 1},
        bass={"upright_bass": 1, "sub_bass": 1},
        kits={"dusty": 2, "brushes": 1},
        hats={"eighths": 2, "offbeats": 1, "shaker": 1},
        comps={"low_top": 2, "arpeggio": 3, "roll": 2, "and_of_two": 1},
        cells={0: 2, 1: 1, 2: 1},
        palette={"lofi": 2, "open": 1},
        swing=(0.52, 0.56),
        drums=0.7,
        pad=0.35,
        wet=0.65,
        minor=0.5,
        productions={"clean": 2, "tape": 1, "night": 1},
    ),
    "zen": Style(
        tempo_bpm=(60, 70),
        keys={"nylon_guitar": 2, "music_box": 0.8, "pad": 1, "vibraphone": 0.8, "felt_piano": 0.6},
        lead={"koto": 2, "flute": 4, "vibraphone": 0.8, "music_box": 0.6},
        answer={"music_box": 1, "vibraphone": 1},
        bass={"sub_bass": 1},
        kits={"acoustic": 1},
        hats={"shaker": 1},
        comps={"arpeggio": 2, "roll": 2, "picking": 1},
        cells={0: 1},
        palette={"open": 1},
        swing=(0.5, 0.52),
        drums=0.25,
        split=0.05,
        borrow=0.0,
        pad=0.8,
        wet=0.9,
        minor=0.5,
        productions={"clean": 2, "tape": 1},
    ),
    "electronic": Style(
        tempo_bpm=(98, 112),
        keys={"synth_pluck": 3, "pulse_pad": 2, "pad": 1},
        lead={"synth_lead": 3, "synth_pluck": 1},
        answer={"synth_pluck": 1},
        bass={"synth_bass": 2, "bass_808": 1},
        kits={"606": 2, "808": 1.5, "electronic": 0.7},
        hats={"sixteenths": 2, "offbeats": 2},
        comps={"held": 1, "arp16": 1},
        cells={7: 3, 4: 1},
        palette={"plain": 1},
        kicks="electronic",
        swing=(0.5, 0.51),
        minor=0.8,
        split=0.0,
        borrow=0.1,
        pad=0.5,
        wet=0.35,
        wow=0.1,
        cutoff_hz=13000,
        loops=1.0,
        productions={"bright": 2, "clean": 1, "deep": 0.7},
    ),
    "dance": Style(
        tempo_bpm=(118, 126),
        keys={"synth_pluck": 4, "pulse_pad": 1},
        lead={"synth_pluck": 1, "synth_lead": 1},
        answer={"synth_pluck": 1, "synth_lead": 1},
        bass={"synth_bass": 1},
        kits={"electronic": 1, "808": 1},
        hats={"open": 1},
        comps={"stabs": 1},
        cells={9: 3, 7: 1},
        palette={"plain": 1},
        kicks="electronic",
        swing=(0.5, 0.51),
        minor=0.6,
        split=0.0,
        borrow=0.1,
        pad=0.3,
        wet=0.3,
        wow=0.1,
        cutoff_hz=14000,
        loops=1.0,
        productions={"bright": 1},
    ),
    "raga": Style(
        tempo_bpm=(64, 84),
        keys={"sitar": 1},
        lead={"sitar": 1},
        answer={"flute": 1},
        bass={},
        kits={"hand": 1},
        hats={"offbeats": 2, "shaker": 1},
        comps={"drone": 1},
        cells={0: 1},
        palette={"open": 1},
        swing=(0.5, 0.52),
        drums=0.6,
        split=0.0,
        borrow=0.0,
        pad=0.0,
        wet=0.6,
        wow=0.1,
        warmth=0.2,
        cutoff_hz=12000,
        loops=0.5,
        productions={"clean": 2, "tape": 1},
    ),
    "classical": Style(
        tempo_bpm=(62, 82),
        keys={"string_section": 3, "harpsichord": 2, "felt_piano": 1.5, "harp": 1},
        lead={"violin": 3, "cello": 2, "flute": 1, "felt_piano": 0.7},
        answer={"flute": 1, "cello": 1, "violin": 1},
        bass={},
        kits={"acoustic": 1, "brushes": 1},
        hats={"shaker": 1},
        comps={"held": 3, "arpeggio": 1},
        cells={0: 2, 1: 1},
        palette={"plain": 1},
        swing=(0.5, 0.51),
        drums=0.0,
        split=0.4,
        borrow=0.3,
        pad=0.0,
        wet=0.7,
        warmth=0.15,
        wow=0.1,
        cutoff_hz=13000,
        minor=0.5,
        loops=0.2,
        productions={"clean": 1},
    ),
    "hiphop": Style(
        tempo_bpm=(78, 94),
        keys={"rhodes": 3, "felt_piano": 2, "wurli": 2},
        lead={"vibraphone": 1, "muted_trumpet": 2, "flute": 1, "felt_piano": 1},
        bass={"sub_bass": 3, "upright_bass": 1},
        kits={"dusty": 3, "808": 2, "electronic": 0.5, "foley": 0.7},
        hats={"eighths": 3, "sixteenths": 1},
        comps={"held": 3, "chops": 2.5, "halves": 1, "late": 0.5, "stabs": 0.5},
        cells={3: 2, 4: 2, 5: 2},
        palette={"lofi": 1},
        swing=(0.56, 0.66),
        pad=0.2,
        minor=0.65,
        warmth=0.7,
        open=0.7,
        loops=1.0,
        productions={"dusty": 4, "lo-bit": 2, "tape": 1, "bright": 0.5, "deep": 2, "radio": 0.5},
    ),
}
