"""Clips cut from the programme: what was encoded as it came is what a whole clip would be, and overlaps the next."""

import io
import json

import av
import numpy as np

from lullwave import __version__
from lullwave.archive.clip_recorder import ClipRecorder
from lullwave.archive.clips import ClipStore
from lullwave.audio import Audio
from lullwave.codecs import Tags, encode

RATE = 44100


class AtOnce:
    def submit(self, work, *args):
        work(*args)


def test_clips_of_blocks_of_any_size_are_those_of_the_whole(tmp_path):
    shelf = ClipStore(tmp_path, 10, 1e9)
    made = []
    shelf.watch(lambda clip: made.append(clip.data))
    random = np.random.default_rng(3)
    sound = (0.1 * random.standard_normal((25 * RATE, 2))).astype(np.float32)
    clip_recorder = ClipRecorder(shelf, AtOnce(), RATE, 8.0, 128)
    at = 0
    while at < len(sound):
        frames = int(random.integers(1, 3 * RATE))
        clip_recorder.feed(sound[at : at + frames])
        at += frames
    wholes = [Audio(sound[start * RATE : (start + 10) * RATE], RATE) for start in (0, 8)]
    tags = Tags.of_generated("", "")
    assert made == [encode(whole.fade(1.0, 1.0), "mp3", 128, tags) for whole in wholes]


def test_one_block_may_hold_several_clips(tmp_path):
    shelf = ClipStore(tmp_path, 10, 1e9)
    ClipRecorder(shelf, AtOnce(), RATE, 4.0, 64).feed(np.zeros((14 * RATE, 2), np.float32))
    assert [path.name[:8] for path in shelf.files()] == ["00000000", "00000001", "00000002"]


def test_a_clip_that_cannot_be_encoded_costs_no_other(tmp_path, caplog):
    shelf = ClipStore(tmp_path, 10, 1e9)
    clip_recorder = ClipRecorder(shelf, AtOnce(), RATE, 4.0, 64)
    clip_recorder.feed(np.zeros((RATE, 2), np.float32))
    clip_recorder.feed(np.zeros((2 * RATE, 1), np.float32))  # of another shape
    clip_recorder.feed(np.zeros((6 * RATE, 2), np.float32))
    assert shelf.newest is not None
    assert shelf.newest.number == 0
    assert "a clip was lost" in caplog.text


def test_a_clip_says_what_it_is(tmp_path):
    shelf = ClipStore(tmp_path, 9, 10**9)
    recorder = ClipRecorder(shelf, AtOnce(), RATE, 4.0, 64)
    piece = {"title": "Żółty deszcz", "prompt": "rain, Zoë", "seed": 7, "engine": "synth"}
    recorder.feed(np.zeros((14 * RATE, 2), np.float32), [(0, piece)])
    with av.open(io.BytesIO(shelf.newest.data)) as file:
        assert (file.metadata["title"], file.metadata["artist"]) == (piece["title"], "Lullwave")
        told = json.loads(file.metadata["comment"])
    assert told == {"generated": True, "prompt": "rain, Zoë", "seed": 7, "engine": "synth", "version": __version__}
