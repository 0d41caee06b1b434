"""An output goes on where another one stopped: the same mastered sound, chunks without a gap, no noise at the seam."""

from itertools import pairwise

import numpy as np
import pytest
from sine_engine import RATE

from lullwave import Audio
from lullwave.codecs import decode
from lullwave.station import CHUNK_FRAMES, ChunkEncoder, Output, OutputLevels, OutputPoint
from lullwave.station.output import MP3_FRAME


def music(blocks: int) -> np.ndarray:
    """Chords with noise, louder in every second block: the limiter and the bit reservoir have work."""
    at = np.arange(blocks * CHUNK_FRAMES) / RATE
    chord = sum(np.sin(2 * np.pi * hz * at + n) for n, hz in enumerate((110.0, 220.7, 331.0, 1250.0)))
    noise = np.random.default_rng(1).normal(size=(2, len(at)))
    loudness = 0.1 + 0.3 * (at % 1.0 > 0.5)
    return (loudness * (chord + 0.2 * noise)).T.astype(np.float32)


def blocks_of(sound):
    return [sound[at : at + CHUNK_FRAMES] for at in range(0, len(sound), CHUNK_FRAMES)]


def check_contiguous(chunks):
    for before, chunk in pairwise(chunks):
        assert (chunk.number, chunk.frame) == (before.number + 1, before.frame + before.frames)


@pytest.mark.parametrize("kbps", [64, 192])
def test_another_encoder_takes_over_with_the_next_mp3_frame(kbps):
    blocks = blocks_of(music(8))
    whole, first = ChunkEncoder(kbps, 0), ChunkEncoder(kbps, 0)
    expected = [whole.encode(Audio(block, RATE)) for block in blocks]
    chunks = [first.encode(Audio(block, RATE)) for block in blocks[:4]]
    recent, end = np.concatenate(blocks[2:4]), 4 * CHUNK_FRAMES
    second = ChunkEncoder.after(kbps, recent, end, first.next_frame, first.count)
    chunks += [second.encode(Audio(block, RATE)) for block in blocks[4:]]
    check_contiguous(chunks)
    assert sum(chunk.frames for chunk in chunks) == pytest.approx(sum(c.frames for c in expected), abs=MP3_FRAME)
    heard, other = (decode(b"".join(chunk.data for chunk in some)).samples for some in (chunks, expected))
    seam = chunks[4].frame - chunks[0].frame
    silent = (2 if kbps >= 96 else 4) * MP3_FRAME
    n = min(len(heard), len(other))
    difference = np.abs(heard[:n] - other[:n])
    assert np.max(difference[: seam - MP3_FRAME]) == 0.0
    assert np.max(np.abs(heard[seam : seam + silent + MP3_FRAME])) < 1.1 * np.max(np.abs(other))
    assert np.sqrt(np.mean(difference[seam + silent + 2 * MP3_FRAME :] ** 2)) < 0.1 * np.std(
        other
    )  # less than the codec adds


def test_the_master_of_another_output_goes_on_with_the_same_samples():
    levels = OutputLevels(loudness_lufs=-12.0)
    blocks = blocks_of(music(6))
    whole = Output(levels)
    expected = [whole.process(block).mastered for block in blocks]
    first, second = Output(levels), Output(levels)
    made = [first.process(block) for block in blocks[:3]]
    last = made[-1].chunk
    point = OutputPoint(
        first.arrays(),
        3 * CHUNK_FRAMES,
        np.concatenate([one.mastered for one in made[1:]]),
        last.frame + last.frames,
        last.number + 1,
    )
    second.go_on(point)
    made += [second.process(block) for block in blocks[3:]]
    for one, other in zip(made, expected, strict=True):
        assert np.array_equal(one.mastered, other)
    check_contiguous([one.chunk for one in made])
