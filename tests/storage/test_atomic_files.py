"""Files and folders that are complete or absent."""

import pytest

from lullwave.storage.atomic_files import delete_unfinished, new_folder, replacing


def test_a_folder_appears_when_it_is_complete(tmp_path):
    target = tmp_path / "deep" / "target"
    with new_folder(target) as folder:
        (folder / "a").mkdir()
        (folder / "a" / "b").write_text("b")
        assert not target.exists()
    assert (target / "a" / "b").read_text() == "b"
    assert list(target.parent.iterdir()) == [target]


def test_an_empty_folder_is_filled_also_where_it_cannot_be_replaced(tmp_path, monkeypatch):
    (tmp_path / "one").mkdir()
    with new_folder(tmp_path / "one") as folder:
        (folder / "a").write_text("a")
    (tmp_path / "two").mkdir()
    import os

    whole = os.replace

    def mounted(source, target):
        if str(target) == str(tmp_path / "two"):
            raise OSError(16, "Device or resource busy")
        whole(source, target)

    monkeypatch.setattr("lullwave.storage.atomic_files.os.replace", mounted)
    with new_folder(tmp_path / "two") as folder:
        (folder / "a").write_text("a")
    for name in ("one", "two"):
        assert [path.name for path in (tmp_path / name).iterdir()] == ["a"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def interrupted(target):
    with new_folder(target) as folder:
        (folder / "a").write_text("a")
        raise KeyboardInterrupt


def killed(target, file):
    """As a process does that ends by a signal within the blocks."""
    with new_folder(target) as folder, replacing(file) as opened:
        (folder / "a").write_text("a")
        opened.write(b"y")
        delete_unfinished()
        assert list(target.parent.iterdir()) == []


def test_what_breaks_or_is_killed_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        killed(tmp_path / "x", tmp_path / "y")
    assert list(tmp_path.iterdir()) == []
