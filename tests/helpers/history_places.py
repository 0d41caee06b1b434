"""Where a history can be kept, for tests: an SQLite file, or a database of a real PostgreSQL server.

One server is started for all tests of a process, on a unix socket in a folder of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

KINDS = ("file", "postgresql")
# Nothing of this outlives the tests, so nothing needs to reach the disk.
FAST = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=16MB -c listen_addresses="


def found(program: str) -> str | None:
    """The path of a program of PostgreSQL; Debian keeps them apart by version."""
    newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda path: int(path.parts[-3]))
    return str(newest[-1]) if newest else shutil.which(program)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The folder of a running server's socket. Skips the test where there is no PostgreSQL."""
    pytest.importorskip("psycopg", reason="the extra cloud is not installed")
    initdb, pg_ctl = found("initdb"), found("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("PostgreSQL is not installed (Debian's package postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="lullwave-postgres-"))
    user: dict[str, Any] = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        name = _another_user()
        user = {"user": name, "group": 65534, "extra_groups": []}
        shutil.chown(folder, name)

    def run(*command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False, **user)
        assert done.returncode == 0, done.stdout + done.stderr

    try:
        run(initdb, "-D", f"{folder}/data", "-U", "radio", "-A", "trust", "--no-sync", "--no-instructions")
        options = f"{FAST} -c unix_socket_directories={folder}"
        run(pg_ctl, "-D", f"{folder}/data", "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            yield str(folder)
        finally:
            run(pg_ctl, "-D", f"{folder}/data", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The address of a database without a history."""
    import psycopg

    url = f"postgresql://radio@/postgres?host={postgres_server}"
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("set client_min_messages to warning")
        db.execute("drop schema if exists lullwave cascade")
    return url


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a history is kept that does not exist yet."""
    return tmp_path / "h.sqlite3" if request.param == "file" else str(request.getfixturevalue("postgres_url"))


def _another_user() -> str:
    import pwd

    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    pytest.skip("PostgreSQL does not run as root, and there is no other user")
