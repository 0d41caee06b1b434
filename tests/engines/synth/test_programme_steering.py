"""Steering, state and restoring of a programme, read from its bars."""

import json

import pytest
from scores import clashes, drums, instruments, key_fit, last_chord_has, layers

from lullwave.engines.synth.options import SynthOptions
from lullwave.engines.synth.planning.memory import Memory
from lullwave.engines.synth.programme import Programme
from lullwave.engines.synth.score import RATE
from lullwave.errors import PromptError
from lullwave.request import Request


def endless(prompt="", seed=1, **options):
    return Programme(Request(prompt, seed), SynthOptions(**options))


def take(programme, count):
    return [programme.next_bar() for _ in range(count)]


def rest(programme):
    bars = []
    while (bar := programme.next_bar()) is not None:
        bars.append(bar)
    return bars


@pytest.mark.parametrize("played", [0, 1, 3, 17, 63, 90])
def test_a_restored_programme_goes_on_with_the_same_bars(played):
    programme = endless("rainy jazz", 3)
    take(programme, played)
    again = Programme.restore(json.loads(json.dumps(programme.state())))
    assert take(again, 80) == take(programme, 80)


@pytest.mark.parametrize("played", [1, 6, 40])
def test_steered_programmes_are_restored_too(played):
    programme = endless("ambient", 5)
    take(programme, 9)
    programme.steer("warm synthwave, 92 bpm in E minor", 8.0)
    take(programme, played)
    again = Programme.restore(json.loads(json.dumps(programme.state())))
    for one in (programme, again):
        one.steer("folk guitar", 4.0)
    assert take(again, 60) == take(programme, 60)


def test_the_state_stays_small():
    programme = endless()
    take(programme, 900)
    assert len(json.dumps(programme.state())) < 80_000


def test_the_same_request_gives_the_same_bars():
    assert take(endless("soul", 8), 100) == take(endless("soul", 8), 100)


def test_seeds_and_prompts_differ():
    first = [c.name for b in take(endless("soul", 8), 20) for c in b.chords]
    assert first != [c.name for b in take(endless("soul", 9), 20) for c in b.chords]
    assert first != [c.name for b in take(endless("smooth soul", 8), 20) for c in b.chords]


def test_what_can_change_at_the_next_bar_does():
    programme = endless("jazz with brushes and muted trumpet", 2)
    take(programme, 10)
    programme.steer("flute, no drums, rain", 8.0)
    after = take(programme, 2)
    assert drums(after) == {}
    assert layers(after) == {"rain"}
    assert all(b.mix.tracks["lead"].instrument == "flute" for b in after)
    assert instruments(take(programme, 30))["flute"] > 10


def test_drums_that_are_asked_for_come_at_once():
    programme = endless("ambient pads, no drums", 2)
    assert not drums(take(programme, 12))
    programme.steer("hip hop beat")
    assert drums(take(programme, 2))["kick"] >= 2


def test_the_tempo_glides_and_arrives():
    programme = endless("70 bpm", 2)
    take(programme, 9)
    programme.steer("90 bpm", 8.0)
    tempos = [b.tempo_bpm for b in take(programme, 24)]
    steps = [b / a for a, b in zip([70.0, *tempos], tempos, strict=False)]
    assert all(1.0 <= step < 1.05 for step in steps)
    assert tempos[-1] == pytest.approx(90)


@pytest.mark.parametrize("wish", ["in E minor", "F# major", "c minor"])
def test_a_key_that_is_asked_for_comes_by_way_of_its_dominant(wish):
    programme = endless("in A major", 2)
    take(programme, 7)
    programme.steer(wish)
    name = programme.spec.sections[-1].key.name
    bars = take(programme, 20)
    turn = next(i for i, b in enumerate(bars) if b.section == bars[5].section and b.bar >= bars[4].bar - 4)
    assert turn >= 0
    keys = [s.key for s in programme.spec.sections]
    border = next(i for i, k in enumerate(keys) if k.name == name)
    leading = programme.spec.sections[border - 1]
    assert (leading.key.tonic + leading.slots[-1].degree) % 12 == (keys[border].tonic + 7) % 12
    assert key_fit(bars[6:], name) > 0.92


def test_unchanged_wishes_leave_tempo_key_and_players():
    programme = endless("78 bpm in D minor, rhodes and flute", 2)
    before = take(programme, 12)[-1]
    programme.steer("78 bpm in D minor, rhodes and flute, with rain")
    after = take(programme, 20)[-1]
    assert after.tempo_bpm == before.tempo_bpm
    assert programme.spec.sections[-1].key.name == "D minor"
    assert {r: t.instrument for r, t in after.mix.tracks.items()} == {
        r: t.instrument for r, t in before.mix.tracks.items()
    }


@pytest.mark.parametrize("played", [0, 1, 2, 5, 11, 16, 18, 19])
@pytest.mark.parametrize("wish", ["100 bpm synthwave in B minor", "55 bpm ambient", "no drums"])
def test_a_finite_clip_keeps_its_length_when_steered(played, wish):
    programme = Programme(Request("80 bpm", 4, 60.0), SynthOptions())
    bars = take(programme, played)
    programme.steer(wish, 4.0)
    bars += rest(programme)
    assert sum(b.frames for b in bars) == 60 * RATE
    assert clashes(bars) == []
    key = programme.spec.sections[-1].key.name
    assert last_chord_has(bars, key)


def test_steering_often_breaks_nothing():
    programme = endless("", 6)
    bars = []
    for i in range(30):
        wish = ["jazz", "synthwave 100 bpm", "no drums", "piano only", "in G minor", "happy", "rain", "sleepy zen"][
            i % 8
        ]
        programme.steer(wish, 2.0)
        bars += take(programme, 1 + i % 5)
    assert clashes(bars) == []
    assert [b.start_frame for b in bars[1:]] == [b.start_frame + b.frames for b in bars[:-1]]
    assert all(b.notes for b in bars)


def test_a_prompt_that_does_not_parse_changes_nothing():
    programme, twin = endless("soul", 3), endless("soul", 3)
    take(programme, 5), take(twin, 5)
    with pytest.raises(PromptError):
        programme.steer("(jazz")
    assert take(programme, 40) == take(twin, 40)


def test_the_facts_of_a_piece():
    programme = endless("62 bpm in Eb major", 3)
    bars = take(programme, 1)
    facts = programme.piece(0)
    assert facts["tempo_bpm"] == 62
    assert facts["key"] == "Eb major"
    assert facts["prompt"] == "62 bpm in Eb major"
    assert facts["title"]
    while bars[-1].piece == 0:
        bars += take(programme, 1)
    assert sum(b.frames for b in bars[:-1]) == facts["frames"]
    with pytest.raises(KeyError):
        programme.piece(7)


def test_memory_of_another_programme_is_heeded():
    first = endless("", 1)
    take(first, 300)
    heard = Memory.of_json(json.loads(json.dumps(first.memory.to_json())))
    assert heard == first.memory
    second = Programme(Request("", 1), SynthOptions(), heard)
    take(second, 1)
    last = heard.pieces[-1]
    assert second.spec.key.name != last.tonic
    assert (second.spec.tonic, second.spec.minor) == (heard.next_tonic, heard.next_minor)
