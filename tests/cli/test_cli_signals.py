"""SIGTERM, SIGHUP and Ctrl-C end every command that writes, and leave no part files."""

import os
import signal
import subprocess
import sys

import pytest

from lullwave import Audio
from lullwave.codecs.tags import Tags
from lullwave.storage.atomic_files import delete_unfinished, replacing

ENDINGS = [signal.SIGTERM, signal.SIGHUP]


def test_what_a_second_signal_left_is_deleted_at_the_end(tmp_path):
    with replacing(tmp_path / "a.wav") as file:
        file.write(b"half")
        (part,) = tmp_path.iterdir()
        delete_unfinished()
        assert not part.exists()
        part.touch()  # for the block's own end
    delete_unfinished()
    assert (tmp_path / "a.wav").exists()


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_signal_ends_a_clip_with_nothing_half_written(environment, tmp_path, ending):
    command = [sys.executable, "-m", "lullwave", "generate", "-o", "a.wav", "-s", "3600", "--engine", "birdsong"]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE) as running:
        while not any(name.endswith(".part") for name in os.listdir(tmp_path)):
            assert running.poll() is None
        running.send_signal(ending)
        running.send_signal(ending)  # the second one interrupts the cleaning up
        said = running.communicate(timeout=20)[1]
    assert running.returncode == -ending
    assert b"Traceback" not in said
    assert os.listdir(tmp_path) == []


BATCH = """
import pathlib, time
from rich.console import Console
from lullwave.cli.app import raise_on_signals
from lullwave.cli.exit_codes import translated
from lullwave.cli.parallel import run
from lullwave.storage.atomic_files import replacing

def write_for_ever(path):
    with replacing(path) as file:
        while True:
            file.write(b"music")
            time.sleep(0.01)

if __name__ == "__main__":
    raise_on_signals()
    with translated():
        run(write_for_ever, [pathlib.Path("out") / str(n) for n in range(4)], 2, Console(quiet=True))
"""


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_batch_and_its_workers(environment, tmp_path, ending):
    (tmp_path / "out").mkdir()
    (tmp_path / "batch.py").write_text(BATCH)
    with subprocess.Popen([sys.executable, "batch.py"], env=environment, cwd=tmp_path) as running:
        while len(os.listdir(tmp_path / "out")) < 2:
            assert running.poll() is None
        running.send_signal(ending)
        assert running.wait(20) == (-ending if ending == signal.SIGTERM else 130)
    assert os.listdir(tmp_path / "out") == []  # and two of the four were never begun


def test_a_clip_and_its_image_appear_together_or_not_at_all(tmp_path):
    class Interrupted:
        def save(self, file, format, **metadata):
            file.write(b"\x89PNG half")
            raise KeyboardInterrupt

    pytest.importorskip("torch")
    from lullwave.cli.commands import riff
    from lullwave.engines.riffusion.tasks import Clip

    with pytest.raises(KeyboardInterrupt):
        riff._write(Clip(Audio.silence(44100, 44100, 1), Interrupted()), Tags(), tmp_path / "a.wav", True, True)
    assert os.listdir(tmp_path) == []
