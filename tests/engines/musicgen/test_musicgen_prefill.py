"""The chroma of a melody that a prefill uses, also after the window has moved; positions that are filled together."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from songs import EXACT, RATE, tokens  # noqa: E402

from lullwave.audio import Audio  # noqa: E402
from lullwave.engines.musicgen.prompt_schedule import Window  # noqa: E402
from lullwave.request import Request  # noqa: E402


def test_a_tune_begins_with_the_sound_and_over_again_at_its_end(checkpoints_dir, load):
    engine = load(checkpoints_dir / "musicgen-tiny-melody", EXACT)
    prefill = engine.scheduler._prefill
    given = Audio.of(np.random.default_rng(0).normal(0, 0.1, 3 * RATE), RATE)
    with (
        engine.stream(Request("calm"), melody=given) as stream,
        engine.stream(Request("calm"), melody=given, continue_from=given) as later,
    ):
        song = stream._song
        frames = song.melody.shape[0]
        assert torch.equal(prefill._chroma_from(song, Window(0, 0)), song.melody)
        slid = prefill._chroma_from(song, Window(1, 900))  # 18 s are 140 frames of chroma
        assert slid.shape[0] == frames
        assert torch.equal(slid[0], song.melody[140 % frames])
        assert later._song.origin == 150
        assert torch.equal(prefill._chroma_from(later._song, Window(0, 0))[24 % frames], later._song.melody[0])


def test_a_song_is_the_same_however_many_positions_of_the_next_window_go_together(tiny, load):
    """Three windows, steered in the midst and forked: the same tokens in the fork, and with one position at a time."""
    engine = load(tiny, EXACT)
    prefill = engine.scheduler._prefill
    assert prefill._together > 1
    made = []
    for together in (1, prefill._together):
        prefill._together = together
        with engine.stream(Request("calm", seed=5, options={"window_s": 5.0})) as stream:
            stream.read(7 * RATE)
            stream.steer("rain", 1.0)
            stream.read(3 * RATE)
            with stream.fork() as other:
                other.read(2 * RATE)
                stream.read(2 * RATE)
                count = min(tokens(stream).shape[1], tokens(other).shape[1])
                assert count > 11 * 50
                np.testing.assert_array_equal(tokens(stream)[:, :count], tokens(other)[:, :count])
                made.append(tokens(stream)[:, : 11 * 50])
    np.testing.assert_array_equal(*made)
