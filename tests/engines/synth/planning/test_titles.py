"""Titles are English and do not repeat within a day of music."""

import re

import pytest

from lullwave.engines.synth.chance import Chance
from lullwave.engines.synth.planning.memory import TITLES
from lullwave.engines.synth.planning.titles import make_title, with_article

PIECES_A_DAY = 24 * 3600 // 95  # of the shortest length that the planner gives a piece


def test_no_title_twice_in_a_day():
    assert TITLES >= PIECES_A_DAY
    for seed, layers in ((1, ()), (2, ("rain",)), (3, ("night", "fire"))):
        titles: list[str] = []
        for number in range(PIECES_A_DAY):
            titles.append(make_title(Chance(seed, number), number % 2 == 0, layers, titles[-TITLES:]))
        assert len(set(titles)) == PIECES_A_DAY


def test_no_word_of_substance_is_in_a_title_twice():
    """Not "Sunday Paper on Sunday", nor "Porch Light and Harbour Light"."""
    small = {"a", "an", "the", "and", "in", "on", "at", "to", "before", "after", "under"}
    for n in range(20_000):
        title = make_title(Chance(n), n % 2 == 0, ("rain", "night", "train", "fire"), ())
        words = [word for word in title.lower().split() if word not in small]
        assert len(set(words)) == len(words), title


def test_articles_follow_the_sound():
    wrong = re.compile(r"\b(?:[Aa] (?:[AEIO]|U[^n]|Unh|Honest|Hour)|[Aa]n (?![AEIOU]|Honest|Hour))")
    titles = {make_title(Chance(n), n % 2 == 0, ("rain",), ()) for n in range(5000)}
    assert len(titles) > 2000
    assert [t for t in titles if wrong.search(t)] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [("Umbrella", "an Umbrella"), ("Honest", "an Honest"), ("Moth", "a Moth"), ("Unicorn", "a Unicorn")],
)
def test_an_article(words, said):
    assert with_article(words) == said
