"""The instruments that a general word leaves out.

"No guitars" means the steel guitar too, "no electric guitar" does not.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..catalogue.instruments import INSTRUMENTS, InstrumentName

_GUITARS = tuple(name for name in INSTRUMENTS if name.endswith("_guitar"))
_SYNTHS = tuple(name for name, one in INSTRUMENTS.items() if one.family == "synths")
_PLAYED = tuple(name for name in _SYNTHS if name not in ("sub_bass", "bass_808"))  # the others are basses, not "synths"
_BOWED = tuple(name for name, one in INSTRUMENTS.items() if one.family == "bowed")
_BRASS: tuple[InstrumentName, ...] = ("trumpet", "muted_trumpet", "brass_section")
_WOODWINDS: tuple[InstrumentName, ...] = ("flute", "clarinet", "saxophone")
_KEYBOARDS: tuple[InstrumentName, ...] = ("rhodes", "wurli", "felt_piano", "organ", "harpsichord", "celesta")
_CHOIRS = tuple(name for name, one in INSTRUMENTS.items() if one.family == "choirs")

FAMILIES: Mapping[str, tuple[InstrumentName, ...]] = {
    "guitar": _GUITARS,
    **dict.fromkeys(("synth", "synthesizer", "synthesiser"), _PLAYED),
    **dict.fromkeys(("electronic", "electronic instrument", "electronic sound"), _SYNTHS),
    **dict.fromkeys(("string", "strings", "string instrument", "bowed strings"), _BOWED),
    **dict.fromkeys(("brass", "brass instrument", "horn"), _BRASS),
    "woodwind": _WOODWINDS,
    "wind instrument": (*_WOODWINDS, *_BRASS),
    **dict.fromkeys(("keys", "keyboard"), _KEYBOARDS),
    "choir": _CHOIRS,
}
