"""What is blown: winds, free reeds and voices."""

from __future__ import annotations

from .instrument import Instrument, Seat, Voice, phrases

# fmt: off
INSTRUMENTS = (
    Instrument(
        "flute", "winds", "flute", ("lead",), 60, 96, midi_program=73,
        seat=Seat(-2.0, 6000, -16, -14), voice=Voice(-1.5, 0.06, 9.0, touch=1.0, layers=3),
        articulations=("slide",), style="classical", bed=("nylon_guitar", "harp"),
        phrases=phrases("flute"),
        stands_in_for=phrases(
            "shakuhachi, recorder, woodwind, pan flute, whistle, ocarina, oboe, piccolo, duduk, ney"
        ),
    ),
    Instrument(
        "muted_trumpet", "winds", "muted trumpet", ("lead",), 54, 88, midi_program=59,
        seat=Seat(-2.5, 5600, -16, -16), voice=Voice(-4.0, 0.05, 9.0, touch=1.0, layers=3),
        articulations=("slide",),
        phrases=phrases("muted trumpet, harmon mute"),
    ),
    Instrument(
        "trumpet", "winds", "trumpet", ("lead",), 54, 90, midi_program=56,
        seat=Seat(-2.5, 8000, -15, -15), voice=Voice(-5.5, 0.05, 9.0, touch=1.0, layers=3),
        articulations=("slide",), phrases=phrases("trumpet, open trumpet"),
        stands_in_for=phrases("cornet, flugelhorn, bugle"),
    ),
    Instrument(
        "saxophone", "winds", "saxophone", ("lead",), 46, 80, midi_program=66,
        seat=Seat(-1.5, 7000, -15, -15), voice=Voice(-2.5, 0.05, 9.0, touch=1.0, layers=3),
        articulations=("slide", "bend"), phrases=phrases("saxophone, sax, tenor sax, alto sax, saxophonist"),
        stands_in_for=phrases("soprano sax, baritone sax"),
    ),
    Instrument(
        "clarinet", "winds", "clarinet", ("lead",), 50, 92, midi_program=71,
        seat=Seat(-2.0, 6500, -15, -14), voice=Voice(-4.2, 0.06, 9.0, touch=1.0, layers=3),
        articulations=("slide",), phrases=phrases("clarinet, clarinettist"),
        stands_in_for=phrases("bass clarinet, bassoon, english horn"),
    ),
    Instrument(
        "brass_section", "winds", "brass", ("keys", "lead"), 40, 90, midi_program=61,
        seat=Seat(-2.0, 7000, -15, -16), voice=Voice(-2.0, 0.08, 2.8, touch=1.0, layers=2, variants=1),
        comps=("stabs", "held"), unasked=0.3, phrases=phrases("brass, brass section, horn section"),
        stands_in_for=phrases("horn, trombone, tuba, french horn, alphorn, euphonium, didgeridoo"),
    ),
    Instrument(
        "accordion", "organs", "accordion", ("lead", "keys"), 45, 92, midi_program=21,
        seat=Seat(-3.0, 6500, -16, -18), voice=Voice(-2.5, 0.06, 9.0, touch=0.9, layers=2, variants=1),
        comps=("halves", "held"), unasked=0.3, phrases=phrases("accordion, bandoneon, musette, concertina"),
        stands_in_for=phrases("harmonium, melodica, harmonica, bagpipe"),
    ),
    Instrument(
        "choir", "choirs", "choir", ("pad", "keys", "lead"), 40, 92, midi_program=52,
        seat=Seat(-2.0, 8000, -12, -11), voice=Voice(-3.0, 0.16, 9.0, touch=0.9, layers=2, variants=1),
        line="slow", comps=("held",), style="classical",
        phrases=phrases("choir, chorus, choral, choir pad, gregorian chant, boys choir"),
    ),
    Instrument(
        "humming_choir", "choirs", "humming choir", ("pad", "keys", "lead"), 40, 92, midi_program=53,
        seat=Seat(-2.0, 6000, -12, -11), voice=Voice(0.5, 0.2, 9.0, touch=0.9, layers=2, variants=1),
        line="slow", comps=("held",), style="classical",
        phrases=phrases("humming choir, soft choir, ooh choir, oo choir, choir humming"),
        stands_in_for=phrases("vocal, female vocal, male vocal, vocalist, voice, singing, singer, sung"),
    ),
)
# fmt: on
