"""Tiny random checkpoints in the real formats, written once for all tests of MusicGen."""

import pytest


@pytest.fixture(scope="session")
def checkpoints_dir(tmp_path_factory):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from lullwave.engines.musicgen.model.random_checkpoint import write_random

    root = tmp_path_factory.mktemp("musicgen")
    for kind in ("musicgen-tiny", "musicgen-tiny-stereo", "musicgen-tiny-melody"):
        write_random(kind, root / kind)
    return root


@pytest.fixture(scope="session")
def tiny(checkpoints_dir):
    return checkpoints_dir / "musicgen-tiny"


@pytest.fixture(scope="session")
def load():
    """Engines by options, kept for the whole run, closed at its end."""
    from lullwave.engines.musicgen.engine import MusicGenEngine

    engines = {}

    def loaded(directory, dtype="int8", **options):
        key = (str(directory), dtype, *sorted(options.items()))
        if key not in engines:
            engines[key] = MusicGenEngine(model=str(directory), dtype=dtype, device="cpu", threads=1, **options)
        return engines[key]

    yield loaded
    for engine in engines.values():
        engine.close()


@pytest.fixture
def engine(tiny, load):
    from songs import EXACT

    return load(tiny, EXACT)
