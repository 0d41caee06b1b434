"""Makes odd sound and image files and gives each to every command that reads such files: what does each command say?

Prints the tables of docs/measured/odd-files.md and ends with 1 if commands disagree, or one shows a traceback. With a
folder as its argument it tries the files in there, too. Commands with a model get none: they read the sound first.
"""

from __future__ import annotations

import argparse
import io
import os
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir
from pathlib import Path

RATE = 22050
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tiff")


def sounds() -> dict[str, bytes]:
    """Sound files by name; one second each, unless the name says otherwise."""
    import numpy as np
    import soundfile

    from lullwave import Audio
    from lullwave.codecs import Mp3Encoder, encode

    wave = (0.3 * np.sin(2 * np.pi * 330 * np.arange(RATE) / RATE)).astype(np.float32)
    tone = Audio.of(wave, RATE)

    def made(samples: np.ndarray, form: str = "WAV", subtype: str = "PCM_16") -> bytes:
        out = io.BytesIO()
        soundfile.write(out, samples, RATE, subtype, format=form)
        return out.getvalue()

    def sized(data: bytes, total: int, sound: int | None = None) -> bytes:
        changed = bytearray(data)
        changed[4:8] = struct.pack("<I", total)
        if sound is not None:
            at = data.index(b"data") + 4
            changed[at : at + 4] = struct.pack("<I", sound)
        return bytes(changed)

    wav, mp3, flac, ogg = (encode(tone, name) for name in ("wav", "mp3", "flac", "ogg"))
    encoder = Mp3Encoder(RATE, 1, 64)
    bare = encoder.encode(tone) + encoder.flush()
    rf64, w64, aiff, au, caf = (made(wave, form) for form in ("RF64", "W64", "AIFF", "AU", "CAF"))
    hole = wave.copy()
    hole[RATE // 2] = np.nan
    half = slice(0, -RATE)
    return {
        "whole.wav": wav,
        "joined-two.mp3": mp3 + mp3,
        "joined-two.wav": wav + wav,
        "joined-two.aiff": aiff + aiff,
        "joined-two.au": au + au,
        "joined-wav-flac.wav": wav + flac,
        "joined-wav-mp3.wav": wav + mp3,
        "joined-mp3-wav.mp3": mp3 + wav,
        "joined-ogg-mp3.ogg": ogg + mp3,
        "joined-flac-mp3.flac": flac + mp3,
        "joined-wav-six-channels.wav": wav + made(np.stack([wave] * 6, 1)),
        "joined-first-cut.wav": wav[half] + wav,
        "sizes-of-0.wav": sized(wav, 0, 0),
        "sizes-unknown.wav": sized(wav, 0xFFFFFFFF, 0xFFFFFFFF),
        "sizes-unknown-joined.wav": sized(wav, 0xFFFFFFFF, 0xFFFFFFFF) + mp3,
        "tags-after.mp3": mp3 + b"TAG" + bytes(125),
        "zeros-after.wav": wav + bytes(4000),
        "junk-before.mp3": b"HTTP/1.0 200 OK\r\n\r\n" + mp3,
        "junk-after.wav": wav + b"no sound " * 50,
        "hot-by-18-dB.wav": made(wave * 8, "WAV", "FLOAT"),
        "six-channels.wav": made(np.stack([wave] * 6, 1)),
        "stream-recorded.mp3": bare[:-50],
        "cut.wav": wav[half],
        "cut-riff-of-0.wav": sized(wav, 0)[half],
        "cut-riff-unknown.wav": sized(wav, 0xFFFFFFFF)[half],
        "cut-rf64.wav": rf64[half],
        "cut.w64": w64[half],
        "cut.aiff": aiff[half],
        "cut.au": au[half],
        "cut.caf": caf[half],
        "cut.flac": flac[: len(flac) // 2],
        "cut.mp3": mp3[: len(mp3) // 2],
        "cut.ogg": ogg[: len(ogg) // 2],
        "cut-in-the-header.wav": wav[:40],
        "hole-in-the-midst.mp3": mp3[: len(mp3) // 2] + bytes(1000) + mp3[len(mp3) // 2 + 1000 :],
        "not-a-number.wav": made(hole, "WAV", "FLOAT"),
        "no-samples.wav": made(wave[:0]),
        "empty.wav": b"",
        "words.wav": b"not a song but words\n" * 400,
        "nested.json": b"[" * 20000,
        "picture.mp3": png(8, 8, bytes(72)),
    }


def images() -> dict[str, bytes]:
    """Image files by name."""
    import numpy as np
    from PIL import Image

    from lullwave.audio import Audio
    from lullwave.codecs import encode

    out = io.BytesIO()
    Image.effect_noise((64, 64), 30).save(out, "PNG")
    noise = np.random.default_rng(0).bytes(64 * 65)
    return {
        "whole.png": out.getvalue(),
        "cut.png": png(64, 64, noise)[:-2000],
        "states-2-billion-columns.png": png(2**31 - 1, 512),
        "states-60000-rows.png": png(4, 60_000),
        "bomb-of-1-GB.png": png(40_000, 8192, bytes(8192 * (4 * 40_000 + 1)), colour=6),
        "bomb-of-800-MB.png": png(48_000, 8192, bytes(8192 * (2 * 48_000 + 1)), bits=16),
        "sound.png": encode(Audio.silence(RATE, RATE), "mp3"),
        "empty.png": b"",
    }


def png(width: int, height: int, data: bytes = b"", bits: int = 8, colour: int = 0) -> bytes:
    """A PNG that states a size, whatever its data are."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


MODEL = "no-model"  # a folder that is absent
HEARING: dict[str, Callable[[str], list[str]]] = {
    "audio-to-image": lambda name: ["audio-to-image", "-i", "out.png", "-a", name],
    "sample-clips": lambda name: ["sample-clips", "-o", "out", "-d", "900", "--mono", "-a", name],
    "generate --melody": lambda name: ["generate", "piano", "--engine", "musicgen", "--model", MODEL, "--melody", name],
    "riff transform": lambda name: ["riff", "transform", name, "piano", "-o", "y.wav", "--checkpoint", MODEL],
    "riff stems": lambda name: ["riff", "stems", name, "stems", "--force"],
}
BATCHES = {
    "audio-to-images-batch": ["audio-to-images-batch", "-a", "sounds", "-o", "pictures"],
    "sample-clips-batch": ["sample-clips-batch", "-a", "sounds", "-o", "clips", "-d", "900", "--mono"],
}
SEEING: dict[str, Callable[[str], list[str]]] = {
    "image-to-audio": lambda name: ["image-to-audio", "-a", "out.wav", "-i", name],
    "print-exif": lambda name: ["print-exif", "-i", name],
}


def tried(files: Mapping[str, bytes], commands: Mapping[str, Callable[[str], list[str]]]) -> list[tuple[str, ...]]:
    """For each file its name and, command by command, what was said."""
    for name, data in files.items():
        Path(name).write_bytes(data)
    return [(name, *(said(arguments(name), name) for arguments in commands.values())) for name in files]


def batched(files: Mapping[str, bytes]) -> Iterator[dict[str, str]]:
    """What each batch says of each file; batches choose files by suffixes, so others get one."""
    from typer.testing import CliRunner

    from lullwave.cli.app import app
    from lullwave.cli.parallel import SOUNDS

    Path("sounds").mkdir()
    suffixes = {name: Path(name).suffix if Path(name).suffix in SOUNDS else ".wav" for name in files}
    places = {name: f"sounds/{name.replace('.', '-')}{suffix}" for name, suffix in suffixes.items()}  # one stem each
    for name, place in places.items():
        Path(place).write_bytes(files[name])
    for arguments in BATCHES.values():
        lines = [line.strip() for line in CliRunner().invoke(app, arguments).output.splitlines()]
        if not any(line.endswith("files done") for line in lines):
            raise SystemExit(f"{arguments[0]}: {lines}")
        told = {name: next((line for line in lines if line.startswith(f"{at}: ")), "") for name, at in places.items()}
        yield {name: plain(line.partition(": ")[2], name) if line else "read" for name, line in told.items()}


def said(arguments: list[str], name: str) -> str:
    """What a command says of a file: "read", perhaps with a warning, or the reason why not."""
    import logging

    from typer.testing import CliRunner

    from lullwave.cli.app import app

    told = io.StringIO()
    watch = logging.StreamHandler(told)
    watch.setLevel(logging.WARNING)
    logging.getLogger("lullwave").addHandler(watch)
    try:
        done = CliRunner().invoke(app, arguments)
    finally:
        logging.getLogger("lullwave").removeHandler(watch)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return f"TRACEBACK {done.exception!r}"
    if done.exit_code and MODEL not in done.output and "lullwave[stems]" not in done.output:
        reason = next(
            line for line in reversed(done.output.splitlines()) if name.partition(".")[0] in line or ": " in line
        )
        return plain(reason, name)
    return "; ".join(["read", *(plain(line, name) for line in dict.fromkeys(told.getvalue().splitlines()))])


def plain(line: str, name: str) -> str:
    """A message without the command's name and the file's."""
    stem = name.rpartition(".")[0]
    for prefix in ("lullwave: ", "cannot decode ", "cannot read "):
        line = line.removeprefix(prefix)
    head, colon, rest = line.partition(": ")
    return (rest if colon and stem in head else line).strip()


def table(title: str, commands: Mapping[str, object], rows: list[tuple[str, ...]]) -> bool:
    """Print a table, one column if all commands agree about a file; returns whether they do everywhere."""
    agreed = True
    print(f"\n{title}: {', '.join(f'`{name}`' for name in commands)}.\n\n| file | what they say |\n|---|---|")
    for name, *answers in rows:
        longest = max(answers, key=len)  # batches tell no warnings
        if all(answer in (longest, longest.partition("; ")[0]) for answer in answers):
            answers = [longest]
        if len(answers) == 1:
            print(f"| `{name}` | {answers[0]} |")
        else:
            agreed = False
            print(f"| `{name}` | " + "; ".join(f"{c}: {a}" for c, a in zip(commands, answers, strict=True)) + " |")
    return agreed and not any("TRACEBACK" in answer for row in rows for answer in row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="more files to try")
    more = parser.parse_args().folder
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    heard, seen = sounds(), images()
    if more is not None:
        for path in sorted(file for file in more.iterdir() if file.is_file()):
            (seen if path.suffix.lower() in IMAGE_SUFFIXES else heard)[path.name] = path.read_bytes()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        rows, batches = tried(heard, HEARING), [*batched(heard)]
        rows = [(*row, *(answers[row[0]] for answers in batches)) for row in rows]
        good = table("Sound", {**HEARING, **BATCHES}, rows)
        good &= table("Images", SEEING, tried(seen, SEEING))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
