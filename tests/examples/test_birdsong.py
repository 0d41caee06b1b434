"""The example engine: small, installed as a third party would be, and everything that an engine must be."""

import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import lullwave
from lullwave.errors import InvalidInput, SnapshotError, StreamClosed

HOME = Path(__file__).parents[2] / "examples" / "lullwave-birdsong"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The package as its pyproject says, on the path, without pip and without a network."""
    project = tomllib.loads((HOME / "pyproject.toml").read_text())["project"]
    info = tmp_path / f"lullwave_birdsong-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    for group, points in project["entry-points"].items():
        lines = [f"{name} = {value}" for name, value in points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
    (tmp_path / "lullwave_birdsong.py").write_text((HOME / "lullwave_birdsong.py").read_text())
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("lullwave_birdsong", None)


@pytest.fixture
def engine(installed):
    return lullwave.load_engine("birdsong")


def test_it_is_under_80_lines_of_python():
    assert sum(len(path.read_text().splitlines()) for path in HOME.rglob("*.py")) < 80


def test_it_is_found_by_its_entry_point(installed):
    assert "birdsong" in lullwave.engine_names()


def test_steering_is_heard_and_forks_and_snapshots_go_on_alike(engine):
    stream = engine.stream(lullwave.Request("lively", seed=4, options={"birds": 8}))
    stream.read(40_000)
    steered = stream.fork()
    assert "calm" in steered.steer("calm").text
    restored = engine.restore(steered.snapshot())
    lively, calm, again = (s.read(320_000).samples for s in (stream, steered, restored))
    assert np.array_equal(calm, again)
    assert np.mean(calm**2) < 0.8 * np.mean(lively**2)


def test_wrong_input_is_refused(engine):
    with pytest.raises(InvalidInput, match="1 to 12"):
        engine.stream(lullwave.Request(options={"birds": 99}))
    with pytest.raises(InvalidInput, match="unknown option 'cats'; options: birds"):
        engine.stream(lullwave.Request(options={"cats": 1}))
    with pytest.raises(SnapshotError):
        engine.restore(b"junk")
    stream = engine.stream(lullwave.Request())
    stream.close()
    stream.close()
    with pytest.raises(StreamClosed):
        stream.read(10)
