"""What holds of every clip and of hours of music, read from the notes over many prompts and seeds."""

import itertools
from collections import Counter

import pytest
from scores import clashes, clip, key_fit, sung

from lullwave.engines.synth.catalogue.instruments import INSTRUMENTS
from lullwave.engines.synth.options import SynthOptions
from lullwave.engines.synth.planning.styles import STYLES
from lullwave.engines.synth.planning.themes import progression_name
from lullwave.engines.synth.programme import Programme
from lullwave.engines.synth.score import LOOKAHEAD_S, RATE
from lullwave.engines.synth.writing import harmony
from lullwave.engines.synth.writing.composer import compose
from lullwave.engines.synth.writing.melody import motif_name
from lullwave.request import Request

PROMPTS = [
    "",
    "rainy night piano",
    "jazz café",
    "synthwave in F# minor",
    "ambient pads",
    "folk guitar morning",
    "bossa nova",
    "neo soul",
    "city pop, 96 bpm",
    "zen garden flute",
    "boom bap hip hop",
    "sleepy",
    "happy upbeat",
    "sad ballad, 60 bpm",
    "jazz :2 | synthwave :1",
    "100 bpm, busy and lush",
    "just piano and rain",
    "no drums",
    "rhodes, vibraphone and flute",
    "no melody, 76 bpm",
]
SEEDS = range(5)


@pytest.fixture(scope="module")
def clips():
    made = {}
    for prompt in PROMPTS:
        for seed in SEEDS:
            programme = Programme(Request(prompt, seed, 60.0), SynthOptions())
            bars = []
            while (bar := programme.next_bar()) is not None:
                bars.append(bar)
            made[prompt, seed] = (programme.spec, bars)
    return made


def test_a_clip_is_as_long_as_asked_to_the_frame(clips):
    assert {sum(b.frames for b in bars) for _, bars in clips.values()} == {60 * RATE}


def test_nothing_clashes(clips):
    assert [(who, found[:1]) for who, (_, bars) in clips.items() if (found := clashes(bars))] == []


def test_it_stays_in_its_key(clips):
    low = {who: fit for who, (spec, bars) in clips.items() if (fit := key_fit(bars, spec.key.name)) < 0.92}
    assert low == {}


def test_few_bars_borrow(clips):
    much = {
        who
        for who, (_, bars) in clips.items()
        if sum(any(c.borrowed for c in b.chords) for b in bars) > 0.25 * len(bars)
    }
    assert much == set()


def test_borrowed_says_what_the_pitch_classes_say(clips):
    for spec, bars in clips.values():
        for bar in bars:
            for chord in bar.chords:
                assert chord.borrowed == (not set(chord.pitch_classes) <= set(spec.key.scale))


def test_harmony_moves_neither_too_fast_nor_too_slowly(clips):
    for who, (_, bars) in clips.items():
        starts = [(b.start_frame / RATE + c.beat * b.frames / b.beats / RATE, c.name) for b in bars for c in b.chords]
        changes = [starts[0], *(b for a, b in itertools.pairwise(starts) if a[1] != b[1])]
        gaps = [b[0] - a[0] for a, b in itertools.pairwise(changes)]
        assert 1.2 <= sum(gaps) / len(gaps) <= 5.0, who
        assert min(gaps) >= 1.19, who
        assert 3 <= len({name for _, name in starts}) <= 10, who


def test_no_two_clips_share_form_and_tunes_and_hardly_any_the_chords(clips):
    names = Counter(
        (spec.form, *(progression_name(section.slots, spec.minor) for section in spec.sections))
        for spec, _ in clips.values()
    )
    assert max(names.values()) <= 2  # a loop of two chords is common property: the tune over it is not
    tunes = Counter(
        (spec.form, *(motif_name(section.motif) for section in spec.sections)) for spec, _ in clips.values()
    )
    assert max(tunes.values()) == 1


def test_notes_and_strokes_stay_in_bounds(clips):
    for _, bars in clips.values():
        for bar in bars:
            for note in bar.notes:
                assert note.part in bar.mix.tracks
                assert -LOOKAHEAD_S <= note.start_s < bar.seconds
                assert note.length_s > 0
                assert 0 < note.velocity <= 1
                one = INSTRUMENTS[bar.mix.tracks[note.part].instrument]
                assert max(24, one.lowest) <= note.pitch <= one.highest
            for hit in bar.hits:
                assert -LOOKAHEAD_S <= hit.start_s < bar.seconds
                assert 0 < hit.velocity <= 1


def test_music_sounds_throughout_and_rings_out_at_the_end(clips):
    for who, (_, bars) in clips.items():
        reached = 0.0
        for _, start, end, _ in sung(bars):
            assert start - reached < 2.2, who
            reached = max(reached, end)
        assert 59.0 < reached < 60.0, who


def test_the_tune_rests_and_breathes(clips):
    for who, (_, bars) in clips.items():
        tune = [n for b in bars for n in b.notes if n.part == "lead"]
        if not tune:
            continue
        most = 0.75 if "flute" in who[0] else 0.6  # a named lead plays in the first sections, and rests least
        assert sum(n.length_s for n in tune) < most * 60, who
        for first in range(len(bars) - 4):
            four = bars[first : first + 4]
            assert (
                any(not any(n.part == "lead" for n in b.notes) for b in four) or len({b.section for b in four}) > 1
            ), who


def test_the_bass_plays_with_the_kick(clips):
    together = total = 0
    for spec, bars in clips.values():
        if spec.band.kit == "brushes" or spec.band.swing_unit != 0.5:
            continue
        for bar in bars:
            kicks = [h.start_s for h in bar.hits if h.drum == "kick" and h.velocity > 0.4]
            lows = [n.start_s for n in bar.notes if n.part == "bass"]
            if kicks and lows:
                total += len(kicks)
                together += sum(any(abs(k - n) < 0.06 for n in lows) for k in kicks)
    assert together / total > 0.6


def test_something_changes_between_neighbouring_sections(clips):
    for spec, _ in clips.values():
        for a, b in zip(spec.sections, spec.sections[1:], strict=False):
            assert (a.roles, a.drums, a.slots, a.comp, a.hats) != (b.roles, b.drums, b.slots, b.comp, b.hats)


def test_every_style_has_tunes_of_its_own_manner():
    for style in STYLES:
        bars = clip(
            style if style not in ("citypop", "hiphop") else {"citypop": "city pop", "hiphop": "hip hop"}[style]
        )
        assert sung(bars)


@pytest.mark.parametrize("seconds", [5.0, 9.0, 17.3, 30.0, 90.0, 200.0, 431.7])
def test_any_length_from_a_bar_on_is_met_exactly(seconds):
    bars = clip("rainy jazz", 3, seconds)
    assert sum(b.frames for b in bars) == round(seconds * RATE)
    assert any(b.notes for b in bars)
    assert clashes(bars) == []


def test_hours_never_repeat_themselves():
    programme = Programme(Request("", 11), SynthOptions())
    specs, themes = [], []
    frame = 0
    while frame < 2 * 3600 * RATE:
        bar = programme.next_bar()
        assert bar is not None
        assert bar.start_frame == frame
        frame += bar.frames
        if not specs or specs[-1].number != bar.piece:
            specs.append(programme.spec)
            themes.append(set(programme.memory.pieces[-1].progressions))
            assert progression_name(programme.spec.progression, programme.spec.minor) in themes[-1]
            # What follows plays the same whatever came before, so the pieces need not be composed here.
            rest = programme.spec.sections
            programme._section, programme._given = len(rest) - 1, 0
    assert len(specs) > 30
    for i, spec in enumerate(specs):
        before = specs[max(0, i - 10) : i]
        assert not themes[i] & set().union(*themes[max(0, i - 10) : i])
        pair = (spec.band.instruments["keys"], spec.band.instruments["lead"])
        assert pair not in {(s.band.instruments["keys"], s.band.instruments["lead"]) for s in before[-4:]}
        assert spec.key not in {s.key for s in before[-3:]}
        assert spec.form not in {s.form for s in before[-1:]}
        assert spec.title not in {s.title for s in specs[max(0, i - 60) : i]}
        if before:
            assert spec.key.distance(before[-1].key) <= 2
            assert abs(spec.tempo_bpm / before[-1].tempo_bpm - 1) <= 0.08
    motifs = Counter(name for s in specs for name in {motif_name(section.motif) for section in s.sections})
    assert max(motifs.values()) == 1


@pytest.mark.parametrize("prompt", ["zen", "synthwave", "city pop, 110 bpm", ""])
def test_no_theme_comes_again_soon_even_after_turns(prompt):
    """By scale degrees, for all themes; and no pair of players either, where the prompt leaves a choice."""
    programme = Programme(Request(prompt, 4), SynthOptions())
    heard = []
    for number in range(24):
        programme.next_bar()
        if not prompt and number % 2:
            programme.steer(("rain", "warm", "sad", "no drums", "happy")[number % 5])
        heard.append(programme.memory.pieces[-1])
        if not prompt and number % 2:  # what the piece was turned to is remembered, too
            after = [s for s in programme.spec.sections[-4:-1] if s.bars >= 4]
            heads = {progression_name(harmony.unroll(s.slots, 8.0), s.minor) for s in after}
            assert any((name + " ").startswith(head + " ") for name in heard[-1].progressions for head in heads)
        programme._section, programme._given, programme._written = len(programme.spec.sections) - 1, 0, None
        while programme._section < len(programme.spec.sections):
            programme.next_bar()
    for i, piece in enumerate(heard):
        assert len(piece.progressions) >= 1  # a looped piece may keep one loop from its beginning to its end
        assert not set(piece.progressions) & {name for one in heard[max(0, i - 10) : i] for name in one.progressions}
        assert (piece.comp, piece.lead) not in {(one.comp, one.lead) for one in heard[max(0, i - 4) : i]}


def test_pieces_of_an_endless_programme_last_minutes():
    programme = Programme(Request("", 5), SynthOptions())
    lengths: Counter[int] = Counter()
    for _ in range(400):
        bar = programme.next_bar()
        assert bar is not None
        lengths[bar.piece] += bar.frames
    whole = [frames / RATE for piece, frames in lengths.items() if piece < max(lengths)]
    assert all(90 <= seconds <= 210 for seconds in whole)


def test_joins_of_pieces_are_clean():
    programme = Programme(Request("", 4), SynthOptions())
    bars = []
    while len(bars) < 700:
        bars.append(programme.next_bar())
    for i in range(1, len(bars)):
        if bars[i].piece != bars[i - 1].piece:
            assert clashes(bars[i - 2 : i + 2]) == []
            assert bars[i].notes
            assert bars[i - 1].notes


def test_composing_is_pure():
    programme = Programme(Request("soul", 2, 60.0), SynthOptions())
    bars = []
    while (bar := programme.next_bar()) is not None:
        bars.append(bar)
    assert compose(programme.spec) == tuple(bars)
