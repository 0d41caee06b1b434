"""The chroma of a melody that a prefill uses, also after the window has moved and the melody has ended."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from songs import EXACT, RATE  # noqa: E402

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
