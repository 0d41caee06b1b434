"""Servers of one store as processes, and a store that can stall or refuse writes."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lullwave.errors import StorageUnavailable
from lullwave.segments.reader import SegmentReader
from lullwave.segments.segment import Manifest
from lullwave.storage.objects import ObjectStore, open_store

from ..radio.scenes import Served
from ..radio.serving import free_port

STATION = "piano"
BUCKET = "radio"
DISK_MB = 96  # of the small disk that holds a directory
START_S = 60.0
LOGIN = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
WRITERS, ROUNDS = 8, 25  # of the check of conditional writes
REFUSING = "refuse"  # name of the file whose presence lets the S3 server refuse writes


class DirectoryScene:
    """A store in a directory on a small disk of its own."""

    def __init__(self, folder: Path) -> None:
        self._disk = folder / "disk"
        self.url = f"file://{self._disk}/store"
        self.environment: dict[str, str] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        self._disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(self._disk)]
        subprocess.run(mount, check=True, capture_output=True)
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", str(self._disk)], check=False)

    @contextmanager
    def stalling(self) -> Iterator[None]:
        """Hold the lock that every replacement of an object of the station takes."""
        with open(self._disk / "store" / STATION / ".lock", "r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Fill the disk."""
        filler = self._disk / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield
        filler.unlink()


class S3Scene:
    """A store on moto's S3 server in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.url = f"s3://{BUCKET}/stations"
        self.environment = {**LOGIN, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._port}"}
        self._process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        command = [sys.executable, "-m", "bench.store.store_scene", str(self._port), str(self._folder / REFUSING)]
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


Scene = DirectoryScene | S3Scene
STORES: dict[str, type[Scene]] = {"directory": DirectoryScene, "s3": S3Scene}


class Web(Served):
    """A server of the store."""

    def __init__(self, folder: Path, name: str, scene: Scene, produce: bool, *flags: str) -> None:
        self.name, self.port = name, free_port()
        self.killed = False
        command = ["serve", "--store", scene.url, "--port", str(self.port), "--data-dir", str(folder / name), *flags]
        command += ["--produce" if produce else "--no-produce", "--log-level", "info"]
        stations = json.dumps([{"id": STATION}])
        super().__init__(folder / f"{name}.log", *command, LULLWAVE_STATIONS=stations, **scene.environment)

    @property
    def produces(self) -> bool:
        """Whether it makes the station's music; False if it does not answer."""
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=10.0) as reply:
            return STATION in json.load(reply)["produces"]
        return False


class Watch:
    """Reads the manifest all the time: how much of the programme is written ahead, and who writes it."""

    def __init__(self, url: str) -> None:
        self._reader = SegmentReader(open_store(url), STATION)
        self.looks: list[tuple[float, int, int, float]] = []  # when, epoch, next segment, seconds ahead
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def manifest(self) -> Manifest:
        assert self._reader.latest is not None
        return self._reader.latest

    def stop(self) -> None:
        self._stopping = True
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            with suppress(StorageUnavailable):
                manifest = self._reader.manifest()
                if manifest is not None:
                    ahead_s = manifest.air(manifest.next) - time.time()
                    self.looks.append((time.monotonic(), manifest.epoch, manifest.next, ahead_s))
            time.sleep(0.1)


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


if __name__ == "__main__":
    serve_s3(int(sys.argv[1]), Path(sys.argv[2]))
