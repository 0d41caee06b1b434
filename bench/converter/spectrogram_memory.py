"""Measures the peak memory of the command line that converts an hour of sound to an image and back.

Each command is a separate process with its own peak. The test sound is written in blocks, too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SECONDS = 3600
RATE = 44100


def rows() -> list[dict[str, Any]]:
    """A row for each command, mono and stereo, 8 and 16 bit."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for channels in (1, 2):
            sound = folder / "hour.flac"
            write_hour(sound, channels)
            for bits in (8, 16):
                image, back = folder / "hour.png", folder / "back.flac"
                there = ["audio-to-image", "-a", str(sound), "-i", str(image), "--bits", str(bits)]
                again = ["image-to-audio", "-i", str(image), "-a", str(back)]
                for arguments in (there + (["--stereo"] if channels == 2 else []), again):
                    peak_mb = peak_of([sys.executable, "-m", "lullwave", *arguments])
                    kind = {"command": arguments[0], "channels": channels, "bits": bits}
                    found.append(kind | {"hours": SECONDS / 3600, "peak MB": peak_mb})
                    print(found[-1], flush=True)
    return found


def write_hour(path: Path, channels: int) -> None:
    """Write plucked notes over noise, a minute at a time, with different notes left and right."""
    import numpy as np
    import soundfile

    rng = np.random.default_rng(1)
    t = np.arange(60 * RATE) / RATE
    envelope = 0.2 * np.exp(-4.0 * (t % 0.5))
    with soundfile.SoundFile(path, "w", RATE, channels, "PCM_16", format="FLAC") as file:
        for minute in range(SECONDS // 60):
            sides = [envelope * np.sin(2 * np.pi * (110 + minute + 7 * side) * t) for side in range(channels)]
            noise = 0.01 * rng.standard_normal((len(t), channels))
            file.write((np.stack(sides, axis=1) + noise).astype(np.float32))


def peak_of(command: list[str]) -> float:
    """The peak resident set of a command in MB; the command must succeed."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
