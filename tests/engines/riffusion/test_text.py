"""Embeddings: weights, chunks, lengths; the text encoder itself is the oracle."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from lullwave.engines.riffusion.emphasis import parse  # noqa: E402
from lullwave.engines.riffusion.text import between, equal_length  # noqa: E402
from lullwave.prompt import Span  # noqa: E402


@pytest.fixture(scope="module")
def text(pipeline):
    return pipeline.text


def test_a_plain_prompt_is_what_the_library_encodes(text, pipeline):
    weights = pipeline._weights
    ids = weights.tokenizer("rainy piano", padding="max_length", max_length=77, return_tensors="pt").input_ids
    with torch.inference_mode():
        expected = weights.text_encoder(ids)[0][0]
    torch.testing.assert_close(text.embed(parse("rainy piano")), expected)


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
    short = pipeline.text.embed(parse("warm piano"))
    long = pipeline.text.embed(parse("an orchestra " * 8))
    assert long.shape[0] == 154
    a, b = equal_length([short, long])
    with torch.inference_mode():
        once = unet(latents, 500, encoder_hidden_states=short[None]).sample
        repeated = unet(latents, 500, encoder_hidden_states=a[None]).sample
        other = unet(latents, 500, encoder_hidden_states=b[None]).sample
    torch.testing.assert_close(repeated, once, rtol=1e-5, atol=1e-5)
    assert (other - once).abs().max() > 1e-4


def test_the_ends_of_an_interpolation_are_the_embeddings_themselves(text):
    short, long = text.embed(parse("a")), text.embed(parse("b" * 160))
    assert between(short, long, 0.0) is short
    assert between(short, long, 1.0) is long
    assert between(short, long, 0.5).shape == (231, 32)


def test_a_blend_is_the_weighted_mean(text):
    a, b = parse("jazz"), parse("rock")
    torch.testing.assert_close(text.blend([(a, 0.25), (b, 0.75)]), 0.25 * text.embed(a) + 0.75 * text.embed(b))
