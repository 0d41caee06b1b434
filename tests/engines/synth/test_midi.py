"""The MIDI file: notes, strokes, tempo, metre, titles and keys."""

import struct
from dataclasses import replace

from midi_reader import read
from scores import clip

from lullwave.engines.synth.midi import TICKS, midi_bytes
from lullwave.engines.synth.score import RATE
from lullwave.engines.synth.theory import Key
from lullwave.request import Request


def test_every_note_and_stroke_is_there():
    bars = clip("rhodes and flute with drums, 90 bpm", 2)
    kind, ticks, tracks = read(midi_bytes(bars))
    assert (kind, ticks) == (1, TICKS)
    ons = [e for t in tracks for e in t if e[1] & 0xF0 == 0x90]
    offs = [e for t in tracks for e in t if e[1] & 0xF0 == 0x80]
    assert len(ons) == len(offs) == sum(len(b.notes) + len(b.hits) for b in bars)
    assert sorted(e[2][0] for e in ons if e[1] & 15 != 9) == sorted(n.pitch for b in bars for n in b.notes)


def test_tempo_and_times_are_those_of_the_bars():
    bars = clip("72 bpm", 3)
    _, _, tracks = read(midi_bytes(bars))
    tempos = [int.from_bytes(d, "big") for _, kind, d in tracks[0] if kind == 0xFF51]
    assert abs(60e6 / tempos[0] - 72) < 0.01
    kicks = [h.start_s for h in bars[6].hits if h.drum == "kick"]
    drum_track = next(t for t in tracks if (0, 0xFF03, b"drums") in t)
    found = [t for t, status, d in drum_track if status == 0x99 and d[0] == 36]
    want = [round((6 * 4 + k / (bars[6].frames / RATE / 4)) * TICKS) for k in kicks]
    assert all(min(abs(f - w) for f in found) <= 1 for w in want)


def test_title_key_and_metre_are_told(tmp_path):
    from lullwave.engines.synth.engine import SynthEngine

    for name, sharps, minor in (("F# minor", 3, 1), ("Eb major", -3, 0), ("C major", 0, 0), ("Db major", -5, 0)):
        request = Request(f"rhodes in {name}", 4, 20.0)
        engine = SynthEngine()
        with engine.stream(request) as stream:
            stream.read(100)
            title = stream.marks(0, 100)[0].data["title"]
        _, _, tracks = read(engine.midi(request))
        assert tracks[0][0] == (0, 0xFF03, title.encode())
        assert (0, 0xFF59, struct.pack("bB", sharps, minor)) in tracks[0]
        assert (0, 0xFF58, bytes((4, 2, 24, 8))) in tracks[0]


def test_a_second_piece_has_its_title_where_it_begins():
    bars = [replace(b, piece=n // 8) for n, b in enumerate(clip("72 bpm", 3)[:16])]
    _, _, tracks = read(midi_bytes(bars, {0: ("One", Key(0, False)), 1: ("Two", Key(9, True))}))
    assert (0, 0xFF03, b"One") in tracks[0]
    assert (8 * 4 * TICKS, 0xFF07, b"Two") in tracks[0]
    assert [d for _, kind, d in tracks[0] if kind == 0xFF59] == [b"\0\0", b"\0\1"]


def test_an_empty_piece_is_a_valid_file():
    assert read(midi_bytes([]))[2][0][-1][1] == 0xFF2F


def test_a_pitch_struck_again_ends_the_note_before():
    """A note-off ends every note of its pitch: the first must not outlast the beginning of the second."""
    first = clip("piano, no drums, 60 bpm", 3)[0]
    note = replace(first.notes[0], pitch=60, start_s=0.0, length_s=2.0)
    again = replace(note, start_s=1.0, length_s=2.0)
    together = replace(note, start_s=1.0, length_s=0.5)
    _, _, tracks = read(midi_bytes([replace(first, notes=(note, again, together))]))
    keys = [(tick, kind & 0xF0, data[0]) for tick, kind, data in tracks[1] if kind & 0xF0 in (0x80, 0x90)]
    assert keys == [(0, 0x90, 60), (TICKS, 0x80, 60), (TICKS, 0x90, 60), (3 * TICKS, 0x80, 60)]
