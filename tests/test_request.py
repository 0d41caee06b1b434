"""Requests and their limits."""

import dataclasses

import pytest

from lullwave.errors import InvalidInput, PromptError
from lullwave.request import MAX_SEED, Request


def test_the_default_request_is_endless_and_leaves_the_music_to_the_engine():
    request = Request()
    assert (request.prompt, request.seed, request.duration_s, dict(request.options)) == ("", 0, None, {})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", 3), ("prompt", None), ("prompt", "x" * 1001), ("seed", -1), ("seed", MAX_SEED + 1), ("seed", 1.0),
        ("seed", True), ("seed", "7"), ("duration_s", 0.5), ("duration_s", 3601), ("duration_s", float("nan")),
        ("duration_s", float("inf")), ("duration_s", "60"), ("options", [1]),
    ],
)  # fmt: skip
def test_a_wrong_value_names_its_field_and_what_is_allowed(field, value):
    with pytest.raises(InvalidInput) as caught:
        Request(**{field: value})
    assert caught.value.field == field
    assert caught.value.allowed in str(caught.value)


def test_a_prompt_that_does_not_parse_is_refused_at_once():
    with pytest.raises(PromptError):
        Request(prompt="(warm")


def test_a_whole_number_of_seconds_becomes_a_number():
    assert type(Request(duration_s=60).duration_s) is float


def test_a_request_cannot_be_changed():
    given = {"tempo": 80}
    request = Request(options=given)
    given["tempo"] = 90
    assert request.options["tempo"] == 80
    with pytest.raises(TypeError):
        request.options["tempo"] = 90
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.seed = 1
