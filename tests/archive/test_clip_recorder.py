"""Clips recorded block by block equal clips encoded as a whole, and overlap."""

import io
import json

import av
import numpy as np
import pytest

from lullwave import __version__
from lullwave.archive.clip_recorder import ClipRecorder
from lullwave.archive.clips import ClipStore
from lullwave.audio import Audio
from lullwave.codecs import Tags, encode
from lullwave.errors import NotFound

RATE = 44100


class AtOnce:
    def submit(self, work, *args):
        work(*args)


def test_clips_do_not_depend_on_the_size_of_blocks(tmp_path):
    store = ClipStore(tmp_path, 10, 1e9)
    made = []
    store.watch(lambda clip: made.append(clip.data))
    random = np.random.default_rng(3)
    sound = (0.1 * random.standard_normal((25 * RATE, 2))).astype(np.float32)
    clip_recorder = ClipRecorder(store, AtOnce(), RATE, 10.0, 128)
    at = 0
    while at < len(sound):
        frames = int(random.integers(1, 3 * RATE))
        clip_recorder.feed(sound[at : at + frames])
        at += frames
    wholes = [Audio(sound[start * RATE : (start + 10) * RATE], RATE) for start in (0, 8)]
    tags = Tags.of_generated("", "")
    assert made == [encode(whole.fade(1.0, 1.0), "mp3", 128, tags) for whole in wholes]


def test_one_block_may_hold_several_clips(tmp_path):
    store = ClipStore(tmp_path, 10, 1e9)
    ClipRecorder(store, AtOnce(), RATE, 5.0, 64).feed(np.zeros((14 * RATE, 2), np.float32))
    assert [path.name[:8] for path in store.files()] == ["00000000", "00000001", "00000002"]


def test_a_clip_that_cannot_be_encoded_does_not_affect_others(tmp_path, caplog):
    store = ClipStore(tmp_path, 10, 1e9)
    clip_recorder = ClipRecorder(store, AtOnce(), RATE, 5.0, 64)
    clip_recorder.feed(np.zeros((RATE, 2), np.float32))
    clip_recorder.feed(np.zeros((2 * RATE, 1), np.float32))  # of another shape
    clip_recorder.feed(np.zeros((6 * RATE, 2), np.float32))
    assert store.newest is not None
    assert store.newest.number == 0
    assert "a clip was lost" in caplog.text


def test_clips_keep_their_info_and_replayed_clips_are_not_stored_again(tmp_path):
    store = ClipStore(tmp_path, 10, 1e9)
    clip_recorder = ClipRecorder(store, AtOnce(), RATE, 12.0, 64)
    step = RATE // 2
    for n in range(100):
        at = n * 0.5
        pieces = [(100, {"title": f"Piece {n}", "key": "A minor"})] if at in (0.0, 13.0) else []
        if at == 26.0:
            pieces = [(0, {"title": "Old", "source": "recycled"})]
        if at == 40.0:
            pieces = [(0, {"title": "New"})]
        clip_recorder.feed(np.full((step, 2), 0.001 * n, np.float32), pieces, [50])
    infos = [store.read(digest)[1] for digest in store.digests()]
    assert [info.data.get("title") for info in infos] == ["Piece 0", "Piece 26"]
    assert infos[0].data["key"] == "A minor"
    assert infos[0].beats == tuple(50 + k * step for k in range(24))
    assert store.newest.number == 3  # 20 to 32 s and 30 to 42 s were heard from clips: served, not kept
    with pytest.raises(NotFound):
        store.read("0" * 32)


def test_a_clip_says_what_it_is(tmp_path):
    store = ClipStore(tmp_path, 9, 10**9)
    recorder = ClipRecorder(store, AtOnce(), RATE, 5.0, 64)
    piece = {"title": "Żółty deszcz", "prompt": "rain, Zoë", "seed": 7, "engine": "synth"}
    recorder.feed(np.zeros((14 * RATE, 2), np.float32), [(0, piece)])
    with av.open(io.BytesIO(store.newest.data)) as file:
        assert (file.metadata["title"], file.metadata["artist"]) == (piece["title"], "Lullwave")
        told = json.loads(file.metadata["comment"])
    assert told == {"generated": True, "prompt": "rain, Zoë", "seed": 7, "engine": "synth", "version": __version__}
