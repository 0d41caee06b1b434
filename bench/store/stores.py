"""Stores for the benchmarks that break them: a directory on a small disk, moto's S3 server, Ceph's S3 gateway.

Each can stall and refuse writes. Ceph's needs root and Debian's packages ``ceph-mon``, ``ceph-osd`` and ``radosgw``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import which
from typing import Any

from lullwave.storage.objects import ObjectStore, open_store

from ..radio.serving import free_port

BUCKET = "radio"
DISK_MB = 96  # of the small disk that holds a directory
START_S = 60.0
LOGIN = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
WRITERS, ROUNDS = 8, 25  # of the check of conditional writes
REFUSING = "refuse"  # name of the file whose presence lets moto refuse writes
CONFIG = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{monitor}/0]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
ms client mode = crc
ms mon client mode = crc
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 500
osd objectstore = memstore
mon data = {folder}/mon
osd data = {folder}/osd
admin socket = {folder}/$name.asok
pid file = {folder}/$name.pid
log file = {folder}/$name.log
[client]
rgw frontends = beast endpoint=127.0.0.1:{port}
"""


class DirectoryScene:
    """A store in a directory on a small disk of its own: ext4 in a file."""

    def __init__(self, folder: Path) -> None:
        self._image, self._disk = folder / "disk.img", folder / "disk"
        self.url = f"file://{self._disk}/store"
        self.environment: dict[str, str] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        self._disk.mkdir()
        with self._image.open("wb") as file:
            file.truncate(DISK_MB << 20)
        _run("mkfs.ext4", "-q", "-m", "0", str(self._image))
        _run("mount", "-o", "loop", str(self._image), str(self._disk))
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", str(self._disk)], check=False)

    @contextmanager
    def stalling(self) -> Iterator[None]:
        """Freeze the disk (``fsfreeze``): every write waits until it is released."""
        _run("fsfreeze", "-f", str(self._disk))
        try:
            yield
        finally:
            _run("fsfreeze", "-u", str(self._disk))

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Fill the disk."""
        filler = self._disk / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield
        filler.unlink()


class MotoScene:
    """A store on moto's S3 server in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.url = f"s3://{BUCKET}/stations"
        self.environment = {**LOGIN, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._port}"}
        self._process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        command = [sys.executable, "-m", "bench.store.stores", str(self._port), str(self._folder / REFUSING)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + START_S
            while True:
                with suppress(OSError):
                    request = urllib.request.Request(f"{self.environment['AWS_ENDPOINT_URL']}/{BUCKET}", method="PUT")
                    urllib.request.urlopen(request).close()
                    break
                if time.monotonic() > until:
                    raise RuntimeError("the S3 server did not start")
                time.sleep(0.2)
            os.environ.update(self.environment)
            check_conditional_writes(open_store(self.url))
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()

    @contextmanager
    def stalling(self) -> Iterator[None]:
        """Stop the server's process."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        yield
        self._process.send_signal(signal.SIGCONT)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Let every write fail with 503."""
        flag = self._folder / REFUSING
        flag.touch()
        yield
        flag.unlink()


class CephScene:
    """A store on Ceph's S3 gateway, with a cluster of one monitor and one daemon that keeps objects in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port, self._monitor = folder / "ceph", free_port(), free_port()
        self._config = ["-c", str(self._folder / "ceph.conf")]
        self._processes: list[subprocess.Popen[bytes]] = []
        self.url = f"s3://{BUCKET}/stations"
        self.environment = {**LOGIN, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._port}"}

    @contextmanager
    def running(self) -> Iterator[None]:
        for name in ("mon", "osd"):
            (self._folder / name).mkdir(parents=True)
        try:
            os.environ.update({**self.environment, "AWS_DEFAULT_REGION": "us-east-1"})
            self._start()
            check_conditional_writes(open_store(self.url))
            yield
        finally:
            for process in reversed(self._processes):
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()

    @contextmanager
    def stalling(self) -> Iterator[None]:
        """Stop the gateway's process."""
        gateway = self._processes[-1]
        gateway.send_signal(signal.SIGSTOP)
        yield
        gateway.send_signal(signal.SIGCONT)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Take the right to write from the user: 403."""
        self._user("modify", "--op-mask", "read")
        yield
        self._user("modify", "--op-mask", "read, write, delete")

    def _start(self) -> None:
        fsid, disk = str(uuid.uuid4()), str(uuid.uuid4())
        text = CONFIG.format(fsid=fsid, monitor=self._monitor, folder=self._folder, port=self._port)
        (self._folder / "ceph.conf").write_text(text)
        found = str(self._folder / "monmap")
        here = f"[v2:127.0.0.1:{self._monitor}]"
        _run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", here, "--enable-all-features", found)
        _run("ceph-mon", "--mkfs", "-i", "a", "--monmap", found, *self._config)
        self._serve("ceph-mon", "-f", "-i", "a")
        _run("ceph", *self._config, "osd", "new", disk)  # waits for the monitor
        _run("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", disk, *self._config)
        self._serve("ceph-osd", "-f", "-i", "0")
        key, secret = LOGIN["AWS_ACCESS_KEY_ID"], LOGIN["AWS_SECRET_ACCESS_KEY"]
        self._user("create", "--display-name", "bench", "--access-key", key, "--secret-key", secret)
        self._serve("radosgw", "-f", "-n", "client.admin", "--ms_mon_client_mode=crc")
        until = time.monotonic() + START_S
        while True:
            with suppress(OSError), urllib.request.urlopen(self.environment["AWS_ENDPOINT_URL"]):
                break
            if time.monotonic() > until:
                raise RuntimeError("Ceph's gateway did not start")
            time.sleep(0.2)
        import boto3

        boto3.client("s3", endpoint_url=self.environment["AWS_ENDPOINT_URL"]).create_bucket(Bucket=BUCKET)

    def _serve(self, *command: str) -> None:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._processes.append(subprocess.Popen([*command, *self._config], **quiet))  # type: ignore[call-overload]

    def _user(self, verb: str, *options: str) -> None:
        _run("radosgw-admin", *self._config, "user", verb, "--uid", "bench", *options)


Scene = DirectoryScene | MotoScene | CephScene
STORES: dict[str, type[Scene]] = {"directory": DirectoryScene, "s3": MotoScene, "ceph": CephScene}
INSTALLED = [name for name in STORES if name != "ceph" or which("radosgw")]


def check_conditional_writes(store: ObjectStore) -> None:
    """Let many threads write one object at the same time, again and again.

    Raises:
        RuntimeError: not exactly one of them has succeeded: the server does not honour conditional writes.
    """
    with ThreadPoolExecutor(WRITERS) as pool:
        for number in range(ROUNDS):
            key = f"check/{number}"
            versions = list(pool.map(store.put_if_absent, [key] * WRITERS, [b"%d" % n for n in range(WRITERS)]))
            found = store.get(key)
            assert found is not None
            args = [key] * WRITERS, [b"again %d" % n for n in range(WRITERS)], [found.version] * WRITERS
            again = list(pool.map(store.put_if_matches, *args))
            for kind, written in (("absent", versions), ("unchanged", again)):
                won = sum(version is not None for version in written)
                if won != 1:
                    raise RuntimeError(f"{won} of {WRITERS} writers of an object that had to be {kind} succeeded")


def serve_s3(port: int, refusing: Path) -> None:
    """Run moto's S3 server; it refuses writes while the file ``refusing`` is there.

    It gets one write at a time: moto looks at the condition first and writes later, so two writers could both succeed.
    """
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import run_simple

    moto = DomainDispatcherApplication(create_backend_app)
    writing = threading.Lock()

    def app(environment: dict[str, Any], start: Any) -> Any:
        if environment["REQUEST_METHOD"] == "GET":
            return moto(environment, start)
        if refusing.exists():
            start("503 Service Unavailable", [("Content-Length", "0")])
            return [b""]
        with writing:
            return moto(environment, start)

    run_simple("127.0.0.1", port, app, threaded=True)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=START_S)


if __name__ == "__main__":
    serve_s3(int(sys.argv[1]), Path(sys.argv[2]))
