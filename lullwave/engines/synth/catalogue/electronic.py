"""The synthesizers."""

from __future__ import annotations

from .instrument import Instrument, Seat, Voice, phrases

# fmt: off
INSTRUMENTS = (
    Instrument(
        "sub_bass", "synths", "sub-bass", ("bass",), 26, 88, midi_program=39,
        seat=Seat(0.0, 1200), voice=Voice(-5.0, 0.045, 9.0, touch=0.7, layers=2, variants=1),
        articulations=("slide",),
        phrases=phrases("sub bass, sub, 808, 808 bass, deep bass"),
    ),
    Instrument(
        "synth_bass", "synths", "synth bass", ("bass",), 28, 88, midi_program=38,
        seat=Seat(0.0, 1600), voice=Voice(-1.5, 0.04, 9.0, touch=0.8, layers=3, variants=1),
        articulations=("slide",),
        phrases=phrases("synth bass, saw bass, moog, moog bass, bass synth"),
    ),
    Instrument(
        "synth_lead", "synths", "synth lead", ("lead",), 52, 88, midi_program=81,
        seat=Seat(-3.0, 5200, -20, -14, chorus=0.3), voice=Voice(-1.0, 0.07, 9.0, touch=0.9, layers=3, variants=1),
        articulations=("slide",),
        phrases=phrases("synth lead, synth, lead synth, synthesizer, synthesiser, saw lead"),
        stands_in_for=phrases("theremin, talk box, ondes martenot"),
    ),
    Instrument(
        "pad", "synths", "pads", ("pad", "keys"), 52, 88, midi_program=89,
        seat=Seat(-6.0, 4200, -18, -14, chorus=0.6), voice=Voice(-1.0, 0.32, 9.0, touch=0.8, layers=2),
        phrases=phrases(
            "pad, pads, synth pad, synth strings, string machine, mellotron"
        ),
        stands_in_for=phrases(
            "choir, chorus, choral"
        ),
    ),
)
# fmt: on
