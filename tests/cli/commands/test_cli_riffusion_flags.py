"""Riffusion's six commands take the flags that they had: argh named them by first letters where these were unique."""

import pytest
from PIL import Image
from typer.testing import CliRunner

from lullwave.cli.app import app
from lullwave.cli.lazy import LazyCommand
from lullwave.codecs import decode
from lullwave.errors import InvalidInput, MissingExtra

# Name, short name and a value of each, from the help of riffusion/cli.py with argh 0.26.2 and 0.31.3.
SCALE = "--step-size-ms 5, --min-frequency 20, --max-frequency 9000"
FOLDERS = "--audio-dir -a in, --output-dir -o out, --limit -l -1"
CUTS = "--duration-ms -d 512, --mono -m, --extension -e mp3, --seed -s -1"
FLAGS = {
    "audio-to-image": f"--audio -a a.wav, --image -i a.png, {SCALE}, --num-frequencies -n 256,"
    "--padded-duration-ms 300, --window-duration-ms -w 50, --power-for-image 0.5, --stereo, --device -d cuda",
    "image-to-audio": "--image -i a.png, --audio -a a.wav, --device -d cuda",
    "sample-clips": f"--audio -a a.wav, --output-dir -o out, --num-clips -n 2, {CUTS}",
    "print-exif": "--image -i a.png",
    "audio-to-images-batch": f"{FOLDERS}, {SCALE}, --image-extension -i png, --num-frequencies 256,"
    "--power-for-image -p 0.5, --mono, --sample-rate 22050, --device -d cuda, --num-threads 2",
    "sample-clips-batch": f"{FOLDERS}, {CUTS}, --num-clips-per-file 2, --num-threads 2, --glob -g *.wav",
}


def parsed(command, arguments):
    return LazyCommand(command).make_context(command, list(arguments)).params


@pytest.mark.parametrize("command", FLAGS)
def test_short_and_long_flags_mean_the_same(command):
    long, short, attached = [], [], []
    for flag in FLAGS[command].split(","):
        name, *rest = flag.split()
        letter = rest.pop(0) if rest and rest[0][:2] != "-1" and rest[0].startswith("-") else name
        long += [name, *rest]
        short += [letter, *rest]
        attached += [letter + rest[0]] if rest and letter != name else [letter, *rest]
    expected = parsed(command, long)
    assert parsed(command, short) == parsed(command, attached) == expected
    defaults = parsed(command, long[: 2 if command == "print-exif" else 4])
    assert sum(expected[name] != defaults[name] for name in expected) >= len(FLAGS[command].split(",")) - 4


def test_the_values_arrive():
    words = ["-a", "in", "-o", "out", "-p", "0.5", "--mono", "--sample-rate", "22050", "-l", "-1", "-d", "cuda"]
    given = parsed("audio-to-images-batch", words)
    wanted = {"power": 0.5, "stereo": False, "sample_rate": 22050, "limit": -1, "device": "cuda"}
    assert {name: given[name] for name in wanted} == wanted


@pytest.mark.parametrize("reason", [InvalidInput("device", "cuda", "auto, cpu"), MissingExtra("it", "ai", "torch")])
def test_a_device_that_is_not_here_is_told_and_not_needed(tmp_path, monkeypatch, caplog, reason):
    """Riffusion's commands had ``--device cuda`` as their default, and took it on every machine."""

    def absent(name):
        raise reason

    monkeypatch.setattr("lullwave.spectrogram.torch_backend.import_torch", lambda feature: None)
    monkeypatch.setattr("lullwave.spectrogram.torch_backend.choose_device", absent)
    Image.new("RGB", (20, 512), "white").save(tmp_path / "in.png")
    out = tmp_path / "out.wav"
    done = CliRunner().invoke(app, ["image-to-audio", "-i", str(tmp_path / "in.png"), "-a", str(out), "-d", "cuda"])
    assert done.exit_code == 0, done.output
    assert decode(out).frames == 19 * 441
    assert "without a device" in caplog.text
