import numpy as np
import pytest

from lullwave.engines.synth.engine import SynthEngine
from lullwave.engines.synth.planning.memory import Memory
from lullwave.engines.synth.planning.memory_file import MemoryFile
from lullwave.engines.synth.programme import Programme
from lullwave.request import Request


def first_piece(engine: SynthEngine) -> Programme:
    with engine.stream(Request(seed=5)) as stream:
        stream.read(1000)
        return stream._programme


def test_a_restarted_engine_plays_something_else(tmp_path):
    path = tmp_path / "memory.json"
    before = first_piece(SynthEngine(memory_file=str(path)))
    after = first_piece(SynthEngine(memory_file=str(path)))
    old, new = before.memory.pieces[-1], after.memory.pieces[-1]
    assert len(after.memory.pieces) == 2
    assert after.memory.pieces[0] == old
    assert not set(old.progressions) & set(new.progressions)
    assert (old.comp, old.lead) != (new.comp, new.lead)
    assert (old.tonic, old.minor) != (new.tonic, new.minor)
    assert not set(before.memory.motifs) & (set(after.memory.motifs) - set(before.memory.motifs))
    assert len(set(after.memory.motifs)) == len(after.memory.motifs) > len(before.memory.motifs)


def test_streams_of_one_engine_share_it(tmp_path):
    engine = SynthEngine(memory_file=str(tmp_path / "memory.json"))
    first_piece(engine)
    first_piece(engine)
    kept = MemoryFile(tmp_path / "memory.json").memory("")
    assert len(kept.pieces) == 2
    assert len(kept.titles) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["memory.json"]


def test_finite_music_neither_reads_nor_writes_it(tmp_path):
    path = tmp_path / "memory.json"
    first_piece(SynthEngine(memory_file=str(path)))
    written = path.read_bytes()
    request = Request(seed=5, duration_s=4.0)
    with SynthEngine(memory_file=str(path)).stream(request) as kept, SynthEngine().stream(request) as plain:
        assert np.array_equal(kept.read(44100).samples, plain.read(44100).samples)
    assert path.read_bytes() == written


def test_without_a_file_a_seed_gives_the_same_piece():
    assert first_piece(SynthEngine()).memory == first_piece(SynthEngine()).memory


def test_prompts_remember_apart(tmp_path):
    keeper = MemoryFile(tmp_path / "memory.json")
    engine = SynthEngine(memory_file=str(keeper.path))
    first_piece(engine)
    with engine.stream(Request("jazz", 5)) as stream:
        stream.read(1000)
    kept = MemoryFile(keeper.path)
    assert len(kept.memory("").pieces) == len(kept.memory("jazz").pieces) == 1
    assert kept.memory("never played") == Memory()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[1, 2]",
        b"{}",
        b'{"version": 1, "memories": {}}',
        b'{"version": 3, "memories": []}',
        b'{"version": 3, "memories": {"": {"pieces": [{}]}}}',
        b'{"version": 3, "memories": {"": {"motifs": "!"}}}',
        b'{"version": 3, "memories": {"": null}}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
def test_a_broken_file_is_logged_and_variety_begins_anew(tmp_path, caplog, content):
    path = tmp_path / "memory.json"
    path.write_bytes(content)
    engine = SynthEngine(memory_file=str(path))
    assert str(path) in caplog.text
    first_piece(engine)
    assert len(MemoryFile(path).memory("").pieces) == 1


def test_a_folder_in_its_place_is_no_reason_to_stop(tmp_path, caplog):
    first_piece(SynthEngine(memory_file=str(tmp_path)))
    assert "was not read" in caplog.text
    assert "was not written" in caplog.text


def test_no_room_is_no_reason_to_stop(tmp_path, caplog):
    (tmp_path / "file").touch()
    engine = SynthEngine(memory_file=str(tmp_path / "file" / "memory.json"))
    assert first_piece(engine).memory != Memory()
    assert "was not written" in caplog.text
