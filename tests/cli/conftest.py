"""The program as a user runs it: in a process of its own, in an empty folder, with the example engine installed."""

import os
import subprocess
from pathlib import Path

import pytest
from forked_program import run_forked

ROOT = Path(__file__).parents[2]
BIRDSONG = ROOT / "examples" / "lullwave-birdsong"


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """Environment variables with which the example engine is found: light, quick, and a third party's."""
    folder = tmp_path_factory.mktemp("plugins")
    info = folder / "lullwave_birdsong-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lullwave-birdsong\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[lullwave.engines]\nbirdsong = lullwave_birdsong:Birdsong\n")
    (folder / "lullwave_birdsong.py").write_text((BIRDSONG / "lullwave_birdsong.py").read_text())
    path = os.pathsep.join([str(folder), str(ROOT)])
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "100", "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def lullwave(environment, tmp_path):
    """Runs the program in an empty folder."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
        return run_forked(arguments, environment | variables, tmp_path)

    return run
