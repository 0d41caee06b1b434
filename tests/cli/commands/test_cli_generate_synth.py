"""What ``lullwave generate`` tells and writes of the embedded engine's music: title, understanding, stems."""

import os
import re
import subprocess
import sys

import numpy as np

from lullwave.codecs import decode
from lullwave.engines.synth.engine import SynthEngine
from lullwave.request import Request

PROMPT, SEED, SECONDS = "jazz trumpet and loud rhodes in Eb minor, bagpipes, 77 bpm", 5, 12.0


def test_title_understanding_and_stems_that_do_not_clip(tmp_path):
    arguments = ["generate", PROMPT, "-o", "a.wav", "-s", str(SECONDS), "--seed", str(SEED), "--stems", "stems"]
    ran = subprocess.run(
        [sys.executable, "-m", "lullwave", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    assert re.search(r"^Title: \w", ran.stderr, re.MULTILINE)
    told = next(line for line in ran.stderr.splitlines() if line.startswith("Understood: "))
    for words in ("jazz", "Rhodes", "trumpet", "77 bpm", "in Eb minor", "no bagpipe here: accordion instead"):
        assert words in told
    stems = [decode(path).samples.astype(np.float64) for path in sorted((tmp_path / "stems").iterdir())]
    assert max(np.abs(one).max() for one in stems) < 0.91
    title = re.search(r"^Title: (.*)", ran.stderr, re.MULTILINE)[1]
    bass = (tmp_path / "stems" / "bass.wav").read_bytes()
    assert f"{title} (bass)\0".encode() in bass
    assert b'{"generated": true, "prompt": "jazz trumpet' in bass
    found = re.search(r"all ([\d.]+) dB softer", ran.stderr)
    gain = 10 ** (-float(found[1]) / 20) if found else 1.0

    engine = SynthEngine()
    with engine.stream(Request(PROMPT, SEED, SECONDS)) as stream:
        mix = stream.read(len(stems[0])).samples
    error = np.abs(sum(stems) / gain - mix).max()
    # half a step of 16 bits for each stem, and the gain is told to 0.01 dB
    assert error < len(stems) / 65536 / gain + 0.0006 * np.abs(mix).max() + 2e-5


def test_a_run_that_fails_leaves_nothing_behind(tmp_path):
    """A loop has no stems, which the engine tells when it is asked for them."""
    arguments = ["generate", "piano", "-o", "a.wav", "-s", "3", "--midi", "a.mid", "--stems", "stems", "--loop"]
    ran = subprocess.run(
        [sys.executable, "-m", "lullwave", *arguments], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert ran.returncode == 2
    assert "stems are not wrapped at the seam" in ran.stderr
    assert os.listdir(tmp_path) == []
