"""The package as users see it: its names and its types, also those of the example."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

import lullwave

HOME = Path(__file__).parents[1]

THIRD_PARTY = """
from dataclasses import dataclass

import numpy as np

import lullwave
from lullwave import Audio, BlockStream, Engine, Request, Stream, Understanding, option


@dataclass(frozen=True)
class HumOptions:
    hz: float = option(110.0, "pitch", low=20, high=2000, unit="Hz")


class Hum(Engine):
    name = "hum"
    summary = "a hum"
    options = HumOptions
    rate = 32000
    channels = 1

    def read(self, request: Request, start: int) -> Audio:
        t = np.arange(start, start + self.rate) / self.rate
        return Audio.of(0.1 * np.sin(2 * np.pi * request.chosen(HumOptions).hz * t), self.rate)

    def understand(self, prompt: str) -> Understanding:
        return Understanding("a hum", {"words": len(prompt.split())})


class Silence(Engine):
    name = "silence"
    summary = "silence"
    rate = 8000
    channels = 2

    def open(self, request: Request, **audio_prompts: Audio) -> Stream:
        return SilentStream(request, self.rate, self.channels)


class SilentStream(BlockStream):
    def next_block(self) -> Audio:
        return Audio.silence(100, self.rate)


def use(engine: Engine) -> float:
    with engine.stream("words") as stream:
        try:
            block: Audio = (stream.read(100) + stream.read(100)).trim(0.001)
        except lullwave.StreamClosed as error:
            raise lullwave.LullwaveError(str(error)) from error
        understood: Understanding = stream.steer("other words", over_s=2)
        first: str = stream.marks(0, 1)[0].kind
        reveal_type(lullwave.load_engine("synth"))
    print(understood.text, first)
    return block.duration_s
"""


def test_every_public_name_exists_and_every_error_is_one():
    for name in lullwave.__all__:
        assert getattr(lullwave, name) is not None
    tree = ast.parse((HOME / "lullwave" / "errors.py").read_text())
    assert {node.name for node in tree.body if isinstance(node, ast.ClassDef)} <= set(lullwave.__all__)


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The wheel, built by its own build system and unpacked as an installer does; no network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    made = subprocess.run(
        [sys.executable, "-c", build, str(folder)], cwd=HOME, capture_output=True, text=True, check=True
    )
    target = folder / "site"
    ZipFile(folder / made.stdout.split()[-1]).extractall(target)
    return target


def test_a_third_party_engine_type_checks_strictly_against_the_installed_package(installed, tmp_path):
    (tmp_path / "hum.py").write_text(THIRD_PARTY)
    example = HOME / "examples" / "lullwave-birdsong" / "lullwave_birdsong.py"
    (tmp_path / example.name).write_text(example.read_text())
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "hum.py", example.name],
        cwd=tmp_path,
        env={"MYPYPATH": "", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )
    notes = re.findall(r'Revealed type is "(.*)"', run.stdout)
    assert (run.stderr, notes) == ("", ["lullwave.engines.base.Engine"]), run.stdout
    assert "error:" not in run.stdout, run.stdout
