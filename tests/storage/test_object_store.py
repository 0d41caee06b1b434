"""Every kind of object store: conditional writes, listing, and what callers are told when it fails."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from object_stores import ENDPOINT, opened, s3_environment, s3_url  # noqa: F401 (fixtures)

from lullwave.errors import InvalidInput, MissingExtra, StorageUnavailable
from lullwave.storage import directory_store
from lullwave.storage.cloud_store import CloudStore
from lullwave.storage.directory_store import DirectoryStore
from lullwave.storage.file_lock import try_lock
from lullwave.storage.objects import open_store


def test_an_object_is_written_once_and_replaced_only_by_a_writer_that_read_it(opened):  # noqa: F811
    first, second = opened(), opened()
    assert first.get("piano/lease.json") is None
    version = first.put_if_absent("piano/lease.json", b"one")
    assert second.get("piano/lease.json").data == b"one"
    assert second.get("piano/lease.json").version == version
    assert second.put_if_absent("piano/lease.json", b"other") is None
    newer = second.put_if_matches("piano/lease.json", b"two", version)
    assert newer not in (None, version)
    assert first.put_if_matches("piano/lease.json", b"three", version) is None
    assert first.get("piano/lease.json").data == b"two"
    assert first.put_if_matches("piano/lease.json", b"three", newer) is not None
    assert first.put_if_matches("piano/absent", b"x", newer) is None
    assert second.get("piano/absent") is None


def test_a_folder_lists_its_keys_in_order_and_no_others(opened):  # noqa: F811
    store = opened()
    for key in ("piano/segments/0002-1.flac", "piano/segments/0001-1.flac", "piano/x", "piano2/y"):
        store.put_if_absent(key, b"0")
    assert opened().list("piano/segments") == ["piano/segments/0001-1.flac", "piano/segments/0002-1.flac"]
    assert store.list("piano") == ["piano/segments/0001-1.flac", "piano/segments/0002-1.flac", "piano/x"]
    assert store.list("none") == []
    store.delete("piano/segments/0001-1.flac")
    store.delete("piano/segments/0001-1.flac")
    assert store.list("piano/segments") == ["piano/segments/0002-1.flac"]
    assert store.get("piano/segments/0001-1.flac") is None


def test_of_many_who_write_at_once_exactly_one_wins(opened):  # noqa: F811
    stores = [opened() for _ in range(6)]
    if isinstance(stores[0], CloudStore) and not ENDPOINT:
        pytest.skip("moto compares and writes without a lock")
    with ThreadPoolExecutor(len(stores)) as pool:

        def winner_of(put) -> int:
            written = list(pool.map(put, range(len(stores))))
            assert len([version for version in written if version is not None]) == 1
            return next(i for i, version in enumerate(written) if version is not None)

        won = winner_of(lambda i: stores[i].put_if_absent("a", b"0-%d" % i))
        assert stores[0].get("a").data == b"0-%d" % won
        for turn in range(1, 5):
            version = stores[0].get("a").version
            won = winner_of(partial(replace_with, stores, turn, version))
            assert stores[0].get("a").data == b"%d-%d" % (turn, won)


def replace_with(stores, turn, version, i):
    return stores[i].put_if_matches("a", b"%d-%d" % (turn, i), version)


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../b", ".hidden", "a/.lock", "a b", "ä"])
def test_keys_that_a_store_could_not_hold_are_refused(opened, key):  # noqa: F811
    store = opened()
    for call in (store.get, store.list, store.delete, lambda k: store.put_if_absent(k, b"")):
        with pytest.raises(InvalidInput, match="key: got"):
            call(key)


def test_a_file_system_without_hard_links_still_writes_an_object_once(tmp_path, monkeypatch):
    def no_links(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    store = DirectoryStore(tmp_path)
    assert store.put_if_absent("a/b", b"one") is not None
    assert store.put_if_absent("a/b", b"two") is None
    assert store.get("a/b").data == b"one"
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [".lock", "b"]


def test_a_stopped_process_that_holds_the_lock_delays_writers_but_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(directory_store, "LOCK_WAIT_S", 0.02)
    store = DirectoryStore(tmp_path)
    version = store.put_if_absent("a/b", b"one")
    holder = os.open(tmp_path / "a" / ".lock", os.O_RDWR | os.O_CREAT)
    try_lock(holder)
    with pytest.raises(StorageUnavailable, match="holds its lock"):
        store.put_if_matches("a/b", b"two", version)
    assert store.get("a/b").data == b"one"
    assert store.put_if_absent("a/c", b"needs no lock") is not None
    os.close(holder)
    assert store.put_if_matches("a/b", b"two", version) is not None


def test_a_directory_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "file").write_text("no folder")
    store = open_store(f"file://{tmp_path}/file")
    for call in (lambda: store.get("a"), lambda: store.put_if_absent("a", b""), lambda: store.delete("a")):
        with pytest.raises(StorageUnavailable, match="file"):
            call()


def test_a_server_that_does_not_answer_is_told_without_the_credentials(monkeypatch):
    pytest.importorskip("obstore")
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # the port of "discard", which refuses connections
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "who",
        "AWS_SECRET_ACCESS_KEY": "hush-hush",
    }.items():
        monkeypatch.setenv(name, value)
    store = open_store("s3://radio/here")
    for call in (lambda: store.get("a"), lambda: store.put_if_absent("a", b""), lambda: store.list("a")):
        with pytest.raises(StorageUnavailable, match=r"127\.0\.0\.1:9") as error:
            call()
        assert "hush" not in str(error.value)


def test_a_bucket_that_does_not_exist_is_told(monkeypatch, s3_url):  # noqa: F811
    for name, value in s3_environment(s3_url("s3")).items():
        monkeypatch.setenv(name, value)
    store = open_store("s3://no-such-bucket/here")
    for call in (lambda: store.put_if_absent("a", b""), lambda: store.list("a")):
        with pytest.raises(StorageUnavailable, match=r"no.such.bucket"):
            call()


@pytest.mark.parametrize("url", ["", "s3://", "file://", "file:///", "file://host/a", "ftp://a/b", "/srv/store"])
def test_an_address_that_is_no_store_is_refused(url):
    with pytest.raises(InvalidInput, match="file:///path"):
        open_store(url)


def test_without_the_extra_a_cloud_names_it():
    code = (
        "import sys; sys.modules['obstore'] = None\n"
        "from lullwave.storage.objects import open_store\n"
        "try: open_store('s3://radio')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.startswith(MissingExtra.__name__)
    assert "lullwave[cloud]" in told


def test_what_killed_writers_left_is_swept_and_nothing_else(tmp_path, monkeypatch):
    store = DirectoryStore(tmp_path)
    store.put_if_absent("piano/segments/1", b"one")
    folder = tmp_path / "piano" / "segments"
    old, young = folder / ".00112233445566aa.new", folder / ".00112233445566ab.new"
    part, other = folder / ".00112233445566ac.part", folder / ".kept.new"
    for path in (old, young, part, other):
        path.write_bytes(b"half")
    written = folder.joinpath("1").stat().st_mtime
    for path in (old, part, other, folder / "1"):
        os.utime(path, (written - directory_store.LEFT_S - 5,) * 2)
    store.put_if_absent("piano/segments/2", b"two")
    assert old.exists()  # it looks only once in a while
    monkeypatch.setattr(directory_store, "SWEEP_S", 0.0)
    version = store.put_if_absent("piano/segments/3", b"three")
    assert [path.exists() for path in (old, part, young, other)] == [False, False, True, True]
    assert store.list("piano") == [f"piano/segments/{name}" for name in "123"]
    part.write_bytes(b"half")
    os.utime(part, (written - directory_store.LEFT_S - 5,) * 2)
    store.put_if_matches("piano/segments/3", b"3", version)  # a replacement looks, too
    assert not part.exists()


def test_a_writer_whose_copy_was_swept_is_told_and_writes_again(tmp_path, monkeypatch):
    store, link = DirectoryStore(tmp_path), os.link

    def swept(copy, path):
        copy.unlink()
        link(copy, path)

    monkeypatch.setattr(os, "link", swept)
    with pytest.raises(StorageUnavailable):
        store.put_if_absent("piano/x", b"x")
    monkeypatch.undo()
    assert store.put_if_absent("piano/x", b"x") is not None
