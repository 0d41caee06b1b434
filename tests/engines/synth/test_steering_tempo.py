"""The tempo of a steered programme goes where the words ask, whether the tempo before was asked for or the style's."""

import pytest

from lullwave.engines.synth.options import SynthOptions
from lullwave.engines.synth.programme import Programme
from lullwave.request import Request


def steered(prompt, *wishes, **options):
    """The programme, its tempo after each prompt has had its time, and the tempo of the next piece."""
    programme = Programme(Request(prompt, 5), SynthOptions(**options))
    tempos = []
    for wish in (None, *wishes):
        if wish is not None:
            programme.steer(wish)
        bars = [programme.next_bar() for _ in range(11)]
        assert bars[-1].piece == 0
        tempos.append(bars[-1].tempo_bpm)
    while (bar := programme.next_bar()).piece == 0:
        pass
    return programme, tempos, bar.tempo_bpm


@pytest.mark.parametrize(
    ("prompt", "wish", "heard"),
    [
        ("80 bpm lofi", "faster", 91),
        ("80 bpm lofi", "slower", 69),
        ("160 bpm techno", "faster", 180),
        ("160 bpm techno", "slower", 139),
        ("45 bpm ambient", "slower", 40),
        ("45 bpm ambient", "faster", 51),
        ("84 bpm piano waltz", "faster", 95),
        ("100 bpm guitar in 6/8", "faster", 113),
        ("100 bpm guitar in 6/8", "slower", 87),
    ],
)
def test_a_pace_word_changes_the_tempo_that_was_asked_for(prompt, wish, heard):
    programme, tempos, following = steered(prompt, wish)
    assert tempos[-1] == pytest.approx(heard)
    assert following == pytest.approx(heard)
    assert f"{heard} bpm" in programme.understanding.text
    assert programme.piece(1)["tempo_bpm"] == pytest.approx(heard)


@pytest.mark.parametrize("prompt", ["160 bpm techno", "45 bpm ambient", "72 bpm", "150 bpm jazz waltz"])
@pytest.mark.parametrize("wish", ["add soft strings", "no rush", "add a lively flute", "more jazz", "no drums"])
def test_a_tempo_that_was_asked_for_holds_while_nothing_is_said_of_it(prompt, wish):
    programme, tempos, following = steered(prompt, wish)
    asked = float(prompt.split()[0])
    assert (*tempos, following) == pytest.approx((asked,) * 3)
    assert f"{asked:g} bpm" in programme.understanding.text


def test_pace_words_add_up_to_the_limits_and_no_further():
    programme, tempos, following = steered("130 bpm techno", "faster", "faster", "faster", "faster")
    assert tempos == pytest.approx([130, 147, 166, 180, 180])
    assert following == pytest.approx(180)
    assert "180 bpm is the fastest" in programme.understanding.text
    programme, tempos, _ = steered("60 bpm ambient", *["slower"] * 5)
    assert tempos == pytest.approx([60, 52, 45, 40, 40, 40])
    assert "40 bpm is the slowest" in programme.understanding.text
    assert "slowest" not in steered("60 bpm ambient", *["slower"] * 4, "faster")[0].understanding.text


@pytest.mark.parametrize("prompt", ["techno", "ambient", "jazz", "zen", "rain, slow piano", "lofi beat in 6/8"])
def test_a_tempo_of_the_style_goes_the_way_that_is_asked_for_too(prompt):
    for wish, sign in (("faster", 1), ("slower", -1)):
        _, (before, after), following = steered(prompt, wish)
        assert sign * (after / before - 1) == pytest.approx(0.132, abs=0.01)
        assert abs(following / after - 1) < 0.08  # as between any two pieces


def test_words_of_mood_leave_the_tempo_that_pace_words_made():
    _, (*_, faster, soft), _ = steered("techno", "faster", "faster", "add soft strings")
    assert faster > 135
    assert faster - 6 <= soft < faster  # "soft" is calm, too


def test_a_tempo_in_the_new_words_wins():
    assert steered("160 bpm techno", "faster, 140 bpm")[1][-1] == pytest.approx(140)
    assert steered("160 bpm techno", "130 bpm jazz")[1][-1] == pytest.approx(130)
    assert steered("techno", "faster", tempo_bpm=90)[1] == pytest.approx([90, 90])  # the option wins over words


def test_a_new_prompt_without_a_tempo_takes_that_of_its_style():
    _, (before, after), _ = steered("160 bpm techno", "sleepy ambient")
    assert before == pytest.approx(160)
    assert after < 130  # it glides, a few per cent a bar
