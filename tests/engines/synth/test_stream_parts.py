"""The stems and notes of a stream from where it plays: they add up to what is read and lie where it is heard."""

import numpy as np
import pytest
from midi_reader import read

from lullwave.engines.synth.engine import SynthEngine
from lullwave.engines.synth.options import SynthOptions
from lullwave.engines.synth.programme import Programme
from lullwave.engines.synth.score import RATE
from lullwave.engines.synth.sound.renderer import LATENCY
from lullwave.errors import InvalidInput
from lullwave.request import Request

REQUEST = Request("jazz rhodes and flute with drums, rain, 120 bpm", seed=4)


@pytest.fixture(scope="module")
def engine():
    return SynthEngine()


def total(blocks) -> np.ndarray:
    return np.concatenate([sum(one.samples.astype(np.float64) for one in block.values()) for block in blocks])


def test_the_stems_from_inside_a_steered_bar_add_up_to_what_is_heard(engine):
    with engine.stream(REQUEST) as stream:
        stream.read(round(5.3 * RATE))
        stream.steer("solo piano, no drums")
        stream.read(400)  # within the crossfade that follows a steer
        frames = 5 * RATE
        blocks = list(stream.stems(frames))
        with engine.restore(stream.snapshot()) as again:
            restored = list(again.stems(frames))
        heard = stream.read(frames).samples
    assert {"drums", "ambience", "noise", "earlier"} <= set(blocks[0])
    assert np.abs(total(blocks) - heard).max() < 2e-5
    assert np.abs(total(restored) - heard).max() < 2e-5
    earlier = np.concatenate([block["earlier"].samples for block in blocks])
    assert np.abs(earlier[:RATE]).max() > 1e-4  # the reverberation of the bars before
    assert np.abs(earlier[4 * RATE :]).max() < 1e-6
    with engine.stream(Request("piano", 1, 8.0, {"loop": True})) as loop, pytest.raises(InvalidInput, match="seam"):
        loop.stems(RATE)


def seconds_of(tracks, ticks_a_beat: int):
    """Turn ticks into seconds by the tempo changes of the first track, as the specification says."""
    changes = [(tick, int.from_bytes(data, "big")) for tick, kind, data in tracks[0] if kind == 0xFF51]

    def seconds(tick: int) -> float:
        found = 0.0
        for (begin, tempo), (end, _) in zip(changes, [*changes[1:], (tick, 0)], strict=True):
            found += max(0, min(tick, end) - begin) * tempo / ticks_a_beat / 1e6
        return found

    return seconds


def test_every_note_lies_where_it_is_heard(engine):
    at, frames = round(3.37 * RATE), 9 * RATE
    programme = Programme(REQUEST, SynthOptions())
    bars = [programme.next_bar() for _ in range(12)]
    assert bars[-1].start_frame > at + frames
    wanted = sorted(
        (when, pitch)
        for bar in bars
        for start_s, pitch in {(note.start_s, note.pitch) for note in bar.notes}
        if 0 <= (when := (bar.start_frame + LATENCY - at) / RATE + start_s) < frames / RATE
    )
    hits = sum(0 <= bar.start_frame + LATENCY + hit.start_s * RATE - at < frames for bar in bars for hit in bar.hits)
    with engine.stream(REQUEST) as stream:
        stream.read(at)
        title = stream.marks(0, at)[0].data["title"]
        _, ticks, tracks = read(engine.midi_of([(stream, frames)]))
        stream.read(RATE)
        halves = read(engine.midi_of([(stream, RATE), (engine.restore(stream.snapshot()), RATE)]))[2]
    seconds = seconds_of(tracks, ticks)
    ons = [(seconds(tick), kind, data[0]) for track in tracks for tick, kind, data in track if kind & 0xF0 == 0x90]
    found = sorted((when, pitch) for when, kind, pitch in ons if kind & 15 != 9)
    assert len(found) == len(wanted) > 20
    assert max(abs(one[0] - other[0]) for one, other in zip(found, wanted, strict=True)) < 0.003
    assert sorted(pitch for _, pitch in found) == sorted(pitch for _, pitch in wanted)
    assert abs(len(ons) - len(found) - hits) <= 1
    assert (0, 0xFF03, title.encode("ascii", "replace")) in tracks[0]
    # Two passages follow one another: the second begins when the first has ended.
    again = [(tick, kind, data) for track in halves for tick, kind, data in track if kind & 0xF0 == 0x90]
    first = sorted((kind, data) for tick, kind, data in again if seconds_of(halves, ticks)(tick) < 0.995)
    second = sorted((kind, data) for tick, kind, data in again if seconds_of(halves, ticks)(tick) > 1.0)
    assert first
    assert set(second) <= set(first)
