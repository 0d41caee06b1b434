"""The drums and the kits: what each is to MIDI, to the mix, to the patterns and to prompts; renders no stroke."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

DrumName = Literal[
    "kick", "snare", "rim", "clap", "hat", "pedal_hat", "open_hat", "ride", "shaker",
    "brush_tap", "brush_sweep", "tom_low", "tom_high",
]  # fmt: skip
KitName = Literal["dusty", "brushes", "electronic", "acoustic", "808", "606", "foley", "hand"]
Limb = Literal["kick", "snare", "hat"]  # strokes of one limb share their timing


@dataclass(frozen=True)
class Drum:
    """One drum or cymbal; its stroke is rendered in sound/instruments/drums.py."""

    name: DrumName
    limb: Limb
    midi_note: int  # General MIDI percussion
    level_db: float  # peak of a stroke of velocity 1 in the mix, dB of full scale
    pan: float = 0.0  # -1 left … 1 right
    dip: float = 0.0  # how far the music dips under it, against a kick


@dataclass(frozen=True)
class Kit:
    """One drum kit; how it sounds is in sound/instruments/drums.py."""

    name: KitName
    phrases: tuple[str, ...]  # what prompts call it
    backbeat: DrumName = "snare"  # on beats 2 and 4
    soft_backbeat: DrumName = "snare"  # the same where the drums hold back
    clap: bool = False  # a clap doubles the full backbeat
    crush: float = 0.15  # wet share of bit reduction, 0…1
    cutoff_hz: float = 13000.0  # low-pass of the kit in a bright section
    duck_db: float = 3.0  # how far the music dips under each kick

    @property
    def brushed(self) -> bool:
        """Whether it is played with brushes, which keep time by sweeping."""
        return self.backbeat == "brush_tap"


_DRUMS = (
    Drum("kick", "kick", 36, -10.0, dip=1.0),
    Drum("snare", "snare", 38, -12.0, dip=0.5),
    Drum("rim", "snare", 37, -15.0, pan=-0.1, dip=0.4),
    Drum("clap", "snare", 39, -19.5, dip=0.5),
    Drum("hat", "hat", 42, -28.0, pan=0.22),
    Drum("pedal_hat", "hat", 44, -28.0, pan=0.22),
    Drum("open_hat", "hat", 46, -29.0, pan=0.22),
    Drum("ride", "hat", 51, -31.0, pan=-0.3),
    Drum("shaker", "hat", 70, -28.5, pan=-0.35),
    Drum("brush_tap", "snare", 38, -20.5),
    Drum("brush_sweep", "hat", 40, -19.0, pan=0.12),
    Drum("tom_low", "hat", 45, -12.0, pan=-0.25),
    Drum("tom_high", "hat", 50, -13.0, pan=0.2),
)
DRUMS: Mapping[DrumName, Drum] = {drum.name: drum for drum in _DRUMS}

_KITS = (
    Kit("dusty", ("dusty drums", "dusty beat", "dusty beats", "sampled drums", "mpc"), soft_backbeat="rim", crush=0.35),
    Kit("brushes", ("brush", "brushes", "brushed drums", "brushed snare"), "brush_tap", "brush_tap"),
    Kit(
        "electronic",
        ("gated snare", "gated drums", "electronic drums", "drum machine beat"),
        clap=True,
        duck_db=4.5,
    ),
    Kit("acoustic", ("acoustic drums", "live drums")),
    Kit(
        "808",
        ("808 drums", "808 beat", "808 beats", "808 kit", "tr 808", "trap drums", "trap beat"),
        clap=True,
        crush=0.05,
        duck_db=4.5,
    ),
    Kit(
        "606", ("606", "606 drums", "tr 606", "analog drums", "analogue drums", "techno drums"), crush=0.05, duck_db=4.0
    ),
    Kit(
        "foley",
        ("foley drums", "foley beat", "foley percussion", "found sounds", "household percussion"),
        "clap",
        "rim",
        crush=0.1,
    ),
    Kit(
        "hand",
        (
            "hand drums",
            "hand percussion",
            "bongo",
            "conga",
            "cajon",
            "djembe",
            "tabla",
            "tambourine",
            "darbuka",
            "latin percussion",
        ),
        crush=0.0,
    ),
)
KITS: Mapping[KitName, Kit] = {kit.name: kit for kit in _KITS}
