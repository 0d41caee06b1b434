"""Riffusion's weight syntax: known answers, and no text that breaks it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lullwave.engines.riffusion.emphasis import merged, parse
from lullwave.errors import PromptError
from lullwave.prompt import Span


def plain(spans):
    return [(span.text, round(span.weight, 6)) for span in spans]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("warm piano", [("warm piano", 1.0)]),
        ("", [("", 1.0)]),
        ("a (warm) piano", [("a ", 1.0), ("warm", 1.1), (" piano", 1.0)]),
        ("a (warm:1.3) piano", [("a ", 1.0), ("warm", 1.3), (" piano", 1.0)]),
        ("a [warm] piano", [("a ", 1.0), ("warm", round(1 / 1.1, 6)), (" piano", 1.0)]),
        ("((warm))", [("warm", 1.21)]),
        ("(warm [dark:x] (sun:2))", [("warm ", 1.1), ("dark:x", 1.0), (" ", 1.1), ("sun", 2.2)]),
        (r"a \(warm\) \[piano\] \\", [(r"a (warm) [piano] " + "\\", 1.0)]),
        ("jazz :-) at 12:30", [("jazz :-) at 12:30", 1.0)]),
        ("open (to the end", [("open ", 1.0), ("to the end", 1.1)]),
        ("never: closed] (x:.5)", [("never: closed] ", 1.0), ("x", 0.5)]),
    ],
)
def test_known_answers(text, expected):
    assert plain(parse(text)) == expected


def test_a_weight_beyond_reason_is_refused():
    with pytest.raises(PromptError, match="from -10 to 10"):
        parse("(loud:99)")


@given(st.text(alphabet="ab ()[]:\\.13-", max_size=60))
def test_any_text_is_understood_or_refused_by_name(text):
    try:
        spans = parse(text)
    except PromptError:
        return
    assert spans == merged(list(spans)) != ()
    assert all(isinstance(span, Span) for span in spans)
