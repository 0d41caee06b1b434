"""The pitched instruments by name, and the types of their records: what the rest of the engine imports."""

from __future__ import annotations

from collections.abc import Mapping

from . import blown, electronic, keyboards, strings
from .instrument import Articulation, Family, Instrument, InstrumentName, Line, Role, Seat, Voice

__all__ = [
    "INSTRUMENTS",
    "Articulation",
    "Family",
    "Instrument",
    "InstrumentName",
    "Line",
    "Role",
    "Seat",
    "Voice",
]

_ALL = (*keyboards.INSTRUMENTS, *strings.INSTRUMENTS, *blown.INSTRUMENTS, *electronic.INSTRUMENTS)
INSTRUMENTS: Mapping[InstrumentName, Instrument] = {one.name: one for one in _ALL}
