"""Clips of any length, shorter than a bar too: their MIDI is what is heard, their stems add up."""

import itertools
from collections import defaultdict

import numpy as np
import pytest
from midi_reader import read
from scores import clip

from lullwave.engines.synth.catalogue.drums import DRUMS
from lullwave.engines.synth.chance import Chance
from lullwave.engines.synth.engine import SynthEngine
from lullwave.engines.synth.planning.planner import Length, _bars
from lullwave.engines.synth.score import RATE
from lullwave.engines.synth.writing.metres import METRES
from lullwave.request import Request

PROMPT = "rainy night piano, bass and drums, {metre}, {bpm} bpm"
SEED = 7
RHYTHMS = list(itertools.product((40, 78, 180), ("4/4", "3/4", "6/8")))
BAR_AT_180 = 58800  # frames of four beats


@pytest.fixture(scope="module")
def engine():
    with SynthEngine() as engine:
        yield engine


def conductor(track):
    """(quarter notes a minute, (beats, unit), end tick); there is one tempo and one metre, both from the beginning."""
    ((at, tempo),) = [(tick, int.from_bytes(data, "big")) for tick, kind, data in track if kind == 0xFF51]
    ((begins, metre),) = [(tick, data) for tick, kind, data in track if kind == 0xFF58]
    assert at == begins == 0
    return 60e6 / tempo, (metre[0], 2 ** metre[1]), track[-1][0]


def played(track):
    """(pitch, on, off) in ticks; fails where a note-off would end another note or a note never ends."""
    sounding, notes = {}, []
    for tick, status, data in track:
        if status & 0xF0 == 0x90:
            assert data[0] not in sounding, f"{data[0]} is struck at {tick} while it sounds"
            sounding[data[0]] = tick
        elif status & 0xF0 == 0x80:
            notes.append((data[0], sounding.pop(data[0]), tick))
    assert not sounding
    return notes


def heard(bars, seconds):
    """Of each part and pitch, the (start, end) in seconds as the score has them, cut at the clip's end."""
    out = defaultdict(list)
    for bar in bars:
        at = bar.start_frame / RATE
        for note in bar.notes:
            start = max(0.0, at + note.start_s)
            out[note.part, note.pitch].append((start, at + note.start_s + note.length_s))
        for hit in bar.hits:
            out["drums", DRUMS[hit.drum].midi_note].append((max(0.0, at + hit.start_s), None))
    return {key: sorted((s for s in spans if s[0] < seconds), key=lambda s: s[0]) for key, spans in out.items()}


@pytest.mark.parametrize(("bpm", "metre"), RHYTHMS)
def test_midi_is_what_is_heard(engine, bpm, metre):
    for seconds in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0):
        prompt = PROMPT.format(metre=metre, bpm=bpm)
        _, ticks, tracks = read(engine.midi(Request(prompt, SEED, seconds)))
        tempo, signature, end = conductor(tracks[0])
        assert tempo == pytest.approx(bpm * (1.5 if metre == "6/8" else 1.0), rel=1e-5)
        assert signature == tuple(map(int, metre.split("/")))
        tick_s = 60 / tempo / ticks
        near = 2.5 * tick_s
        assert {track[-1][0] for track in tracks} == {end}
        assert end * tick_s == pytest.approx(seconds, abs=near)
        found = {}
        for track in tracks[1:]:
            name = next(data.decode() for _, kind, data in track if kind == 0xFF03)
            for pitch, on, off in played(track):
                found.setdefault((name, pitch), []).append((on * tick_s, off * tick_s))
        expected = heard(clip(prompt, SEED, seconds), seconds)
        for (part, pitch), notes in found.items():
            spans = expected[part, pitch]
            for on, off in notes:
                same = [s for s in spans if abs(s[0] - on) < near]
                assert same, (part, pitch, on)
                again = min((s[0] for s in spans if s[0] > on + near), default=seconds)
                if part != "drums":
                    until = min(max(s[1] for s in same), again, seconds)
                    assert off == pytest.approx(until, abs=near), (part, pitch, on)
                assert off <= min(again, seconds) + near
        for key, spans in expected.items():
            for start, _ in spans:
                if start < seconds - near:
                    assert any(abs(on - start) < near for on, _ in found[key]), (key, start)


@pytest.mark.parametrize(
    ("frames", "bpm", "metre"),
    [
        (1 * RATE, 40, "4/4"),
        (2 * RATE, 40, "3/4"),
        (3 * RATE, 78, "3/4"),
        (1 * RATE, 180, "3/4"),
        (BAR_AT_180 + 1, 180, "4/4"),
        (BAR_AT_180 - 1, 180, "4/4"),
    ],
)
def test_stems_add_up(engine, frames, bpm, metre):
    request = Request(PROMPT.format(metre=metre, bpm=bpm), SEED, frames / RATE)
    stems = engine.stems(request)
    assert {audio.samples.shape for audio in stems.values()} == {(frames, 2)}
    assert all(np.abs(audio.samples).max() > 1e-6 for audio in stems.values())
    with engine.stream(request) as stream:
        mix = stream.read(10 * RATE).samples
        assert len(mix) == frames
        total = sum(audio.samples.astype(np.float64) for audio in stems.values())
        assert np.abs(total - mix).max() < 2e-5
        (piece,) = stream.marks(0, frames)
        assert piece.data["frames"] == frames


def test_no_length_gives_a_negative_rest():
    for (bpm, metre), seconds in itertools.product(RHYTHMS, np.arange(0.2, 8.0, 0.1)):
        frames = round(seconds * RATE)
        bar = METRES[metre].bar_frames(bpm)
        bars, tail = _bars(Chance(1), bpm, METRES[metre], Length(frames, last=True))
        assert bars >= 1
        assert 0 <= tail < bar
        assert bars * bar + tail == max(frames, bar)
