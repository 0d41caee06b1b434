"""Runs the command line in processes forked from one that has loaded its modules already.

Each run has a process, a folder and an environment of its own, as ``python -m lullwave`` has, and costs a few
hundredths of a second instead of half of one. Variables that libraries read while they are imported
(``OMP_NUM_THREADS``) have no effect here.
"""

import atexit
import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from lullwave.cli.app import COMMANDS

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        *(f"lullwave.cli.commands.{name.replace('-', '_')}" for name in COMMANDS),
        "lullwave.mastering.offline",
        "lullwave.spectrogram.long_images",
        "tests.helpers.loaded_spectrograms",  # found from the folder of the repository
    ]
)


def run_forked(arguments, environment, directory, timeout_s: float = 120.0) -> subprocess.CompletedProcess[bytes]:
    """Run ``lullwave`` with arguments and environment variables in a directory; returns its status and output.

    Raises:
        TimeoutExpired: it ran longer than ``timeout_s`` seconds; it is killed.
    """
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = CONTEXT.Process(
            target=_run, args=([*map(str, arguments)], dict(environment), str(directory), out, err)
        )
        process.start()
        process.join(timeout_s)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(["lullwave", *arguments], timeout_s)
        return subprocess.CompletedProcess(arguments, process.exitcode, out.read_bytes(), err.read_bytes())


def _run(arguments: list[str], environment: dict[str, str], directory: str, out: Path, err: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    sys.path[:0] = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.argv = ["lullwave", *arguments]
    for path, descriptor in ((out, 1), (err, 2)):
        with open(path, "wb") as file:
            os.dup2(file.fileno(), descriptor)
    from lullwave.cli import main

    try:
        main()
    finally:
        sys.stdout.flush()
        atexit._run_exitfuncs()
