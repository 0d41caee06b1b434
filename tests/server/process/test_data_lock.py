"""One server per data directory, by a lock that vanishes with its process."""

import os
import signal
import subprocess
import sys

import pytest

from lullwave.server.process.data_lock import DataDirTaken, DataLock

HOLDER = """
import sys, time
from pathlib import Path
from lullwave.server.process.data_lock import DataLock
lock = DataLock(Path(sys.argv[1]))
lock.acquire()
lock.tell("http://127.0.0.1:8000/")
print("held", flush=True)
time.sleep(60)
"""


def test_the_second_is_refused_by_name_and_a_killed_process_holds_nothing(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, env={**os.environ}
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        for _ in range(2):
            with pytest.raises(DataDirTaken, match=rf"process {holder.pid} at http://127\.0\.0\.1:8000/"):
                DataLock(tmp_path).acquire()
        holder.send_signal(signal.SIGKILL)
        holder.wait(20)
    mine = DataLock(tmp_path)
    mine.acquire()
    with pytest.raises(DataDirTaken, match=f"process {os.getpid()}\\)"):  # it has no address yet
        DataLock(tmp_path).acquire()
    mine.release()
    again = DataLock(tmp_path)
    again.acquire()
    again.release()


def test_what_the_file_holds_does_not_matter(tmp_path):
    mine = DataLock(tmp_path / "new" / "folder")
    mine.acquire()
    (tmp_path / "new" / "folder" / "server.lock").write_bytes(b"\xff" * 9000)
    with pytest.raises(DataDirTaken, match="another process"):
        DataLock(tmp_path / "new" / "folder").acquire()
    mine.release()


def test_where_no_lock_can_be_the_server_starts_with_a_warning(tmp_path, caplog, monkeypatch):
    (tmp_path / "file").touch()
    DataLock(tmp_path / "file").acquire()
    monkeypatch.setattr(
        "lullwave.server.process.data_lock.try_lock", lambda file: (_ for _ in ()).throw(OSError(95, "no"))
    )
    lock = DataLock(tmp_path)
    lock.acquire()
    lock.release()
    assert len(caplog.records) == 2
