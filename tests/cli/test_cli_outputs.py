"""Names of outputs: the next free one, no two alike."""

from pathlib import Path

import pytest

from lullwave.cli.outputs import check_distinct, check_folder, next_free
from lullwave.errors import InvalidInput, Unsupported


def test_the_next_free_name_looks_at_every_suffix(tmp_path):
    path = tmp_path / "riff.mp3"
    assert next_free(path) == path
    for taken, free in (("riff.mp3", "riff-2.mp3"), ("riff-2.png", "riff-3.mp3"), ("riff-3.mp3", "riff-4.mp3")):
        (tmp_path / taken).touch()
        assert next_free(path, ".png").name == free
    assert next_free(path).name == "riff-2.mp3"


def test_two_outputs_of_one_path_are_refused_however_it_is_written(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a.wav")
    for other in ("a.wav", "deep/../a.wav", "link"):
        with pytest.raises(Unsupported, match="--midi"):
            check_distinct([("--output", tmp_path / "a.wav"), ("--midi", tmp_path / other)])
    check_distinct([("--output", Path("a.wav")), ("--midi", Path("a.mid"))])


def test_a_folder_with_files_needs_force(tmp_path):
    check_folder(tmp_path, "--stems", force=False)
    (tmp_path / "drums.flac").touch()
    with pytest.raises(Unsupported, match="not empty"):
        check_folder(tmp_path, "--stems", force=False)
    check_folder(tmp_path, "--stems", force=True)


def test_folders_above_an_output_are_checked_too(tmp_path):
    (tmp_path / "file").touch()
    check_folder(tmp_path / "a" / "b", "--output-dir", parents=True)
    for place in (tmp_path / "file", tmp_path / "file" / "a" / "b"):
        with pytest.raises(InvalidInput, match="--output-dir"):
            check_folder(place, "--output-dir", parents=True)
