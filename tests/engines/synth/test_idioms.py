"""Instruments play what they are known by: long lines, broken sixteenths, bends over a drone."""

import itertools

import numpy as np
import pytest
from scores import clashes, clip, drums, instruments

from lullwave.engines.synth.catalogue.instruments import INSTRUMENTS
from lullwave.engines.synth.options import SynthOptions
from lullwave.engines.synth.programme import Programme
from lullwave.request import Request


def notes_of(bars, name, part):
    return [(bar, n) for bar in bars for n in bar.notes if n.part == part and bar.mix.tracks[part].instrument == name]


@pytest.mark.parametrize("name", ["violin", "cello", "strings"])
def test_bowed_strings_draw_long_lines_without_drums(name):
    for seed in range(4):
        bars = clip(name, seed)
        player = {"strings": "string_section"}.get(name, name)
        line = notes_of(bars, player, "lead")
        beats = [n.length_s * bar.tempo_bpm / 60 for bar, n in line]
        assert np.median(beats) >= 0.9, seed
        assert len({bar.bar for bar, _ in line}) > 0.4 * len(bars), seed
        assert not drums(bars)
        assert clashes(bars) == []


def test_a_beat_keeps_its_drums_under_a_violin():
    assert sum(drums(clip("violin and a drum machine", 3)).values()) > 30
    assert sum(drums(clip("lofi hip hop with violin", 3)).values()) > 30


def test_a_harpsichord_breaks_its_chords_into_sixteenths():
    bars = clip("harpsichord", 2)
    in_a_bar = [sum(n.part == "keys" for n in bar.notes) for bar in bars]
    assert np.median(in_a_bar) >= 10


def test_a_guitar_that_is_named_is_picked_unless_a_style_strums_it():
    player = "nylon_guitar", "keys"

    def together(prompt, seed):
        """Notes of a strike, on average: those that begin within 60 ms of one another."""
        begun = sorted(bar.start_frame / 44100 + n.start_s for bar, n in notes_of(clip(prompt, seed), *player))
        return len(begun) / (1 + np.count_nonzero(np.diff(begun) > 0.06))

    for seed in range(3):
        assert together("guitar", seed) < 1.2
        assert together("solo classical guitar, no drums", seed) < 1.2
        assert together("bossa nova guitar", seed) > 2.5


def test_a_synth_that_is_named_plays_among_synths():
    for seed in range(6):
        played = set(instruments(clip("synth", seed)))
        melodic = {name for name in played if INSTRUMENTS[name].role != "bass"}
        assert {INSTRUMENTS[name].family for name in melodic} == {"synths"}, seed


def test_a_sitar_bends_over_its_own_drone():
    bars = clip("sitar", 1)
    assert set(instruments(bars)) - {"sitar"} <= {"pad", "sub_bass", "upright_bass", "synth_bass"}
    line = [n for _, n in notes_of(bars, "sitar", "lead")]
    bends = [n for n in line if n.slide_from is not None]
    assert len(bends) >= 0.15 * len(line)
    assert {n.pitch - n.slide_from for n in bends if n.slide_from < n.pitch} & {1, 2}
    assert np.median([n.pitch for _, n in notes_of(bars, "sitar", "keys")]) < 60


def test_a_cello_plays_below_a_violin():
    def mean_pitch(name):
        return np.mean([n.pitch for seed in range(3) for _, n in notes_of(clip(name, seed), name, "lead")])

    assert mean_pitch("cello") < mean_pitch("violin") - 12


def test_a_violin_that_is_added_leaves_the_beat_alone():
    programme = Programme(Request("", 4), SynthOptions())
    for _ in range(6):
        programme.next_bar()
    programme.steer("add a violin", 4.0)
    bars = [programme.next_bar() for _ in range(12)]
    assert sum(drums(bars).values()) > 60
    assert instruments(bars)["violin"] > 5


@pytest.mark.parametrize("name", ["flute", "violin", "cello"])
def test_classical_players_have_no_synthesizer_among_them(name):
    for seed in range(6):
        assert not {"pad", "synth_lead", "sub_bass"} & set(instruments(clip(name, seed)))


@pytest.mark.parametrize("prompt", ["sitar", "indian music", "raga at dusk"])
def test_a_raga_is_a_sitar_over_its_drone_with_hand_drums(prompt):
    for seed in range(3):
        bars = clip(prompt, seed)
        assert set(instruments(bars)) <= {"sitar", "flute"}
        assert instruments(bars)["sitar"] > 20
        assert {bar.mix.kit for bar in bars if bar.hits} == {"hand"}


def test_an_indian_summer_is_no_raga():
    assert "sitar" not in instruments(clip("indian summer", 1))


def test_a_named_flute_rests_less_than_one_that_a_style_chose():
    def share(bars, name):
        seconds = sum(b.seconds for b in bars)
        return sum(n.length_s for _, n in notes_of(bars, name, "lead")) / seconds

    assert np.mean([share(clip("flute", seed), "flute") for seed in range(5)]) > 0.4


@pytest.mark.parametrize("name", ["flute", "violin", "cello"])
def test_who_is_named_alone_begins_alone_and_is_joined_later(name):
    for seed in range(4):
        bars = clip(name, seed)
        assert set(instruments(bars[:4])) == {name}, seed
        assert set(instruments(bars)) > {name}, seed
        assert instruments(bars[:2])[name] > 0, seed


@pytest.mark.parametrize("prompt", ["flute and guitar", "flute over a slow beat", "jazz flute", "guitar"])
def test_who_is_named_in_company_does_not_wait_for_it(prompt):
    for seed in range(3):
        assert len(instruments(clip(prompt, seed)[:4])) > 1, seed


def test_dance_music_has_a_kick_on_each_beat_open_hats_between_and_a_bass_in_octaves():
    for seed in range(4):
        bars = clip("dance", seed)
        full = [bar for bar in bars if bar.section[0] in "AB" and sum(h.drum == "kick" for h in bar.hits) >= 4]
        assert len(full) >= 8, seed
        assert 112 < full[0].tempo_bpm <= 126
        for bar in full[:4]:
            beat_s = 60 / bar.tempo_bpm
            kicks = {round(h.start_s / beat_s) for h in bar.hits if h.drum == "kick" and h.velocity > 0.4}
            assert kicks >= {0, 1, 2, 3}
            opened = [h.start_s / beat_s % 1 for h in bar.hits if h.drum == "open_hat"]
            assert len(opened) >= 3  # a fill may take the last
            assert all(0.4 < at < 0.6 for at in opened)
    low = [n.pitch for bar in bars for n in bar.notes if n.part == "bass"]
    leaps = [b - a for a, b in itertools.pairwise(low)]
    assert leaps.count(12) > 0.3 * len(leaps)
