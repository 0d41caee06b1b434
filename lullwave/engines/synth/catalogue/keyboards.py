"""The instruments with keys and the mallets."""

from __future__ import annotations

from .instrument import Instrument, Seat, Voice, phrases

# fmt: off
INSTRUMENTS = (
    Instrument(
        "rhodes", "pianos", "Rhodes", ("keys", "bass", "lead"), 28, 88, midi_program=4,
        seat=Seat(0.0, 5200, -18, -22, tremolo=0.25, chorus=0.15), voice=Voice(-0.5, 0.07, 5.0),
        phrases=phrases("rhodes, electric piano, e piano, epiano, fender rhodes, ep, mk1"),
    ),
    Instrument(
        "wurli", "pianos", "Wurlitzer", ("keys", "bass", "lead"), 28, 88, midi_program=5,
        seat=Seat(0.0, 5200, -18, -24, tremolo=0.3, chorus=0.1), voice=Voice(1.0, 0.06, 4.0),
        phrases=phrases("wurli, wurlitzer, wurly, wurlitzer piano"),
        stands_in_for=phrases("clavinet"),
    ),
    Instrument(
        "felt_piano", "pianos", "piano", ("keys", "bass", "lead"), 28, 88, midi_program=0,
        seat=Seat(0.0, 5600, -16, -18), voice=Voice(-0.5, 0.09, 5.0),
        phrases=phrases("piano, felt piano, upright piano, grand piano, pianist, felt, pianoforte"),
        stands_in_for=phrases("honky tonk piano"),
    ),
    Instrument(
        "vibraphone", "mallets", "vibraphone", ("lead", "keys"), 52, 89, midi_program=11,
        seat=Seat(-1.0, 7000, -18, -16), voice=Voice(-0.5, 0.12, 5.0),
        phrases=phrases(
            "vibraphone, vibraharp, jazz vibes, mallet"
        ),
        stands_in_for=phrases(
            "steel drum, steelpan, hang drum, gamelan"
        ),
    ),
    Instrument(
        "music_box", "mallets", "music box", ("lead", "keys"), 52, 96, midi_program=10,
        seat=Seat(-2.0, 6500, -18, -14), voice=Voice(1.0, 0.12, 2.8, layers=3),
        phrases=phrases("music box, lullaby box"),
        stands_in_for=phrases("chime, wind chime, toy piano"),
    ),
    Instrument(
        "marimba", "mallets", "marimba", ("lead", "keys"), 45, 96, midi_program=12,
        seat=Seat(0.0, 7000, -18, -20), voice=Voice(1.0, 0.12, 2.8, layers=3),
        comps=("arpeggio", "picking"), phrases=phrases("marimba"), stands_in_for=phrases("xylophone, balafon"),
    ),
    Instrument(
        "kalimba", "mallets", "kalimba", ("lead", "keys"), 52, 103, midi_program=108,
        seat=Seat(0.0, 7000, -16, -18), voice=Voice(1.0, 0.2, 2.8, layers=3),
        comps=("picking", "arpeggio"), chords_up=12, phrases=phrases("kalimba, thumb piano, mbira"),
    ),
    Instrument(
        "celesta", "mallets", "celesta", ("lead", "keys"), 52, 103, midi_program=8,
        seat=Seat(-1.0, 8000, -16, -14), voice=Voice(0.0, 0.2, 2.8, layers=3),
        comps=("arpeggio", "roll"), chords_up=12, phrases=phrases("celesta, celeste"),
        stands_in_for=phrases("glockenspiel, bell"),
    ),
    Instrument(
        "organ", "organs", "organ", ("keys", "lead", "bass"), 28, 96, midi_program=16,
        seat=Seat(-3.0, 5500, -16, -18, chorus=0.3), voice=Voice(-5.5, 0.04, 9.0, touch=0.5, layers=2, variants=1),
        comps=("held",), phrases=phrases("organ, hammond, hammond organ, church organ, pipe organ, organist"),
    ),
)
# fmt: on
