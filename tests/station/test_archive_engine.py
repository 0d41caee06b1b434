"""The archive engine plays each clip once, crossfades on the beat, and restores a stream sample for sample."""

import json

import numpy as np
import pytest
from recorded_station import clicks

from lullwave.archive.clips import ClipStore
from lullwave.errors import SnapshotError
from lullwave.request import Request
from lullwave.station import RATE, ArchiveEngine


def played(stream, seconds=200.0):
    parts = []
    while (block := stream.read(RATE // 2)).frames and len(parts) < 2 * seconds:
        parts.append(block.samples)
    return np.concatenate(parts)


def test_a_stream_plays_each_clip_once_in_an_order_that_depends_on_the_seed(clips):
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


def test_a_clip_repeats_only_after_all_others_even_across_streams(clips):
    archive = ArchiveEngine(clips)
    heard = []
    for seed in range(3):
        stream = archive.stream(Request(seed=seed))
        stream.read(RATE)
        heard += [mark.data["title"] for mark in stream.marks(0, RATE)]
    assert sorted(heard) == ["Clip 0", "Clip 1", "Clip 2"]


def test_crossfades_are_level_and_on_the_beat(clips):
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


def test_a_snapshot_restores_the_stream_while_its_clips_exist(clips):
    archive = ArchiveEngine(clips)
    stream = archive.stream(Request(seed=3))
    played(stream, 40)
    snapshot = stream.snapshot()
    again = ArchiveEngine(clips).restore(snapshot)
    np.testing.assert_array_equal(again.read(RATE).samples, stream.read(RATE).samples)
    for path in clips.files():
        path.unlink()
    with pytest.raises(SnapshotError, match="cannot be read"):
        ArchiveEngine(clips).restore(snapshot)
    with pytest.raises(SnapshotError):
        archive.restore(json.dumps({"recycled": 2}).encode())


def test_a_file_that_does_not_decode_is_skipped(clips):
    clips.add(b"no music at all")
    stream = ArchiveEngine(clips).stream(Request())
    assert len(played(stream)) > 60 * RATE
    assert ArchiveEngine(ClipStore(clips.folder / "none", 3, 1e9)).clips_left() is False
