"""Sound on its way to a file: mastered, resampled, fitted and encoded, whatever the sizes of its blocks."""

import io
from itertools import pairwise

import av
import numpy as np
import pytest
from sine_engine import RATE, SineEngine

from lullwave.audio import Audio, concat
from lullwave.blocks import (
    WHOLE_S,
    AlignedMaster,
    ClipFormat,
    ClipMaker,
    encoded,
    fitted,
    mastered,
    of_stream,
    resampled,
    resampled_frames,
)
from lullwave.codecs import StreamEncoder, decode
from lullwave.mastering import Master, loudness_lufs
from lullwave.request import Request

NOISE = Audio((0.1 * np.random.default_rng(5).standard_normal((25 * RATE, 2))).astype(np.float32), RATE)


def cut(audio: Audio, seed: int) -> list[Audio]:
    """``audio`` in blocks of random sizes, some of them empty."""
    sizes = np.random.default_rng(seed).integers(0, 40000, 1 + audio.frames // 5000)
    edges = [0, *np.minimum(np.cumsum(sizes), audio.frames).tolist(), audio.frames]
    return [audio[a:b] for a, b in pairwise(edges)]


@pytest.mark.parametrize("seconds", [WHOLE_S / 2, 25.0])
def test_mastering_does_not_depend_on_the_blocks_and_keeps_length_and_place(seconds):
    sound = NOISE[: round(seconds * RATE)]
    whole = concat(list(mastered([sound], seconds)))
    assert whole.frames == sound.frames
    for seed in (1, 2):
        assert np.array_equal(concat(list(mastered(cut(sound, seed), seconds))).samples, whole.samples)
    # Noise correlates with its mastered self at lag 0 alone: nothing is late.
    ends = sound.samples[-2 * RATE : -RATE, 0], whole.samples[-2 * RATE : -RATE, 0]
    assert np.corrcoef(*ends)[0, 1] > 0.99


def test_the_aligned_master_is_the_master_without_its_silence():
    sound = NOISE[: 3 * RATE]
    late = Master(RATE, 2, -16.0, -1.0)
    expected = concat([late.process(sound), late.flush()])[late.latency_frames :]
    aligned = AlignedMaster(RATE, 2, -16.0, -1.0)
    made = concat([*(aligned.process(block) for block in cut(sound, 3)), aligned.flush()])
    assert np.array_equal(made.samples, expected.samples)
    assert made.frames == sound.frames


@pytest.mark.parametrize(("rate", "channels"), [(48000, 2), (32000, 1), (RATE, 2)])
def test_resampling_by_blocks_is_that_of_the_whole(rate, channels):
    sound = Audio(NOISE.samples[: 2 * RATE + 17, :channels], RATE)
    made = concat(list(resampled(cut(sound, 4), rate)))
    assert np.array_equal(made.samples, sound.resample(rate).samples)
    assert made.frames == resampled_frames(sound.frames, RATE, rate)


@pytest.mark.parametrize("frames", [10, 50000, 100000, 120000])
def test_fitting_cuts_or_adds_silence(frames):
    sound = NOISE[:100000]
    made = concat(list(fitted(cut(sound, 5), frames)))
    assert made.frames == frames
    kept = min(frames, sound.frames)
    assert np.array_equal(made.samples[:kept], sound.samples[:kept])
    assert not made.samples[kept:].any()


def test_a_file_begins_with_its_header_and_is_all_there():
    encoder = StreamEncoder("wav", RATE, 2, RATE)
    pieces = list(encoded(cut(NOISE[:RATE], 6), encoder))
    assert pieces[0].startswith(b"RIFF")
    assert decode(b"".join(pieces)).frames == RATE


def test_a_clip_has_its_loudness_its_length_and_its_title_at_the_format_s_rate():
    engine = SineEngine()
    request = Request("a tone", 7, 3.0)
    with engine.stream(request) as stream:
        expected = sum(block.frames for block in of_stream(stream))
    with engine.stream(request) as stream:
        data = b"".join(ClipMaker(stream, "sines", ClipFormat("opus", lufs=-20)).file())
    made = decode(data)
    assert made.rate == 48000
    assert made.frames == resampled_frames(expected, RATE, 48000)
    assert loudness_lufs(made) == pytest.approx(-20, abs=0.5)
    with av.open(io.BytesIO(data)) as file:
        tags = {**file.metadata, **file.streams.audio[0].metadata}
    assert {key.lower(): text for key, text in tags.items()}["title"] == "Tone 0"
