"""The productions: how a piece is finished, from the drum bus to the record that it plays from; renders nothing.

A prompt or the planner chooses one for each piece, so that pieces differ in sound and not only in notes. To add one:
its name and record here. Levels are in dB, frequencies in Hz.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ProductionName = Literal["dusty", "clean", "tape", "night", "bright", "lo-bit", "live", "hall", "deep", "radio"]


@dataclass(frozen=True)
class Production:
    """One way to finish a piece. What is relative is added to what the style, the kit or the prompt asks for."""

    name: ProductionName
    phrases: tuple[str, ...]  # what prompts call it
    cutoff_hz: float  # low-pass of the music, against the 10 kHz of a neutral one
    warmth: float  # saturation, relative, -1…1
    wow: float  # factor of wow and flutter
    width: float  # factor of how far single parts lie from the middle
    crush: float  # bit reduction of the drums, relative wet share
    drums_db: float  # level of the drum bus, relative
    attack_db: float  # the most that the drum bus adds to an attack
    parallel: float  # compressed copy of the drums beside them, 0…1
    air_db: float  # shelf of the drums above 4 kHz
    duck_db: float  # how far the music dips under each kick, relative to the kit's
    scoop_db: float  # bell at 500 Hz in everything melodic but the bass
    highs_db: float  # shelf above 2 kHz in the same, where drums play
    crackle_db: float  # crackle and hiss, relative
    bass_db: float = 0.0  # level of the bass, relative
    thin_hz: float = 0.0  # least high-pass of every part
    wet: float = 0.0  # room and plate of everything melodic, relative, -1…1
    room_db: float = 0.0  # room of the drums, relative


_ALL = (
    Production(
        "dusty", ("dusty", "gritty", "boom bap sound", "sampler", "sp 404", "sp404", "mpc sound"), 9000, 0.25, 1.0, 0.7,
        crush=0.3, drums_db=2, attack_db=4.5, parallel=0.35, air_db=8.0, duck_db=2.0, scoop_db=-4.0,
        highs_db=-7.5, crackle_db=3.0,
    ),
    Production(
        "clean", ("clean", "polished", "studio quality", "hi fi", "pristine", "clean sound", "clean recording"),
        14000, -0.35, 0.2, 2.0,
        crush=-0.35, drums_db=0.5, attack_db=4.5, parallel=0.15, air_db=9.0, duck_db=1.5,
        scoop_db=-2.5, highs_db=-6.5, crackle_db=-9.0,
    ),
    Production(
        "tape", ("tape", "cassette", "vhs", "warped", "wobbly", "worn tape", "old tape"), 7800, 0.4, 2.0, 1.3,
        crush=0.0, drums_db=1, attack_db=4.0, parallel=0.4, air_db=7.0, duck_db=2.5, scoop_db=-2.0,
        highs_db=-6.5, crackle_db=0.0,
    ),
    Production(
        "night", ("night sound", "dim", "dimmed", "muffled", "hushed"), 5200, 0.1, 1.0, 1.0,
        crush=0.0, drums_db=0.5, attack_db=4.0, parallel=0.3, air_db=5.0, duck_db=2.5, scoop_db=-3.0,
        highs_db=-5.5, crackle_db=-2.0,
    ),
    Production(
        "bright", ("glossy", "sparkly", "shiny sound", "hyper", "crisp drums"), 14000, -0.15, 0.5, 1.6,
        crush=-0.2, drums_db=2, attack_db=4.5, parallel=0.3, air_db=9.5, duck_db=4.5, scoop_db=-6.0,
        highs_db=-7.5, crackle_db=-4.0,
    ),
    Production(
        "lo-bit", ("lo bit", "low bit", "8 bit", "8bit", "bitcrushed", "bit crushed", "crushed", "12 bit", "chiptune",
         "game boy", "gameboy"),
        7600, 0.1, 0.8, 0.3,
        crush=0.8, drums_db=2, attack_db=4.5, parallel=0.4, air_db=8.5, duck_db=3.0, scoop_db=-5.0,
        highs_db=-6.5, crackle_db=-2.0,
    ),
    Production(
        "live", ("bone dry", "dry recording", "in one room", "unprocessed", "close microphones"), 13000, -0.4, 0.1, 2.2,
        crush=-0.35, drums_db=0.5, attack_db=2.5, parallel=0.0, air_db=7.5, duck_db=-2.0, scoop_db=-1.0,
        highs_db=-5.0, crackle_db=-12.0, wet=-0.45,
    ),
    Production(
        "hall", ("big room", "warehouse", "in a hall", "church acoustics", "empty hall"), 11000, -0.2, 0.6, 2.0,
        crush=-0.2, drums_db=1, attack_db=4.0, parallel=0.35, air_db=6.5, duck_db=2.0, scoop_db=-3.5,
        highs_db=-6.5, crackle_db=-6.0, wet=0.45, room_db=8.0,
    ),
    Production(
        "deep", ("sub heavy", "bass heavy", "heavy sub", "dubby", "dub sound"), 7000, 0.15, 0.8, 0.6,
        crush=0.0, drums_db=1.5, attack_db=4.5, parallel=0.3, air_db=8.0, duck_db=4.5, scoop_db=-6.0,
        highs_db=-8.5, crackle_db=-4.0, bass_db=4.0, wet=0.15,
    ),
    Production(
        "radio", ("am radio", "old radio", "transistor radio", "telephone sound", "tinny"), 3900, 0.45, 1.2, 0.2,
        crush=0.2, drums_db=2, attack_db=4.5, parallel=0.3, air_db=9.5, duck_db=1.0, scoop_db=2.0,
        highs_db=-4.5, crackle_db=3.0, thin_hz=320.0, wet=-0.2,
    ),
)  # fmt: skip
PRODUCTIONS: Mapping[ProductionName, Production] = {one.name: one for one in _ALL}
