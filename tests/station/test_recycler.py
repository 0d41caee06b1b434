"""Clips of the library as music: each once, joined at equal power on the beat, made again to the sample while kept."""

import json

import numpy as np
import pytest
from test_faults import CLIP_HZ, clips  # noqa: F401  (a fixture)
from test_station import clicks

from lullwave.archive.clip_recorder import ClipRecorder
from lullwave.archive.clips import ClipStore
from lullwave.errors import NotFound, SnapshotError
from lullwave.request import Request
from lullwave.station import RATE, ArchiveEngine


def played(stream, seconds=200.0):
    parts = []
    while (block := stream.read(RATE // 2)).frames and len(parts) < 2 * seconds:
        parts.append(block.samples)
    return np.concatenate(parts)


def test_each_clip_once_in_an_order_that_varies_and_all_of_them_again(clips):  # noqa: F811
    archive = ArchiveEngine(clips)
    orders = set()
    for seed in range(8):
        stream = archive.stream(Request(seed=seed))
        sound = played(stream)
        titles = [mark.data["title"] for mark in stream.marks(0, len(sound))]
        assert sorted(titles) == ["Clip 0", "Clip 1", "Clip 2"]
        assert titles[-1] == "Clip 2"  # was on air just now
        orders.add(tuple(titles))
    assert len(orders) == 2


def test_a_clip_that_was_heard_waits_for_all_others_also_over_streams(clips):  # noqa: F811
    archive = ArchiveEngine(clips)
    heard = []
    for seed in range(3):
        stream = archive.stream(Request(seed=seed))
        stream.read(RATE)
        heard += [mark.data["title"] for mark in stream.marks(0, RATE)]
    assert sorted(heard) == ["Clip 0", "Clip 1", "Clip 2"]


def test_joins_are_even_and_on_the_beat(clips):  # noqa: F811
    stream = ArchiveEngine(clips).stream(Request(seed=1))
    sound = played(stream)
    assert 3 * 30 - 3 * 4 <= len(sound) / RATE <= 90
    assert clicks(sound) < 0.02
    begun = [mark.frame for mark in stream.marks(0, len(sound))]
    assert begun[0] == 0
    assert all(frame % (RATE // 2) == 0 for frame in begun)
    # Two tones of one pitch may meet in any phase; between the joins the level is that of the clips.
    level = np.sqrt(np.mean(sound[: len(sound) // 441 * 441, 0].reshape(-1, 441) ** 2, axis=1))
    assert level.min() > 0.02
    assert np.median(level) == pytest.approx(0.1 / np.sqrt(2), rel=0.03)


def test_it_is_made_again_to_the_sample_while_its_clips_are_kept(clips):  # noqa: F811
    archive = ArchiveEngine(clips)
    stream = archive.stream(Request(seed=3))
    played(stream, 40)
    snapshot = stream.snapshot()
    again = ArchiveEngine(clips).restore(snapshot)
    np.testing.assert_array_equal(again.read(RATE).samples, stream.read(RATE).samples)
    for path in clips.files():
        path.unlink()
    with pytest.raises(SnapshotError, match="not kept"):
        ArchiveEngine(clips).restore(snapshot)
    with pytest.raises(SnapshotError):
        archive.restore(json.dumps({"recycled": 2}).encode())


def test_what_is_no_clip_is_left_out(clips):  # noqa: F811
    clips.add(b"no music at all")
    stream = ArchiveEngine(clips).stream(Request())
    assert len(played(stream)) > 60 * RATE
    assert ArchiveEngine(ClipStore(clips.folder / "none", 3, 1e9)).clips_left() is False


class AtOnce:
    def submit(self, work, *args):
        work(*args)


def test_the_cutter_keeps_what_is_known_and_does_not_keep_clips_of_clips(tmp_path):
    shelf = ClipStore(tmp_path, 10, 1e9)
    clip_recorder = ClipRecorder(shelf, AtOnce(), RATE, 10.0, 64)
    step = RATE // 2
    for n in range(100):
        at = n * 0.5
        pieces = [(100, {"title": f"Piece {n}", "key": "A minor"})] if at in (0.0, 13.0) else []
        if at == 26.0:
            pieces = [(0, {"title": "Old", "source": "recycled"})]
        if at == 40.0:
            pieces = [(0, {"title": "New"})]
        clip_recorder.feed(np.full((step, 2), 0.001 * n, np.float32), pieces, [50])
    kept = [shelf.read(digest)[1] for digest in shelf.digests()]
    assert [past.data.get("title") for past in kept] == ["Piece 0", "Piece 26"]
    assert kept[0].data["key"] == "A minor"
    assert kept[0].beats == tuple(50 + k * step for k in range(24))
    assert shelf.newest.number == 3  # 20 to 32 s and 30 to 42 s were heard from clips: served, not kept
    with pytest.raises(NotFound):
        shelf.read("0" * 32)
