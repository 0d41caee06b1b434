"""What a stroke is made of: the numbers of each kit, and the small differences of one variant."""

from __future__ import annotations

from dataclasses import dataclass

from .....audio import Samples
from ...catalogue.drums import KitName
from ..synthesis import MUSIC_RATE, noise


@dataclass(frozen=True)
class KitSound:
    """The sound of a kit. Times in seconds, pitches in Hz."""

    kick_from_hz: float
    kick_hz: float
    kick_s: float  # until -60 dB, roughly
    kick_click: float  # share of beater
    snare_hz: float
    snare_s: float
    snare_noise: float
    snare_bright_hz: float
    hat_s: float
    hat_bright_hz: float


KIT_SOUNDS: dict[KitName, KitSound] = {
    "dusty": KitSound(132, 50, 0.36, 0.30, 182, 0.28, 0.66, 4000, 0.10, 8200),
    "brushes": KitSound(112, 52, 0.30, 0.12, 196, 0.20, 0.80, 3200, 0.08, 7500),
    "electronic": KitSound(150, 46, 0.46, 0.20, 176, 0.30, 0.60, 4200, 0.09, 9200),
    "acoustic": KitSound(122, 55, 0.32, 0.36, 190, 0.30, 0.62, 4400, 0.12, 9000),
    "808": KitSound(118, 47, 0.80, 0.10, 180, 0.24, 0.70, 4600, 0.07, 10000),
    "606": KitSound(128, 62, 0.24, 0.12, 216, 0.16, 0.66, 4200, 0.05, 10500),
    "foley": KitSound(120, 60, 0.22, 0.30, 190, 0.18, 0.56, 4200, 0.07, 8600),
    "hand": KitSound(150, 98, 0.30, 0.20, 230, 0.16, 0.40, 3200, 0.08, 8800),
}


@dataclass(frozen=True)
class Stroke:
    """One variant of one stroke: its kit, how hard it is, and its small differences."""

    kit: KitSound
    hard: float  # 0…1
    pitch: float  # factor near 1
    length: float
    tilt: float  # linear gain of the bright part
    key: tuple[object, ...]

    def noise(self, seconds: float, what: str) -> Samples:
        return noise(round(seconds * MUSIC_RATE), what, *self.key)
