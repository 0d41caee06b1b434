"""Odd files through the commands that read sound or images: one sentence with the true reason, nothing written."""

import os
import struct
import threading
import zlib

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from lullwave import Audio
from lullwave.cli.app import app
from lullwave.codecs import encode

RATE = 22050
TONE = Audio.of(0.3 * np.sin(2 * np.pi * 330 * np.arange(RATE) / RATE), RATE)


def wav(samples, subtype="FLOAT"):
    import io

    out = io.BytesIO()
    soundfile.write(out, samples, RATE, format="WAV", subtype=subtype)
    return out.getvalue()


def png(width, height, data=b""):
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


MP3, HOLE = encode(TONE, "mp3"), np.array([0.1, np.nan, 0.1] * 9000, np.float32)
SOUNDS = {
    "cut.wav": (wav(TONE.samples)[:-20000], "cut off after 0."),
    "cut.mp3": (MP3[: len(MP3) // 2], "cut off after 0."),
    "hole.wav": (wav(HOLE), "not numbers (NaN or infinity)"),
    "empty.wav": (b"", "there are no bytes"),
    "silent.wav": (wav(TONE.samples[:0]), "there is no sound in it"),
    "notes.json": (b"[" * 20000, "there is no sound in it"),
    "words.wav": (b"not a song but words\n" * 400, "no sound in a known format"),
    "picture.mp3": (png(8, 8, bytes(72)), "there is no sound in it"),
}
IMAGES = {
    "huge.png": (png(2**31 - 1, 512), "at most 400000000 pixels"),
    "tall.png": (png(4, 60_000), "8192 rows"),
    "cut.png": (png(64, 64, np.random.default_rng(0).bytes(64 * 65))[:-2000], "damaged or cut off"),
    "tone.png": (MP3, "it is not an image"),
    "empty.png": (b"", "it is not an image"),
}
READERS = {
    "audio-to-image": ["-i", "out.png", "-a"],
    "sample-clips": ["-o", "out", "-d", "100", "-a"],
}
LOOKERS = {"image-to-audio": ["-a", "out.wav", "-i"], "print-exif": ["-i"]}
CASES = [(command, flags, name) for command, flags in READERS.items() for name in SOUNDS]
CASES += [(command, flags, name) for command, flags in LOOKERS.items() for name in IMAGES]


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize(("command", "flags", "name"), CASES, ids=lambda value: value if isinstance(value, str) else "")
def test_an_odd_file_is_refused_with_the_true_reason(tmp_path, monkeypatch, command, flags, name):
    monkeypatch.chdir(tmp_path)
    data, reason = (SOUNDS | IMAGES)[name]
    (tmp_path / name).write_bytes(data)
    done = run(command, *flags, name)
    assert done.exit_code in (1, 2)
    said = done.stderr.strip()
    assert said.startswith("lullwave: ")
    assert "\n" not in said
    assert reason in said
    assert "unexpected" not in said
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "data", "frames"),
    [
        ("joined.mp3", MP3 + MP3, 2 * RATE),
        ("junk.mp3", bytes(300) + MP3, RATE),
        ("hot.wav", wav(TONE.samples * 8), RATE),
        ("streamed.wav", wav(TONE.samples, "PCM_16").replace(struct.pack("<I", 2 * RATE), bytes(4), 1), RATE),
    ],
)
def test_what_can_be_heard_whole_is_read_whole_by_every_command(tmp_path, monkeypatch, name, data, frames):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(data)
    made = run("audio-to-image", "-a", name, "-i", "out.png", "--step-size-ms", "20")
    assert f"({frames // 441 + 1} columns)" in made.output
    cut = run("sample-clips", "-a", name, "-o", "out", "-d", 1000 * frames // RATE)  # as long as the whole
    assert cut.exit_code == 0, cut.output


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("command", READERS)
def test_sound_comes_through_a_pipe(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    writing = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(MP3), daemon=True)
    writing.start()
    done = run(command, *READERS[command], "pipe")
    writing.join(10)
    assert done.exit_code == 0, done.output
    assert len([path for path in tmp_path.iterdir() if path.name.startswith("out")]) == 1


@pytest.mark.parametrize("data", [b"[" * 20000, b'{"entries": ' + b"[" * 20000], ids=["list", "object"])
def test_a_batch_nested_too_deeply_is_refused(tmp_path, data):
    (tmp_path / "deep.json").write_bytes(data)
    done = run("riff", "batch", tmp_path / "deep.json", tmp_path / "out")
    assert (done.exit_code, "a JSON object" in done.stderr) == (2, True)
    assert "unexpected" not in done.stderr
