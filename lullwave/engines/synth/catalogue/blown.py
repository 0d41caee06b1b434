"""The winds."""

from __future__ import annotations

from .instrument import Instrument, Seat, Voice, phrases

# fmt: off
INSTRUMENTS = (
    Instrument(
        "flute", "winds", "flute", ("lead",), 60, 96, midi_program=73,
        seat=Seat(-2.0, 6000, -16, -14), voice=Voice(-1.5, 0.06, 9.0, touch=1.0, layers=3),
        articulations=("slide",),
        phrases=phrases("flute"),
        stands_in_for=phrases(
            "shakuhachi, recorder, woodwind, pan flute, whistle, ocarina, clarinet, oboe, bassoon, english horn, "
            "piccolo, duduk, bagpipe, harmonica, melodica"
        ),
    ),
    Instrument(
        "muted_trumpet", "winds", "muted trumpet", ("lead",), 54, 88, midi_program=59,
        seat=Seat(-2.5, 5600, -16, -16), voice=Voice(-4.0, 0.05, 9.0, touch=1.0, layers=3),
        articulations=("slide",),
        phrases=phrases("trumpet, muted trumpet"),
        stands_in_for=phrases(
            "horn, brass, cornet, sax, saxophone, alto sax, tenor sax, flugelhorn, trombone, tuba, french horn, bugle, "
            "open trumpet"
        ),
    ),
)
# fmt: on
