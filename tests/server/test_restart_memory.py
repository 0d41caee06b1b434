"""A server that is started again goes on where its memory ended: its stations do not repeat themselves."""

from radio_server import read_exactly, serving

from lullwave.engines.synth.planning.memory_file import MemoryFile
from lullwave.server.engine_config import load_options
from lullwave.settings import load


def heard_once(folder):
    """What the default station remembers after a server played for a few seconds and ended."""
    with serving(folder, engines="own") as served, served.listening() as stream:
        served.clock.advance(2)
        read_exactly(stream, 8000)
    keeper = MemoryFile(folder / "memory-synth.json")
    return keeper.memory(served.settings.stations[0].prompts[0])


def test_a_restart_does_not_repeat_what_was_played(tmp_path):
    before = heard_once(tmp_path)
    after = heard_once(tmp_path)
    assert len(before.pieces) == 1
    assert after.pieces[: len(before.pieces)] == before.pieces
    assert len(after.pieces) > len(before.pieces)
    assert set(before.motifs) < set(after.motifs)
    assert len(set(after.titles)) == len(after.titles)


def test_a_named_seed_means_the_same_music_again(tmp_path):
    from lullwave.engines.synth.engine import SynthEngine

    assert "memory_file" in load_options(load({"data_dir": tmp_path}))("synth", SynthEngine)
    assert "memory_file" not in load_options(load({"data_dir": tmp_path, "seed": 3}))("synth", SynthEngine)
