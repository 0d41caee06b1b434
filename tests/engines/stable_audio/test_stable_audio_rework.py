"""Clips made from audio: changed as a whole, or with a passage made anew."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

import lullwave  # noqa: E402
from lullwave.audio import Audio  # noqa: E402
from lullwave.engines.stable_audio.options import StableAudioOptions  # noqa: E402
from lullwave.errors import InvalidInput, Unsupported  # noqa: E402

RATE, HOP, DEPTH = 8000, 1024, 2
SECONDS = 8.0
QUICK = {"steps": 2, "window_s": 6.0, "context_s": 2.0}


@pytest.fixture(scope="module")
def engine(checkpoint):
    with lullwave.load_engine("stable-audio", checkpoint=str(checkpoint), device="cpu", dtype="float32") as loaded:
        yield loaded


@pytest.fixture(scope="module")
def source():
    noise = np.random.default_rng(2).standard_normal((round(SECONDS * RATE), 2))
    return Audio((0.3 * noise).astype(np.float32), RATE)


def made(engine, source, seconds=SECONDS, seed=5, **options):
    request = lullwave.Request("harp", seed, seconds, {**QUICK, **options})
    with engine.stream(request, source=source) as clip:
        return clip.read(1000 * RATE)


def through_the_autoencoder(engine, source):
    auto = engine._pipeline.networks.autoencoder
    return auto.decode_whole(auto.encode(torch.from_numpy(source.samples.T.copy())[None]))[0].numpy().T


def test_a_passage_is_made_anew_and_the_rest_stays(engine, source):
    plain = through_the_autoencoder(engine, source)
    clip = made(engine, source, repaint="3:5")
    assert clip.frames == source.frames
    changed = np.abs(clip.samples - plain[: clip.frames]).max(axis=1) > 1e-5 * np.abs(plain).max()
    first, last = np.flatnonzero(changed)[[0, -1]]
    begin, end = int(3 * RATE / HOP), -(-5 * RATE // HOP)  # latents
    assert (begin - DEPTH) * HOP <= first <= begin * HOP
    assert end * HOP - 1 <= last < (end + DEPTH) * HOP
    other = made(engine, source, repaint="3:5", seed=6)
    assert not np.allclose(clip.samples[4 * RATE : 4 * RATE + 99], other.samples[4 * RATE : 4 * RATE + 99], atol=1e-5)


def test_the_strength_says_how_much_of_the_source_stays(engine, source):
    plain = through_the_autoencoder(engine, source)

    def distance(strength):
        return float(np.std(made(engine, source, strength=strength).samples - plain[: round(SECONDS * RATE)]))

    near, far = distance(0.01), distance(1.0)
    assert near < 0.5 * far
    request = lullwave.Request("harp", 5, SECONDS, QUICK)
    with engine.stream(request) as clip:
        assert np.allclose(clip.read(99 * RATE).samples, made(engine, source, strength=1.0).samples, atol=1e-6)


def test_a_longer_clip_goes_on_after_its_source_and_a_shorter_one_ends_before(engine, source):
    assert made(engine, source, seconds=10.0).frames == 10 * RATE
    assert made(engine, source, seconds=4.0).frames == 4 * RATE
    with pytest.raises(InvalidInput, match="duration_s"):
        made(engine, source, seconds=200.0)


@pytest.mark.parametrize("channels", [1, 6])
def test_sources_of_any_rate_and_number_of_channels_are_taken(engine, channels):
    tone = 0.3 * np.sin(2 * np.pi * 330 * np.arange(round(SECONDS * RATE)) / RATE)
    mono = Audio.of(tone[:, None], RATE)
    other = Audio(np.repeat(mono.samples, channels, axis=1), RATE).resample(24 * RATE)
    expected = made(engine, mono.to_channels(2), strength=0.3).samples
    clip = made(engine, other, strength=0.3).samples
    assert clip.shape == expected.shape
    assert np.abs(clip - expected).max() < 0.05 * np.abs(expected).max()


def test_what_cannot_be_made_from_audio_is_refused(engine, source):
    with pytest.raises(Unsupported, match="endless"):
        engine.stream("harp", source=source)
    with pytest.raises(InvalidInput, match=r"options\.repaint"):
        made(engine, source, repaint="9:10")
    with pytest.raises(Unsupported, match=r"options\.repaint"):
        engine.stream(lullwave.Request("harp", options={"repaint": "1:2"}))
    with pytest.raises(Unsupported, match="one audio"):
        engine.stream(lullwave.Request("harp", 0, 5.0), source=source, continue_from=source)
    with lullwave.load_engine("synth") as synth, pytest.raises(Unsupported, match="does not take this audio"):
        synth.stream("harp", source=source)


@pytest.mark.parametrize("wrong", ["10", "20:10", "a:b", ":", "5:5", "-1:4"])
def test_a_passage_is_two_times(wrong):
    with pytest.raises(InvalidInput, match=r"repaint.*10:20"):
        StableAudioOptions(repaint=wrong)
    assert StableAudioOptions(repaint="1.5 : 2").passage() == (1.5, 2.0)
