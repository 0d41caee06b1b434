"""What is understood of prompts, word by word."""

import pytest

from lullwave.engines.synth.options import SynthOptions
from lullwave.engines.synth.prompts.explanation import understand
from lullwave.engines.synth.prompts.intent import Avoided
from lullwave.engines.synth.prompts.parser import read_intent
from lullwave.errors import InvalidInput, PromptError


def wishes(prompt, **options):
    return read_intent(prompt, SynthOptions(**options))[0]


@pytest.mark.parametrize(
    ("prompt", "bpm"),
    [
        ("72 bpm", 72), ("72bpm", 72), ("at 84", 84), ("tempo: 66", 66), ("90 beats per minute", 90),
        ("tempo of 70", 70), ("bpm 72", 72), ("75 beats/min", 75),
        ("180 bpm", 180), ("200 bpm", 100),
        ("120.5 BPM", 120.5), ("80s synth", None), ("at 7 am", None), ("2am", None), ("1985", None),
        ("at 12 o'clock", None), ("75 b.p.m.", 75), ("♩=75", 75), ("tempo 75", 75), ("set the tempo to 75", 75),
        ("eighty bpm", 80), ("a hundred and five bpm", 105), ("tempo of seventy-two", 72), ("80-85 bpm", 82.5),
        ("between 80 and 90 bpm", 85), ("tempo = 66", 66), ("not 80 bpm", None), ("45 bpm", 45),
        ("30 bpm", 60), ("400 bpm", None),
    ],
)  # fmt: skip
def test_tempo(prompt, bpm):
    assert wishes(prompt).tempo_bpm == bpm


@pytest.mark.parametrize(
    ("prompt", "key"),
    [
        ("in F# minor", "F# minor"), ("c major", "C major"), ("E flat major", "Eb major"), ("in Am", "A minor"),
        ("key of D", "D major"), ("Am 80bpm", "A minor"), ("in g", "G major"), ("I am calm", None),
        ("Bb minor pads", "Bb minor"), ("in a minor mood", None), ("a minor piano piece", "A minor"),
        ("a major city", None),
        ("g♯ minor", "G# minor"),
        ("piano in C", "C major"), ("in C, with rain", "C major"), ("in a cafe", None), ("In A Cafe", None),
        ("a melody", None), ("be calm", None), ("C-sharp minor", "C# minor"), ("f#m", "F# minor"), ("key C", "C major"),
        ("D dorian", "D minor"), ("E lydian", "E major"), ("A harmonic minor", "A minor"), ("Key=Am", "A minor"),
        ("not in C major, in D major", "D major"), ("C maj7 chords", None), ("in C or G", "C major"),
        ("C minor then G major", "C minor"),
    ],
)  # fmt: skip
def test_key(prompt, key):
    found = wishes(prompt).key
    assert (found and found.name) == key


@pytest.mark.parametrize(
    ("prompt", "avoided"),
    [
        ("no drums", {"drums"}), ("without drums and bass", {"drums", "bass"}), ("drumless", {"drums"}),
        ("beat-free", {"drums"}), ("piano without drums, with bass", {"drums"}),
        ("no drums or vocals", {"drums", "vocals"}),
        ("not jazz", {"style jazz"}), ("piano, -drums", {"drums"}), ("never any nylon guitar", {"nylon_guitar"}),
        ("no drums but loud bass", {"drums"}), ("no rain", {"rain"}), ("no background noise", {"ambience"}),
        ("drums", set()), ("no drums, bass or piano", {"drums", "bass", "felt_piano"}),
        ("without drums, bass, and melody", {"drums", "bass", "melody"}), ("no drums, piano and flute", {"drums"}),
        ("without drums, bass and organ", {"drums", "bass", "organ"}), ("no rain, piano nor flute, pads",
        {"rain", "felt_piano", "flute"}), ("no drums, bass or harp, with flute", {"drums", "bass", "harp"}),
        ("no brushes", {"kit brushes"}), ("no shaker", {"shaker"}), ("no heavy drums", set()),
        ("no loud drums", set()), ("drums: none", {"drums"}), ("drums=no", {"drums"}), ("I hate drums", {"drums"}),
        ("drums muted", {"drums"}), ("not without drums", set()), ("not in C major", {"key C major"}),
        ("guitar, not electric guitar", {"electric_guitar"}), ("piano, no piano", {"felt_piano"}),
        ("anything but drums", {"drums"}),
        ("no more rain", {"rain"}), ("nothing too busy", set()),
    ],
)  # fmt: skip
def test_negation(prompt, avoided):
    assert set(wishes(prompt).avoid.to_strings()) == avoided


@pytest.mark.parametrize(
    ("prompt", "wanted", "avoided"),
    [
        ("vibraphone instead of piano", "vibraphone", "felt_piano"),
        ("swap the piano for guitar", "nylon_guitar", "felt_piano"),
        ("rhodes rather than wurlitzer", "rhodes", "wurli"),
        ("flute but no trumpet", "flute", "trumpet"),
    ],
)
def test_one_thing_for_another(prompt, wanted, avoided):
    assert wishes(prompt).instruments == (wanted,)
    assert wishes(prompt).avoid == Avoided((avoided,))


@pytest.mark.parametrize(
    "prompt", ["remove the drums", "turn off the drums", "drums off", "drop the drums", "drumless"]
)
def test_ways_to_send_the_drummer_home(prompt):
    assert wishes(prompt).avoid == Avoided(("drums",))
    assert not wishes(prompt).drums


def test_a_solo_is_not_always_alone():
    assert wishes("solo flute").only
    assert not wishes("trumpet solo over walking bass").only


def test_negation_ends_with_its_clause():
    found = wishes("no drums, piano and flute")
    assert found.avoid == Avoided(("drums",))
    assert found.instruments == ("felt_piano", "flute")


def test_only():
    assert wishes("just piano and rain").only
    assert wishes("solo guitar").only
    assert wishes("nothing but rhodes").only
    assert not wishes("piano and rain").only


@pytest.mark.parametrize(
    ("prompt", "instruments", "parts", "drums"),
    [
        ("drums only", (), (), True), ("only bass", (), ("bass",), False), ("bass and drums only", (), ("bass",), True),
        ("just some calm piano", ("felt_piano",), (), False), ("just drums", (), (), True),
    ],
)  # fmt: skip
def test_who_is_alone(prompt, instruments, parts, drums):
    found = wishes(prompt)
    assert found.only
    assert (found.instruments, found.parts, found.drums) == (instruments, parts, drums)


@pytest.mark.parametrize("prompt", ["just chill lofi", "nothing too busy", "only jazz", "not only piano", "just"])
def test_who_is_not_alone(prompt):
    assert not wishes(prompt).only


def test_a_manner_that_is_not_wanted_leaves_the_drums():
    assert wishes("no heavy drums").mood("beat") < 0 < wishes("no soft drums").mood("beat")
    assert wishes("nothing too busy").mood("dense") < 0
    assert wishes("not too fast").mood("energy") < 0


@pytest.mark.parametrize(
    ("prompt", "jazz"),
    [
        ("jazz:3 | synthwave:1", 0.75), ("jazz 70%, synthwave 30%", 0.7), ("70% jazz 30% synthwave", 0.7),
        ("jazz 70% | synthwave 30%", 0.7), ("20% jazz and 80% synthwave", 0.2), ("jazz:3, synthwave:1", 0.75),
        ("jazz and synthwave", 0.5),
    ],
)  # fmt: skip
def test_shares_however_they_are_written(prompt, jazz):
    assert dict(wishes(prompt).styles) == pytest.approx({"jazz": jazz, "synthwave": 1 - jazz})
    assert understand(prompt).ignored == ()


def test_words_of_strength():
    styles = dict(wishes("mostly jazz with a bit of synthwave").styles)
    assert styles["jazz"] > 0.7
    assert wishes("very calm").mood("energy") < wishes("calm").mood("energy") < wishes("slightly calm").mood("energy")


@pytest.mark.parametrize(
    "tempo",
    ["0 bpm", "0.0 bpm", "000 bpm", "0 to 0 bpm", "zero bpm", "tempo 0", "tempo: 0", "bpm 0", "♩=0", "at 00", "٠ bpm",
     "0.0001 bpm", "-5 bpm", "1e999 bpm", "1e5 bpm", "999999 bpm", "9" * 400 + " bpm", "nan bpm", "inf bpm",
     "hundred hundred hundred bpm", "0 seconds"],
)  # fmt: skip
def test_a_number_that_is_no_tempo_is_told_and_has_no_effect(tempo):
    intent, ignored = read_intent(f"{tempo} piano")
    assert intent.tempo_bpm is None
    assert intent.instruments == wishes("piano").instruments
    assert ignored or any("no effect" in note for note in intent.notes)


@pytest.mark.parametrize(
    ("prompt", "note"),
    [
        ("200 bpm", "200 bpm lies outside 40 to 180, so 100 is played"),
        ("400 bpm", "400 bpm lies outside 40 to 180 and has no effect"),
        ("D dorian", "D dorian is played as natural minor"),
        ("a harmonic minor", "a harmonic minor is played as natural minor"),
        ("7/8 waltz", "7/8 is played as 4/4"),
        ("12/8", "12/8 is played as 6/8"),
        ("C minor then G major", "G major has no effect: the key is C minor"),
    ],
)
def test_what_is_done_otherwise_is_told(prompt, note):
    told = understand(prompt)
    assert note in told.text
    assert note in told.understood["notes"]


@pytest.mark.parametrize("prompt", ["4/4", "3/4", "6/8", "2/4", "80 bpm", "A aeolian", "C ionian", "natural minor"])
def test_what_is_done_as_asked_needs_no_note(prompt):
    assert understand(prompt).understood["notes"] == []


@pytest.mark.parametrize(
    ("prompt", "ignored"),
    [
        ("city piano", ("city",)), ("夜のカバ", ("カバ",)), ("🦖 piano", ("🦖",)),
        ("Klavier und Fenster", ("fenster",)),
        ("piano by the window of a quartet", ("window", "quartet")), ("please play me some music with a piano", ()),
        ("more", ("more",)), ("lyrics", ("lyric",)), ("a café", ()), ("Ελλάδα", ("ελλάδα",)),
    ],
)  # fmt: skip
def test_every_word_without_effect_is_told(prompt, ignored):
    assert [w.rstrip("s") for w in understand(prompt).ignored] == [w.rstrip("s") for w in ignored]


@pytest.mark.parametrize(
    ("prompt", "levels"),
    [
        ("more bass", {"bass": 3}), ("less bass", {"bass": -4}), ("turn up the piano", {"felt_piano": 3}),
        ("turn the bass down", {"bass": -4}), ("piano louder", {"felt_piano": 3}),
        ("less piano, more guitar", {"felt_piano": -4, "nylon_guitar": 3}), ("not too much piano", {"felt_piano": -4}),
        ("no more bass", {}),
    ],
)  # fmt: skip
def test_more_and_less(prompt, levels):
    assert understand(prompt).understood["levels_db"] == levels
    for level in levels.values():
        assert ("more " if level > 0 else "less ") in understand(prompt).text


def test_what_was_understood_is_data_too():
    data = understand("brushes, vinyl crackle, rhodes").understood
    assert (data["drums"], data["kit"], data["crackle"]) == (True, "brushes", True)
    data = understand("no drums, no crackle").understood
    assert (data["drums"], data["kit"], data["crackle"]) == (False, None, False)
    assert {understand("piano").understood[name] for name in ("drums", "kit", "crackle")} == {None}


def test_blends_keep_their_shares():
    assert dict(wishes("jazz :2 | synthwave :1").styles) == pytest.approx({"jazz": 2 / 3, "synthwave": 1 / 3})
    assert dict(wishes("(jazz:3), folk").styles) == pytest.approx({"jazz": 0.75, "folk": 0.25})


def test_a_weight_of_nothing_is_a_negation():
    assert wishes("piano, (drums:0)").avoid == Avoided(("drums",))


def test_moods_add_up_and_turn():
    assert (
        wishes("calm and sleepy").mood("energy") < wishes("calm").mood("energy") < 0 < wishes("upbeat").mood("energy")
    )
    assert wishes("sad").mood("valence") < 0 < wishes("not sad").mood("valence")
    assert wishes("(dark:1.5)").mood("bright") < wishes("dark").mood("bright") < wishes("[dark]").mood("bright")


def test_settings_win_over_words():
    found = wishes("80 bpm in D minor with drums and rain", tempo_bpm=66, key="Eb major", drums=False, ambience="none")
    assert (found.tempo_bpm, found.key.name, found.drums, found.ambience) == (66, "Eb major", False, ())
    assert "drums" in found.avoid.names


@pytest.mark.parametrize("wrong", [{"tempo_bpm": 300}, {"key": "H"}, {"ambience": "hail"}, {"crackle": 1}])
def test_settings_are_checked(wrong):
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        SynthOptions(**wrong)


def test_the_user_is_told():
    told = understand("rainy jazz at 72 bpm in F# minor, no drums, with zurnas")
    for words in ("jazz", "72 bpm", "F# minor", "rain", "without drums", "not understood: zurnas"):
        assert words in told.text
    assert told.ignored == ("zurnas",)
    assert told.understood["tempo_bpm"] == 72
    assert told.understood["avoid"] == ["drums"]
    assert understand("").text


def test_what_does_not_parse_is_refused():
    with pytest.raises(PromptError):
        understand("(jazz")


@pytest.mark.parametrize(
    "prompt", ["🎹🌧️", "ピアノ", "((((a))))", "no", "only", "-", "-drums", "|||", "in", "bpm", "# b minor"]
)
def test_strange_prompts_are_no_trouble(prompt):
    understand(prompt)


@pytest.mark.parametrize(
    ("prompt", "comp"),
    [
        ("fingerpicked guitar", "picking"),
        ("rhodes, arpeggiated", "arpeggio"),
        ("comping piano", "charleston"),
        ("chopped soul sample", "chops"),
        ("held chords on pads", "held"),
        ("rhodes, no stabs", ""),
        ("rhodes", ""),
    ],
)
def test_the_manner_of_the_chords(prompt, comp):
    assert wishes(prompt).comp == comp


@pytest.mark.parametrize(
    ("prompt", "production"),
    [
        ("on cassette", "tape"),
        ("8-bit beats", "lo-bit"),
        ("a polished mix", "clean"),
        ("dusty beats", ""),
        ("rain", ""),
    ],
)
def test_the_production(prompt, production):
    assert wishes(prompt).production == production


def test_a_prompt_without_instruments():
    assert "instruments" in wishes("rain on a tin roof, no instruments").avoid.names
    assert "instruments" not in wishes("rain, soft instruments").avoid.names
    assert understand("rain, soft instruments").ignored == ()
