"""What is asked for is what is heard: named instruments lead, loops repeat, productions differ, places stand alone."""

import itertools
from collections import Counter, defaultdict

import numpy as np
import pytest
from scores import clip, drums, instruments, layers

from lullwave.engines.synth.catalogue.instruments import INSTRUMENTS
from lullwave.engines.synth.catalogue.productions import PRODUCTIONS
from lullwave.engines.synth.engine import SynthEngine
from lullwave.engines.synth.options import SynthOptions
from lullwave.engines.synth.programme import Programme
from lullwave.engines.synth.score import RATE
from lullwave.request import Request

SECONDS = 12.0


@pytest.fixture(scope="module")
def engine():
    return SynthEngine(cache_mb=80)


def melodic_levels(engine, prompt, seed):
    """RMS in dB of each melodic instrument's loudest stem."""
    request = Request(prompt, seed, SECONDS)
    played = defaultdict(Counter)
    for bar in clip(prompt, seed, SECONDS):
        for note in bar.notes:
            played[note.part][bar.mix.tracks[note.part].instrument] += note.length_s
    stems = engine.stems(request)
    levels = defaultdict(lambda: -120.0)
    for part, share in played.items():
        if part != "bass":
            name = share.most_common(1)[0][0]
            power = np.mean(np.square(stems[part].samples, dtype=np.float64))
            levels[name] = max(levels[name], float(10 * np.log10(power + 1e-12)))
    return levels


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("mellow beat with flute", "flute"),
        ("lofi hip hop, 82 bpm, guitar", "nylon_guitar"),
        ("muted trumpet at dusk, rain on the window", "muted_trumpet"),
        ("music box", "music_box"),
        ("slow beat with piano", "felt_piano"),
    ],
)
def test_what_is_named_is_the_loudest_melodic_part(engine, prompt, name):
    for seed in (1, 2):
        levels = melodic_levels(engine, prompt, seed)
        assert max(levels, key=levels.__getitem__) == name, dict(levels)


@pytest.mark.parametrize("name", ["flute", "muted_trumpet", "vibraphone", "rhodes", "nylon_guitar"])
def test_what_is_named_is_there_from_the_first_bars_and_nothing_doubles_it(name):
    for seed in range(6):
        bars = clip(f"beats with {INSTRUMENTS[name].label}", seed)
        assert instruments(bars[:3])[name] > 0, seed
        tunes = {b.mix.tracks[n.part].instrument for b in bars for n in b.notes if n.part in ("lead", "answer")}
        assert tunes == {name}


def test_no_keys_where_another_instrument_is_named():
    for seed in range(20):
        played = instruments(clip("beats with flute", seed))
        assert not [one for one in played if INSTRUMENTS[one].family == "pianos"], seed


@pytest.mark.parametrize("prompt", ["only rain", "rain on a tin roof, no instruments", "just ocean waves"])
def test_a_place_alone_has_no_note(prompt):
    for seed in range(4):
        bars = clip(prompt, seed)
        assert not instruments(bars)
        assert not drums(bars)
        assert layers(bars)


def test_a_place_alone_is_heard(engine):
    with engine.stream(Request("only rain", 1, 6.0)) as stream:
        assert np.sqrt(np.mean(np.square(stream.read(6 * RATE).samples))) > 1e-3


def test_unnamed_palettes_go_through_the_families():
    programme = Programme(Request("", 7), SynthOptions())
    chords = []
    for _ in range(40):
        programme.next_bar()
        chords.append(INSTRUMENTS[programme.spec.band.instruments["keys"]].family)
        programme._section, programme._given, programme._written = len(programme.spec.sections) - 1, 0, None
        while programme._section < len(programme.spec.sections):
            programme.next_bar()
    shares = Counter(chords)
    assert {"pianos", "plucked", "mallets", "synths"} <= set(shares)
    assert max(shares.values()) < 0.6 * len(chords)


def test_the_first_bar_has_the_palette_of_the_piece():
    """A beat begins with its chords, its drums and its production; nothing is kept for later but the full kit."""
    for seed in range(20):
        bars = clip("lofi hip hop", seed)
        first = bars[0]
        assert {n.part for n in first.notes} & {"keys", "pad"}, seed
        assert first.hits, seed
        keys = {b.mix.tracks["keys"].instrument for b in bars if "keys" in b.mix.tracks}
        assert first.mix.tracks["keys"].instrument in keys
        assert {(b.mix.kit, b.mix.drums_air_db, b.mix.warmth) for b in bars} == {
            (first.mix.kit, first.mix.drums_air_db, first.mix.warmth)
        }


def played(bar, *parts):
    return [(n.part, round(n.start_s, 6), n.pitch, round(n.velocity, 6)) for n in bar.notes if n.part in parts]


def test_a_loop_comes_again_note_for_note_and_its_theme_with_the_same_hook():
    looped, hooks, shared = 0, 0, 0
    for seed in range(12):
        programme = Programme(Request("lofi hip hop, 80 bpm", seed, 60.0), SynthOptions())
        bars = []
        while (bar := programme.next_bar()) is not None:
            bars.append(bar)
        at, sung = 0, defaultdict(list)
        for section in programme.spec.sections[:-1]:
            own, at = bars[at : at + section.bars], at + section.bars
            if not section.loop_bars:
                continue
            if tune := [
                (k, n.pitch, round(n.start_s, 3)) for k, b in enumerate(own) for n in b.notes if n.part == "lead"
            ]:
                sung[section.theme, section.phrase].append(tune)
            repeats = [
                (a, b) for a, b in zip(own, own[section.loop_bars :], strict=False)
                if [c.name for c in a.chords] == [c.name for c in b.chords]
            ]  # fmt: skip
            looped += len(repeats)
            for a, b in repeats:
                assert {c.name for c in a.chords}
                ours = [note for note in played(a, "keys") if note[1] > 0]
                assert len(ours) - sum(note in played(b, "keys") for note in ours) <= 1  # but for a mended clash
        for tunes in sung.values():
            hooks += len(tunes) - 1
            shared += sum(len(set(tunes[0]) & set(tune)) > 0.6 * len(tunes[0]) for tune in tunes[1:])
    assert looped > 40
    assert hooks > 8
    assert shared > 0.7 * hooks


def test_a_looped_piece_has_one_drum_loop_for_all_its_themes():
    """Bars at one place of the loop have the same kicks and snares, but for fills, ghosts and the loudness."""
    shared = compared = 0
    for seed in range(8):
        programme = Programme(Request("lofi hip hop, 80 bpm", seed, 60.0), SynthOptions())
        struck: dict[int, list[tuple[str, list[tuple[str, float]]]]] = defaultdict(list)
        while (bar := programme.next_bar()) is not None:
            beat = [(h.drum, round(h.start_s, 3)) for h in bar.hits if h.drum == "kick" and h.velocity > 0.4]
            if bar.take >= 0 and beat:
                struck[bar.take].append((bar.section[0], beat))
        for bars in struck.values():
            for (one, kicks), (other, theirs) in itertools.pairwise(bars):
                if one != other:
                    compared += 1
                    shared += len(set(kicks) & set(theirs)) >= min(len(kicks), len(theirs)) - 1
    assert compared > 12
    assert shared > 0.9 * compared


def test_the_drums_of_a_loop_are_two_bars_whatever_its_chords():
    same = compared = 0
    for seed in range(8):
        bars = clip("lofi hip hop, 80 bpm", seed)
        for one, other in zip(bars, bars[2:], strict=False):
            if one.section == other.section and min(one.take, other.take) >= 0:
                ours, theirs = ({(h.drum, round(h.start_s, 3)) for h in bar.hits} for bar in (one, other))
                compared += 1
                same += ours == theirs
    assert compared > 40
    assert same > 0.7 * compared  # but for fills and where the drums fall silent


def test_a_beat_is_whole_from_the_first_bar_or_alone_in_a_break_in_many_loops():
    first = alone = 0
    for seed in range(20):
        bars = clip("lofi hip hop", seed)
        first += any(h.drum == "kick" for h in bars[0].hits)
        breaks = [bar for bar in bars if bar.section == "break" and any(h.drum == "kick" for h in bar.hits)]
        alone += bool(breaks) and {n.part for bar in breaks for n in bar.notes} <= {"bass"}
    assert 5 < first < 18
    assert alone >= 1


def test_a_named_melody_is_sometimes_alone_with_drums_and_bass():
    parts = [{n.part for bar in clip("slow beat with saxophone", seed) for n in bar.notes} for seed in range(20)]
    bare = [one for one in parts if not one & {"keys", "pad"}]
    assert 2 <= len(bare) <= 12
    assert all(one >= {"bass", "lead"} for one in bare)


def test_a_radio_has_no_lows_and_a_deep_production_more_bass():
    def bass(production):
        return {bar.mix.tracks["bass"] for bar in clip(f"lofi beats, sub bass, {production}", 2, 12.0)}

    assert {track.thin_hz for track in bass("old radio")} == {320.0}
    assert {track.thin_hz for track in bass("sub heavy")} == {0.0}
    assert min(t.level_db for t in bass("sub heavy")) == max(t.level_db for t in bass("bone dry")) + 4.0


def test_a_line_goes_round_with_the_loop():
    again = bars_seen = 0
    for seed in range(6):
        programme = Programme(Request("lofi hip hop with violin, 80 bpm", seed, 60.0), SynthOptions())
        bars = []
        while (bar := programme.next_bar()) is not None:
            bars.append(bar)
        at = 0
        for section in programme.spec.sections[:-1]:
            own, at = bars[at : at + section.bars], at + section.bars
            if section.loop_bars != 2:
                continue
            for a, b in zip(own, own[2:], strict=False):
                if [c.name for c in a.chords] == [c.name for c in b.chords]:
                    lines = [[n.pitch for n in one.notes if n.part == "lead"] for one in (a, b)]
                    bars_seen += bool(lines[0])
                    again += bool(lines[0]) and lines[0] == lines[1]
    assert bars_seen > 12
    assert again > 0.7 * bars_seen  # the last note before a change of chords may differ


def test_loops_have_few_chords_and_written_pieces_more():
    def chords(prompt):
        return np.mean([len({c.name for b in clip(prompt, seed) for c in b.chords}) for seed in range(12)])

    assert 2 <= chords("lofi hip hop, 80 bpm") <= 6
    assert chords("jazz, 80 bpm") > chords("lofi hip hop, 80 bpm") + 1


def test_chords_are_held_unless_another_manner_is_asked_for():
    def longest_share(prompt):
        """Share of the time in which the keys sound."""
        bars = [bar for seed in range(6) for bar in clip(prompt, seed)]
        keys = [n for b in bars for n in b.notes if n.part == "keys"]
        return sum(n.length_s for n in keys) / len(keys)

    assert longest_share("lofi beats with rhodes, held chords") > 1.8
    for manner in ("fingerpicked", "stabs", "chopped"):
        assert longest_share(f"lofi beats with rhodes, {manner}") < 1.3, manner


def test_a_flip_triggers_slices_of_one_recording_on_the_grid():
    bars = clip("chopped rhodes, 80 bpm", 3)
    keys = [(b, n) for b in bars for n in b.notes if n.part == "keys"]
    chops = [(b, n) for b, n in keys if n.pitched == -3]
    assert len(chops) > 0.7 * len(keys)
    assert {n.skip_s > 0 for _, n in chops} == {True, False}
    beat_s = 60 / 80
    late = [min((n.start_s / beat_s * 2) % 1, 1 - (n.start_s / beat_s * 2) % 1) for _, n in chops]
    assert max(late) < 0.25  # on the eighths, but for swing and the player's hand


def test_the_same_bars_in_two_productions_sound_different(engine):
    def spectrum_db(production):
        request = Request(f"lofi beats with rhodes, acoustic drums, 80 bpm in C major, {production}", 4, 12.0)
        with engine.stream(request) as stream:
            mono = stream.read(12 * RATE).samples.mean(axis=1).astype(np.float64)
        power = np.abs(np.fft.rfft(mono)) ** 2
        hz = np.fft.rfftfreq(len(mono), 1 / RATE)
        edges = (60, 250, 1000, 3000, 6000, 10500)
        bands = np.array([power[(hz >= a) & (hz < b)].sum() for a, b in itertools.pairwise(edges)])
        return 10 * np.log10(bands / bands.sum())

    found = {one.name: spectrum_db(one.phrases[0]) for one in PRODUCTIONS.values()}
    for one, other in itertools.combinations(found, 2):
        assert np.abs(found[one] - found[other]).max() > 0.7, (one, other)
    assert found["bright"][4] > found["night"][4] + 4.0


def test_a_production_that_is_named_is_chosen():
    for one in PRODUCTIONS.values():
        programme = Programme(Request(f"slow beat, {one.phrases[0]}", 3), SynthOptions())
        programme.next_bar()
        assert programme.spec.band.production == one.name


def test_unnamed_productions_change_from_piece_to_piece():
    names = Counter()
    for seed in range(40):
        programme = Programme(Request("", seed), SynthOptions())
        programme.next_bar()
        names[programme.spec.band.production] += 1
    assert set(names) == set(PRODUCTIONS)
    assert max(names.values()) < 20


def test_the_bass_dips_half_as_far_as_the_rest():
    """Side-chain: just after a kick the keys are down by the stated depth, the bass by half of it in dB."""
    from lullwave.engines.synth.score import Bar, Hit, Mix, Note, Track
    from lullwave.engines.synth.sound.instruments.cache import SoundCache
    from lullwave.engines.synth.sound.renderer import LATENCY, Renderer

    def level_db(part, at_s, drum="kick"):
        track = Track("pad", room_db=-60.0)
        mix = Mix({part: track}, duck_db=8.0, wow=0.0, crackle_db=-120.0, hiss_db=-120.0)
        notes = (Note(part, 0.0, 3.0, 60, 0.8),)
        hits = tuple(Hit(drum, at, 1.0) for at in at_s)
        bar = Bar(0, 3 * RATE, 4, notes, hits, mix, (), 0, 0, "A", 80.0)
        sound = Renderer(1, SoundCache(10_000_000), only=part).render(bar)
        at = LATENCY + round(2.0 * RATE)
        return 10 * np.log10(np.mean(np.square(sound[at + 400 : at + 1400], dtype=np.float64)))

    for part, depth in (("keys", 8.0), ("bass", 4.0)):
        assert level_db(part, ()) - level_db(part, (2.0,)) == pytest.approx(depth, abs=0.7)
    assert level_db("keys", ()) - level_db("keys", (2.0,), "snare") == pytest.approx(4.0, abs=0.7)


def test_highs_are_left_to_the_drums_where_they_play_most_by_what_is_not_named():
    held: dict[str, list[float]] = defaultdict(list)
    for bar in clip("beats with flute and rhodes", 2):
        for track in bar.mix.tracks.values():
            kind = "quiet" if not any(h.drum == "kick" for h in bar.hits) else track.instrument
            held[kind].append(track.highs_db)
    assert np.median(held["flute"]) > np.median(held["pad"]) + 1.0
    assert all(db < -3.0 for db in held["pad"])
    still = {track.highs_db for bar in clip("flute, no drums", 2) for track in bar.mix.tracks.values()}
    assert still == {0.0}
