"""The prompt grammar: known answers, and what holds for any text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lullwave.errors import PromptError
from lullwave.prompt import MAX_PARTS, MAX_PROMPT_CHARS, Prompt, Span


def spans(text: str) -> list[tuple[str, float]]:
    return [(span.text, pytest.approx(span.weight)) for span in Prompt.parse(text).parts[0].spans]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rainy night piano", [("rainy night piano", 1.0)]),
        ("(warm:1.3) pads", [("warm", 1.3), (" pads", 1.0)]),
        ("(warm)", [("warm", 1.1)]),
        ("[drums]", [("drums", 1 / 1.1)]),
        ("((warm))", [("warm", 1.21)]),
        ("([warm])", [("warm", 1.0)]),
        ("((a:2) b:1.5)", [("a", 3.0), (" b", 1.5)]),
        ("(quiet:0)", [("quiet", 0.0)]),
        (r"\(not a weight\)", [("(not a weight)", 1.0)]),
        (r"\[a\] \: \| \- \, \\", [("[a] : | - , \\", 1.0)]),
        ("a, b", [("a, b", 1.0)]),
        ("time 12:30", [("time 12:30", 1.0)]),
        ("", []),
        ("  ,  , ", []),
    ],
)
def test_weights(text, expected):
    assert spans(text) == expected


def test_a_blend_has_shares_that_add_up_to_one():
    prompt = Prompt.parse("jazz :2 | synthwave :1")
    assert [part.text for part in prompt.parts] == ["jazz", "synthwave"]
    assert [part.share for part in prompt.parts] == pytest.approx([2 / 3, 1 / 3])
    assert [part.share for part in Prompt.parse("a|b|c|d").parts] == [0.25] * 4


def test_a_part_without_words_takes_no_share():
    prompt = Prompt.parse("jazz | -drums")
    assert [(part.text, part.share) for part in prompt.parts] == [("jazz", 1.0)]
    assert prompt.avoid_text == "drums"


def test_terms_to_be_avoided_hold_for_the_whole_prompt():
    prompt = Prompt.parse("piano, -drums, -(vocals:1.5) | soft-focus guitar, - noise")
    assert prompt.text == "piano, soft-focus guitar"
    assert prompt.avoid == (Span("drums"), Span("vocals", 1.5), Span(" noise"))
    assert prompt.avoid_text == "drums, vocals, noise"


def test_commas_and_bars_inside_brackets_do_not_split():
    assert spans("(a, b:1.5)") == [("a, b", 1.5)]
    assert len(Prompt.parse("(a | b:1.5)").parts) == 1


@pytest.mark.parametrize(
    "text",
    ["(a", "a)", "[a", "a]", "(a]", "(a:loud)", "(a:)", "(a:11)", "(a:-1)", "(a:nan)", "a :11 | b", "a :0 | b :0",
     "a\x00b", "a\x7fb", "a\x85b", "a\ud800b", "((a:10):10)",
     "x" * (MAX_PROMPT_CHARS + 1), "|".join("a" * (MAX_PARTS + 1))],
)  # fmt: skip
def test_what_does_not_parse_is_an_error_that_names_the_prompt(text):
    with pytest.raises(PromptError) as caught:
        Prompt.parse(text)
    assert caught.value.field == "prompt"
    assert len(str(caught.value)) < 300


@given(st.text(max_size=200))
def test_any_text_parses_or_is_a_prompt_error(text):
    try:
        prompt = Prompt.parse(text)
    except PromptError:
        return
    assert sum(part.share for part in prompt.parts) == pytest.approx(1.0)
    assert all(0 <= span.weight <= 10**9 for part in prompt.parts for span in part.spans)
    assert all(span.text for part in prompt.parts for span in part.spans)


@given(st.text(alphabet=st.characters(max_codepoint=0x2FF, exclude_categories=("Cc",)), max_size=80))
def test_escaped_text_comes_back_as_it_was(text):
    escaped = "".join("\\" + c if c in "()[]:|-,\\" else c for c in text)
    prompt = Prompt.parse(escaped)
    assert prompt.text == text.strip()
    assert prompt.avoid == ()


@given(st.lists(st.floats(0.01, 10.0).map(lambda x: round(x, 3)), min_size=1, max_size=MAX_PARTS))
def test_shares_are_relative(shares):
    prompt = Prompt.parse(" | ".join(f"part{i} :{share}" for i, share in enumerate(shares)))
    assert [part.share for part in prompt.parts] == pytest.approx([share / sum(shares) for share in shares])
