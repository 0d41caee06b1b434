"""What is understood of prompts, word by word."""

import pytest

from lullwave.engines.synth.options import SynthOptions
from lullwave.engines.synth.reading import read_wishes
from lullwave.engines.synth.understanding import understand
from lullwave.errors import InvalidInput, PromptError


def wishes(prompt, **options):
    return read_wishes(prompt, SynthOptions(**options))[0]


@pytest.mark.parametrize(
    ("prompt", "bpm"),
    [
        ("72 bpm", 72), ("72bpm", 72), ("at 84", 84), ("tempo: 66", 66), ("90 beats per minute", 90),
        ("tempo of 70", 70), ("bpm 72", 72), ("75 beats/min", 75),
        ("180 bpm", 90), ("120.5 BPM", 120.5), ("80s synth", None), ("at 7 am", None), ("2am", None), ("1985", None),
        ("at 12 o'clock", None),
    ],
)  # fmt: skip
def test_tempo(prompt, bpm):
    assert wishes(prompt).tempo_bpm == bpm


@pytest.mark.parametrize(
    ("prompt", "key"),
    [
        ("in F# minor", "F# minor"), ("c major", "C major"), ("E flat major", "Eb major"), ("in Am", "A minor"),
        ("key of D", "D major"), ("Am 80bpm", "A minor"), ("in g", "G major"), ("I am calm", None),
        ("Bb minor pads", "Bb minor"), ("in a minor mood", "A minor"),
        ("g♯ minor", "G# minor"),
        ("piano in C", "C major"), ("in C, with rain", "C major"), ("in a cafe", None), ("In A Cafe", None),
        ("a melody", None), ("be calm", None), ("C-sharp minor", "C# minor"),
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
        ("not jazz", {"style jazz"}), ("piano, -drums", {"drums"}), ("never any guitar", {"nylon_guitar"}),
        ("no drums but loud bass", {"drums"}), ("no rain", {"rain"}), ("no background noise", {"ambience"}),
        ("drums", set()),
    ],
)  # fmt: skip
def test_negation(prompt, avoided):
    assert set(wishes(prompt).avoid) == avoided


@pytest.mark.parametrize(
    ("prompt", "wanted", "avoided"),
    [
        ("vibraphone instead of piano", "vibraphone", "felt_piano"),
        ("swap the piano for guitar", "nylon_guitar", "felt_piano"),
        ("rhodes rather than wurlitzer", "rhodes", "wurli"),
        ("flute but no trumpet", "flute", "muted_trumpet"),
    ],
)
def test_one_thing_for_another(prompt, wanted, avoided):
    assert wishes(prompt).instruments == (wanted,)
    assert wishes(prompt).avoid == (avoided,)


@pytest.mark.parametrize(
    "prompt", ["remove the drums", "turn off the drums", "drums off", "drop the drums", "drumless"]
)
def test_ways_to_send_the_drummer_home(prompt):
    assert wishes(prompt).avoid == ("drums",)
    assert not wishes(prompt).drums


def test_a_solo_is_not_always_alone():
    assert wishes("solo flute").only
    assert not wishes("trumpet solo over walking bass").only


def test_negation_ends_with_its_clause():
    found = wishes("no drums, piano and flute")
    assert found.avoid == ("drums",)
    assert found.instruments == ("felt_piano", "flute")


def test_only():
    assert wishes("just piano and rain").only
    assert wishes("solo guitar").only
    assert wishes("nothing but rhodes").only
    assert not wishes("piano and rain").only


def test_blends_keep_their_shares():
    assert dict(wishes("jazz :2 | synthwave :1").styles) == pytest.approx({"jazz": 2 / 3, "synthwave": 1 / 3})
    assert dict(wishes("(jazz:3), folk").styles) == pytest.approx({"jazz": 0.75, "folk": 0.25})


def test_a_weight_of_nothing_is_a_negation():
    assert wishes("piano, (drums:0)").avoid == ("drums",)


def test_moods_add_up_and_turn():
    assert (
        wishes("calm and sleepy").mood("energy") < wishes("calm").mood("energy") < 0 < wishes("upbeat").mood("energy")
    )
    assert wishes("sad").mood("valence") < 0 < wishes("not sad").mood("valence")
    assert wishes("(dark:1.5)").mood("bright") < wishes("dark").mood("bright") < wishes("[dark]").mood("bright")


def test_settings_win_over_words():
    found = wishes("80 bpm in D minor with drums and rain", tempo_bpm=66, key="Eb major", drums=False, ambience="none")
    assert (found.tempo_bpm, found.key.name, found.drums, found.ambience) == (66, "Eb major", False, ())
    assert "drums" in found.avoid


@pytest.mark.parametrize("wrong", [{"tempo_bpm": 300}, {"key": "H"}, {"ambience": "hail"}, {"crackle": 1}])
def test_settings_are_checked(wrong):
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        SynthOptions(**wrong)


def test_the_user_is_told():
    told = understand("rainy jazz at 72 bpm in F# minor, no drums, with bagpipes")
    for words in ("jazz", "72 bpm", "F# minor", "rain", "without drums", "not understood: bagpipes"):
        assert words in told.text
    assert told.ignored == ("bagpipes",)
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
