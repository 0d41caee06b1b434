"""The plucked and the bowed strings."""

from __future__ import annotations

from .instrument import Instrument, Seat, Voice, phrases

# fmt: off
INSTRUMENTS = (
    Instrument(
        "nylon_guitar", "plucked", "guitar", ("keys", "bass", "lead"), 28, 88, midi_program=24,
        seat=Seat(0.0, 6000, -16, -20), voice=Voice(0.0, 0.07, 3.4),
        named_comps=("picking", "arpeggio"),
        phrases=phrases(
            "guitar, nylon guitar, acoustic guitar, classical guitar, spanish guitar, nylon string guitar, "
            "string guitar, fingerpicked guitar, fingerpicking, nylon, strings plucked"
        ),
        stands_in_for=phrases("ukulele, cavaquinho, charango"),
    ),
    Instrument(
        "upright_bass", "plucked", "upright bass", ("bass",), 28, 88, midi_program=32,
        seat=Seat(0.0, 2500, -26), voice=Voice(-0.5, 0.05, 2.8, touch=0.8, layers=3), articulations=("slide",),
        phrases=phrases("upright bass, double bass, contrabass, acoustic bass, walking bass, stand up bass"),
    ),
    Instrument(
        "steel_guitar", "plucked", "steel-string guitar", ("keys", "bass", "lead"), 28, 88, midi_program=25,
        seat=Seat(0.0, 8000, -16, -20), voice=Voice(0.0, 0.07, 3.4),
        comps=("picking", "halves"),
        phrases=phrases("steel guitar, steel string guitar, western guitar, folk guitar, twelve string guitar"),
        stands_in_for=phrases("banjo, mandolin, dulcimer, bouzouki, balalaika, saz"),
    ),
    Instrument(
        "electric_guitar", "plucked", "electric guitar", ("keys", "lead"), 40, 88, midi_program=27,
        seat=Seat(0.0, 5000, -16, -18, tremolo=0.12), voice=Voice(-0.5, 0.06, 5.0),
        articulations=("slide",), comps=("picking", "arpeggio", "halves"),
        phrases=phrases(
            "electric guitar, clean guitar, clean electric guitar, surf guitar, jazz guitar, stratocaster, telecaster"
        ),
        stands_in_for=phrases("wah guitar, distorted guitar"),
    ),
    Instrument(
        "slide_guitar", "plucked", "slide guitar", ("lead",), 45, 80, midi_program=26,
        seat=Seat(-1.0, 5000, -14, -16), voice=Voice(1.0, 0.12, 5.0, touch=1.0, layers=3),
        articulations=("slide",), bed=("steel_guitar", "pad"),
        unasked=0.5,
        phrases=phrases(
            "slide guitar, lap steel, pedal steel, slack key guitar, hawaiian guitar, dobro, bottleneck guitar"
        ),
    ),
    Instrument(
        "harp", "plucked", "harp", ("keys", "lead"), 36, 103, midi_program=46,
        seat=Seat(0.0, 9000, -9, -12), voice=Voice(-4.0, 0.5, 4.0),
        comps=("glissando", "arpeggio"), chords_up=12,
        style="classical",
        phrases=phrases("harp, concert harp, celtic harp, harpist"),
        stands_in_for=phrases("lyre, kora, zither, autoharp, cimbalom, santoor, qanun"),
    ),
    Instrument(
        "harpsichord", "plucked", "harpsichord", ("keys", "lead"), 29, 91, midi_program=6,
        seat=Seat(-1.0, 10500, -8, -16), voice=Voice(-6.5, 0.05, 3.4, touch=0.3, layers=2),
        comps=("broken",),
        style="classical",
        unasked=0.2,
        phrases=phrases("harpsichord, cembalo, clavecin, spinet"),
        stands_in_for=phrases("clavichord, lute, virginal"),
    ),
    Instrument(
        "sitar", "plucked", "sitar", ("lead", "keys"), 43, 80, midi_program=104,
        seat=Seat(-1.0, 8000, -14, -14), voice=Voice(-5.5, 0.3, 5.0, touch=1.0, layers=3),
        articulations=("slide", "bend"), comps=("drone",), bed=("sitar",), style="raga",
        unasked=0.1,
        phrases=phrases("sitar"),
        stands_in_for=phrases("sarod, veena, oud, tanpura, tambura"),
    ),
    Instrument(
        "koto", "plucked", "koto", ("lead", "keys"), 43, 103, midi_program=107,
        seat=Seat(-1.0, 8000, -14, -15), voice=Voice(-0.7, 0.3, 3.5, layers=3),
        articulations=("bend",), comps=("glissando", "picking"), chords_up=12, bed=("pad", "string_section"),
        unasked=0.5,
        phrases=phrases("koto"),
        stands_in_for=phrases("guzheng, zheng, gayageum, shamisen, pipa, sanxian"),
    ),
    Instrument(
        "violin", "bowed", "violin", ("lead",), 55, 100, midi_program=40,
        seat=Seat(-2.0, 9000, -13, -13), voice=Voice(-4.5, 0.07, 9.0, touch=1.0, layers=3),
        articulations=("slide",), line="slow", bed=("string_section",),
        style="classical",
        phrases=phrases("violin, fiddle, violinist"),
        stands_in_for=phrases("viola, erhu, kamancheh, hurdy gurdy, nyckelharpa, rebab"),
    ),
    Instrument(
        "cello", "bowed", "cello", ("lead",), 36, 66, midi_program=42,
        seat=Seat(1.0, 7000, -14, -14), voice=Voice(0.0, 0.08, 9.0, touch=1.0, layers=3),
        articulations=("slide",), line="slow", bed=("harp",),
        style="classical",
        phrases=phrases("cello, violoncello, cellist"),
        stands_in_for=phrases("viola da gamba"),
    ),
    Instrument(
        "bowed_bass", "bowed", "bowed bass", ("bass",), 28, 60, midi_program=43,
        seat=Seat(0.0, 3000, -18, -20), voice=Voice(-2.5, 0.08, 9.0, touch=0.9, layers=2),
        phrases=phrases("bowed bass, arco bass, bowed double bass"),
    ),
    Instrument(
        "string_section", "bowed", "strings", ("pad", "keys", "lead"), 36, 96, midi_program=48,
        seat=Seat(-2.0, 9000, -14, -13), voice=Voice(-2.5, 0.14, 9.0, touch=0.9, layers=2),
        line="slow", comps=("held",),
        style="classical",
        phrases=phrases("string, strings, string section, string quartet, bowed strings, string ensemble"),
        stands_in_for=phrases("orchestra, string orchestra"),
    ),
)
# fmt: on
