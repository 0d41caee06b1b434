"""One definition of an option: its checks, its words, its errors."""

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

import pytest

from lullwave.errors import InvalidInput
from lullwave.options import build, check, describe, option
from lullwave.request import Request


@dataclass(frozen=True)
class Sound:
    tempo: float = option(80.0, "beats a minute", low=40, high=200, unit="bpm")
    voices: int = option(4, "how many sing", low=1)
    mode: str = option("minor", "the scale", choices=("minor", "major"))
    title: str | None = option(None, "what it is called", max_length=10)
    dry: bool = option(False, "no reverb")
    hidden: int = 3  # not an option

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class Unchecked:
    voices: int = option(4, "how many sing", low=1, high=8)


@dataclass(frozen=True)
class Needed:
    path: str = option(dataclasses.MISSING, "which file")


def test_describe_gives_what_interfaces_need():
    infos = {info.name: info for info in describe(Sound)}
    assert list(infos) == ["tempo", "voices", "mode", "title", "dry"]
    assert (infos["title"].type, infos["title"].optional, infos["tempo"].optional) == (str, True, False)
    assert infos["tempo"].allowed == "a number from 40 to 200 bpm"
    assert infos["voices"].allowed == "a whole number of at least 1"
    assert infos["mode"].allowed == "one of minor, major"
    assert infos["title"].allowed == "text of at most 10 characters, or none"
    assert infos["dry"].allowed == "true or false"


def test_build_converts_whole_numbers_where_numbers_are_meant_and_nothing_else():
    built = build(Sound, {"tempo": 90})
    assert (built.tempo, type(built.tempo)) == (90.0, float)
    for wrong in ({"tempo": "90"}, {"voices": 2.0}, {"dry": 1}, {"voices": True}, {"mode": None}):
        with pytest.raises(InvalidInput):
            build(Sound, wrong)


WRONG: list[tuple[str, Any]] = [
    ("tempo", 39.9), ("tempo", 200.1), ("tempo", float("nan")), ("tempo", 10**400),
    ("voices", 0), ("mode", "lydian"), ("title", "x" * 11),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_value_out_of_its_limits_is_refused_by_name(name, value):
    with pytest.raises(InvalidInput) as caught:
        build(Sound, {name: value}, where="options.")
    assert caught.value.field == f"options.{name}"


def test_the_limits_themselves_are_allowed():
    assert build(Sound, {"tempo": 40, "voices": 1, "title": "x" * 10}).voices == 1
    assert build(Sound, {"tempo": 200, "title": None}).title is None


def test_unknown_names_list_the_known_ones():
    said = "unknown option 'temp'; did you mean 'tempo'? Options: tempo, voices, mode, title, dry"
    with pytest.raises(InvalidInput, match=re.escape(said)) as caught:
        build(Sound, {"temp": 3}, where="options.")
    assert caught.value.field == "options.temp"


def test_the_name_of_an_unknown_option_is_shown_whatever_it_is():
    for name in ("\ud800", "x" * 100_000):
        with pytest.raises(InvalidInput) as caught:
            build(Sound, {name: 1})
        assert len(caught.value.field) <= 120
        assert len(str(caught.value).encode()) < 300


def test_a_number_of_thousands_of_digits_is_refused_in_a_few_words():
    with pytest.raises(InvalidInput, match="tempo: got an int that is too long"):
        build(Sound, {"tempo": -(10**5000)})


def test_large_whole_limits_are_shown_with_all_of_their_digits():
    assert describe(Request)[1].allowed == "a whole number from 0 to 9223372036854775807"


def test_a_definition_that_does_not_check_itself_is_checked_all_the_same():
    with pytest.raises(InvalidInput, match="from 1 to 8"):
        build(Unchecked, {"voices": 9})


def test_what_has_no_default_must_be_given():
    with pytest.raises(InvalidInput, match=r"engine\.path: got None; allowed: text"):
        build(Needed, {}, where="engine.")
    assert build(Needed, {"path": "x"}).path == "x"
