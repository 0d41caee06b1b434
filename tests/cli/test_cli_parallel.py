"""A file that ends its process is blamed alone."""

import io
import os

import pytest
from rich.console import Console

from lullwave.cli import parallel as batches
from lullwave.errors import InvalidInput


def work(path):
    if path.name.startswith("deadly"):
        os._exit(9)
    path.with_suffix(".done").touch()


def test_only_the_file_that_ends_its_process_is_blamed(tmp_path):
    paths = [tmp_path / name for name in ("a", "b", "c", "deadly1", "d", "deadly2", "e")]
    said = io.StringIO()
    assert batches.run(work, paths, 2, Console(file=said, width=200)) == 2
    assert "5 of 7 files done" in said.getvalue()
    assert said.getvalue().count("its process was killed") == 2
    assert sorted(path.stem for path in tmp_path.glob("*.done")) == ["a", "b", "c", "d", "e"]


def test_files_are_chosen_by_a_pattern(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("a.wav", "b.mp3", "deep/c.wav", "deep/notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in batches.sounds_in(tmp_path)] == ["a.wav", "b.mp3", "c.wav"]
    assert [path.name for path in batches.sounds_in(tmp_path, "*.wav")] == ["a.wav"]
    for wrong in ("", "/etc/*"):
        with pytest.raises(InvalidInput, match="glob"):
            batches.sounds_in(tmp_path, wrong)


def test_two_sources_of_one_result_are_told_before_the_work(tmp_path):
    sources = [tmp_path / name for name in ("a.wav", "a.mp3", "b.wav", "deep/a.wav")]
    targets = {path: batches.target_in(tmp_path / "out", path, tmp_path, ".png") for path in sources}
    assert [str(t.relative_to(tmp_path)) for t in targets.values()] == ["out/a.png"] * 2 + [
        "out/b.png",
        "out/deep/a.png",
    ]
    with pytest.raises(InvalidInput, match=r"a\.wav and a\.mp3"):
        batches.check_targets(targets)
    del targets[sources[1]]
    batches.check_targets(targets)
