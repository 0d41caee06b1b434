"""The synthesizers."""

from __future__ import annotations

from .instrument import Instrument, Seat, Voice, phrases

# fmt: off
INSTRUMENTS = (
    Instrument(
        "sub_bass", "synths", "sub-bass", ("bass",), 26, 88, midi_program=39,
        seat=Seat(0.0, 1200), voice=Voice(-5.0, 0.045, 9.0, touch=0.7, layers=2, variants=1),
        articulations=("slide",),
        phrases=phrases("sub bass, sub, deep bass"),
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
        line="sequence", articulations=("slide",), bed=("pulse_pad",),
        phrases=phrases("synth lead, synth, lead synth, synthesizer, synthesiser, saw lead"),
        stands_in_for=phrases("theremin, talk box, ondes martenot"),
    ),
    Instrument(
        "pad", "synths", "pads", ("pad", "keys"), 52, 88, midi_program=89,
        seat=Seat(-6.0, 4200, -12, -7, chorus=0.6), voice=Voice(-1.0, 0.32, 9.0, touch=0.8, layers=2),
        phrases=phrases(
            "pad, pads, synth pad, synth strings, string machine, mellotron"
        ),
    ),
    Instrument(
        "synth_pluck", "synths", "synth pluck", ("keys", "lead"), 40, 96, midi_program=87,
        seat=Seat(-2.0, 8000, -19, -18), voice=Voice(-1.5, 0.08, 2.8, layers=3),
        comps=("broken", "halves", "stabs"), phrases=phrases("synth pluck, pluck, plucks, pluck synth, plucky synth"),
    ),
    Instrument(
        "pulse_pad", "synths", "pulse pad", ("pad", "keys"), 40, 92, midi_program=90,
        seat=Seat(-3.0, 7000, -19, -18, chorus=0.3), voice=Voice(-4.5, 0.12, 9.0, touch=0.8, layers=2),
        phrases=phrases("pulse pad, pulsing pad, gated pad, pulsing synth, trance gate"),
    ),
    Instrument(
        "bass_808", "synths", "808 bass", ("bass",), 26, 88, midi_program=39,
        seat=Seat(0.0, 2200), voice=Voice(-2.0, 0.06, 2.8, touch=0.7, layers=2, variants=1),
        articulations=("slide",), phrases=phrases("808, 808 bass, trap bass"),
    ),
)
# fmt: on
