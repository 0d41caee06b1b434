"""The text encoder: weight syntax, weights, chunks and lengths, with CLIP itself as the oracle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from lullwave.engines.riffusion.model.text_encoder import (  # noqa: E402
    equal_length,
    interpolate,
    parse_weights,
)
from lullwave.errors import PromptError  # noqa: E402
from lullwave.prompt import Prompt, Span, merge_spans  # noqa: E402


@pytest.fixture(scope="module")
def text(pipeline):
    return pipeline.text


def test_a_plain_prompt_is_what_the_library_encodes(text, pipeline):
    weights = pipeline._weights
    ids = weights.tokenizer("rainy piano", padding="max_length", max_length=77, return_tensors="pt").input_ids
    with torch.inference_mode():
        expected = weights.text_encoder(ids)[0][0]
    torch.testing.assert_close(text.embed(parse_weights("rainy piano")), expected)


def test_weights_scale_their_tokens_and_keep_the_mean(text):
    plain = text.embed((Span("ab cd"),))
    weighted = text.embed((Span("ab "), Span("cd", 1.5)))
    torch.testing.assert_close(weighted.mean(), plain.mean())
    ratio = (weighted / plain).median(dim=1).values
    # begin, a, b, c, d, end…: the byte vocabulary has one token a letter
    torch.testing.assert_close(ratio[3:5] / ratio[1], torch.tensor([1.5, 1.5]))
    torch.testing.assert_close(ratio[5:] / ratio[1], torch.ones(72))


@pytest.mark.parametrize(("letters", "chunks"), [(0, 1), (75, 1), (76, 2), (150, 2), (151, 3), (225, 3), (999, 3)])
def test_long_prompts_come_in_chunks_of_75_and_are_cut_after_three(text, letters, chunks):
    assert text.embed((Span("a" * letters),)).shape == (77 * chunks, 32)


def test_each_chunk_is_encoded_like_a_prompt_of_its_own(text):
    whole = text.embed((Span("a" * 75 + "b" * 5),))
    # the last letter of a word is another token, so the first chunk is compared without it
    ids, _ = text.tokens((Span("a" * 75 + "b" * 5),))
    again = torch.cat([text.embed((Span("b" * 5),))])
    assert len(ids) == 80
    torch.testing.assert_close(whole[77:], again)


def test_repeating_an_embedding_does_not_change_what_the_unet_sees(pipeline):
    unet = pipeline._weights.unet
    torch.manual_seed(0)
    latents = torch.randn(1, 4, 16, 16)
    short = pipeline.text.embed(parse_weights("warm piano"))
    long = pipeline.text.embed(parse_weights("an orchestra " * 8))
    assert long.shape[0] == 154
    a, b = equal_length([short, long])
    with torch.inference_mode():
        once = unet(latents, 500, encoder_hidden_states=short[None]).sample
        repeated = unet(latents, 500, encoder_hidden_states=a[None]).sample
        other = unet(latents, 500, encoder_hidden_states=b[None]).sample
    torch.testing.assert_close(repeated, once, rtol=1e-5, atol=1e-5)
    assert (other - once).abs().max() > 1e-4


def test_the_ends_of_an_interpolation_are_the_embeddings_themselves(text):
    short, long = text.embed(parse_weights("a")), text.embed(parse_weights("b" * 160))
    assert interpolate(short, long, 0.0) is short
    assert interpolate(short, long, 1.0) is long
    assert interpolate(short, long, 0.5).shape == (231, 32)


def test_a_blend_is_the_mean_weighted_by_the_shares(text):
    jazz, rock = (text.embed((Span(word),)) for word in ("jazz", "rock"))
    torch.testing.assert_close(text.blend(Prompt.parse("jazz :1 | rock :3")), 0.25 * jazz + 0.75 * rock)


def pairs(spans):
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
def test_weights_are_parsed(text, expected):
    assert pairs(parse_weights(text)) == expected


def test_weights_beyond_10_are_refused():
    with pytest.raises(PromptError, match="from -10 to 10"):
        parse_weights("(loud:99)")


@given(st.text(alphabet="ab ()[]:\\.13-", max_size=60))
def test_any_text_parses_or_names_the_wrong_weight(text):
    try:
        spans = parse_weights(text)
    except PromptError:
        return
    assert spans == merge_spans(spans) != ()
    assert all(isinstance(span, Span) for span in spans)
