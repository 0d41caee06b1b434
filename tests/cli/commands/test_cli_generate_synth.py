"""What ``lullwave generate`` tells and writes of the embedded engine's music: title, understanding, stems."""

import os
import re

import numpy as np
from forked_program import run_forked

from lullwave.codecs import decode
from lullwave.engines.synth.engine import SynthEngine
from lullwave.request import Request

PROMPT, SEED, SECONDS = "jazz trumpet and loud rhodes in Eb minor, bagpipes, 77 bpm", 5, 12.0


def test_title_understanding_and_stems_that_do_not_clip(tmp_path):
    arguments = ["generate", PROMPT, "-o", "a.wav", "-s", str(SECONDS), "--seed", str(SEED), "--stems", "stems"]
    ran = run_forked(arguments, {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}, tmp_path)
    said = ran.stderr.decode()
    assert ran.returncode == 0, said
    assert re.search(r"^Title: \w", said, re.MULTILINE)
    told = next(line for line in said.splitlines() if line.startswith("Understood: "))
    for words in ("jazz", "Rhodes", "trumpet", "77 bpm", "in Eb minor", "no bagpipe here: accordion instead"):
        assert words in told
    stems = [decode(path).samples.astype(np.float64) for path in sorted((tmp_path / "stems").iterdir())]
    assert max(np.abs(one).max() for one in stems) < 0.91
    title = re.search(r"^Title: (.*)", said, re.MULTILINE)[1]
    bass = (tmp_path / "stems" / "bass.wav").read_bytes()
    assert f"{title} (bass)\0".encode() in bass
    assert b'{"generated": true, "prompt": "jazz trumpet' in bass
    found = re.search(r"all ([\d.]+) dB softer", said)
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
    ran = run_forked(arguments, os.environ, tmp_path)
    assert ran.returncode == 2
    assert b"stems are not wrapped at the seam" in ran.stderr
    assert os.listdir(tmp_path) == []
