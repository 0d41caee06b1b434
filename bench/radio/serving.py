"""Starts ``lullwave serve`` and Icecast for benchmarks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ENDS_S = 10.0  # a process that does not end within this time after SIGTERM is a fault

CONFIG = """<icecast><limits><clients>20000</clients><sources>4</sources><queue-size>1048576</queue-size>
<burst-size>65536</burst-size></limits><authentication><source-password>source</source-password>
<admin-user>admin</admin-user><admin-password>admin</admin-password></authentication><hostname>127.0.0.1</hostname>
<listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket><fileserve>0</fileserve>
<relay><server>127.0.0.1</server><port>{source}</port><mount>/stream.mp3</mount><local-mount>/stream.mp3</local-mount>
<on-demand>0</on-demand><relay-shoutcast-metadata>1</relay-shoutcast-metadata></relay>
<paths><basedir>/usr/share/icecast2</basedir><logdir>{folder}</logdir><webroot>/usr/share/icecast2/web</webroot>
<adminroot>/usr/share/icecast2/admin</adminroot></paths>
<logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog><loglevel>3</loglevel></logging>
<security><chroot>0</chroot>{owner}</security></icecast>"""


def free_port() -> int:
    """A free TCP port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def lullwave(folder: str, *flags: str, files: int = 0) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run the radio with its data in ``folder``; yields its process and port once it answers, ends it by SIGTERM.

    ``files``: its limit of open files; 0 for the system's.
    """
    port = free_port()
    command = [sys.executable, "-m", "lullwave", "serve", "--port", str(port), "--data-dir", folder, *flags]
    command += ["--log-level", "warning"]
    if files:
        command = ["bash", "-c", f'ulimit -n {files}; exec "$@"', "bash", *command]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert process.stdout is not None
    try:
        assert process.stdout.readline(), "the server did not start"
        yield process, port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(ENDS_S)


@contextmanager
def icecast(folder: str, source_port: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run Debian's Icecast as a relay of ``/stream.mp3`` at ``source_port``; yields once it has the stream."""
    port = free_port()
    root = os.geteuid() == 0
    owner = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>" if root else ""
    os.chmod(folder, 0o777)
    config = Path(folder) / "icecast.xml"
    config.write_text(CONFIG.format(port=port, source=source_port, folder=folder, owner=owner))
    process = subprocess.Popen(
        ["icecast2", "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
    )
    try:
        _wait_for_sound(port)
        yield process, port
    finally:
        process.terminate()
        process.wait(ENDS_S)


def _wait_for_sound(port: int) -> None:
    late = time.monotonic() + 30.0
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/stream.mp3", timeout=5) as reply:
                if reply.read(1000):
                    return
        except (OSError, urllib.error.URLError):
            if time.monotonic() > late:
                raise
        time.sleep(0.25)
