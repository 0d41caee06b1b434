"""Twenty one-minute clips of the embedded engine, judged: ``make bench-music`` (``--help`` tells its options).

Renders, masters as the radio does, writes WAV files and a report: tempo and key by public estimators, levels, clicks,
spectrum and space by their definitions, harmony read from the notes. Exits with 1 if a clip misses a bar.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.embedded import estimators
from bench.embedded.harmony import Harmony, read_harmony

PROMPTS = (
    "rainy night piano",
    "mellow lo-fi with rhodes and upright bass",
    "futuristic synthwave lo-fi",
    "gentle nylon guitar by the fire",
    "ambient ethereal pads, no drums",
    "jazzy late night café, brushes",
    "sunny city pop, 92 bpm",
    "sad slow ballad in C minor",
    "bossa nova on a summer afternoon",
    "soulful warm rhodes, 78 bpm",
    "zen garden flute",
    "folk guitar morning",
    "study beats in F major",
    "dusty boom bap, 88 bpm",
    "dreamy vibraphone lullaby",
    "muted trumpet after midnight",
    "winter walk, felt piano and strings of pads",
    "energetic synth lead, 100 bpm, E minor",
    "calm ocean waves and music box",
    "train ride at dawn in D major",
)
SECONDS = 60


@dataclass(frozen=True)
class Verdict:
    """One clip, measured. ``misses`` names every bar that it fails."""

    prompt: str
    seed: int
    title: str
    tempo_bpm: float
    tempo_librosa: float
    tempo_essentia: float
    drums: bool
    key: str
    key_librosa: str
    key_essentia: str
    lufs: float
    true_peak_dbtp: float
    clipped: int
    gap_s: float
    clicks: int
    correlation: float
    mono_loss_lu: float
    roll_off_99_hz: float
    roll_off_999_hz: float
    harmony: Harmony
    misses: tuple[str, ...]


def judge(prompt: str, seed: int, folder: Path | None) -> Verdict:
    """Render a clip twice (crackle on; off for the click test) and measure it."""
    from lullwave.codecs import write
    from lullwave.engines import load_engine
    from lullwave.mastering import master
    from lullwave.request import Request

    def render(crackle: bool) -> tuple[Any, Any]:
        with load_engine("synth") as engine:
            request = Request(prompt=prompt, seed=seed, duration_s=SECONDS, options={"crackle": crackle})
            with engine.stream(request) as stream:
                audio = stream.read(SECONDS * stream.rate)
                return master(audio), stream.marks(0, audio.frames)[0].data

    audio, piece = render(crackle=True)
    bare, _ = render(crackle=False)
    if folder is not None:
        write(folder / f"{seed:02d}-{prompt.replace(' ', '-').replace(',', '')}.wav", audio)
    samples, rate = audio.samples.astype(np.float64), audio.rate
    harmony = read_harmony(Request(prompt=prompt, seed=seed, duration_s=SECONDS))
    facts: dict[str, Any] = {
        "tempo_librosa": estimators.tempo_librosa(samples, rate),
        "tempo_essentia": estimators.tempo_essentia(samples, rate),
        "key_librosa": estimators.key_librosa(samples, rate),
        "key_essentia": estimators.key_essentia(samples, rate),
        "lufs": estimators.loudness_lufs(samples, rate),
        "true_peak_dbtp": estimators.true_peak_dbtp(samples),
        "clipped": estimators.clipped_samples(samples),
        "gap_s": estimators.longest_gap_s(samples, rate),
        "clicks": len(estimators.clicks(bare.samples, rate)),
        "correlation": estimators.stereo_correlation(samples),
        "mono_loss_lu": estimators.mono_loss_lu(samples, rate),
        "roll_off_99_hz": estimators.roll_off_hz(samples, rate, 0.99),
        "roll_off_999_hz": estimators.roll_off_hz(samples, rate, 0.999),
    }
    tempo, key = float(piece["tempo_bpm"]), str(piece["key"])
    tempo_errors = [estimators.tempo_error(facts[f"tempo_{who}"], tempo) for who in ("librosa", "essentia")]
    keys = [estimators.same_key(facts[f"key_{who}"], key) for who in ("librosa", "essentia")]
    bars = {
        "tempo (either estimator)": not harmony.drums or min(tempo_errors) <= 0.02,
        "key (either estimator)": any(keys),
        "loudness": -16.0 <= facts["lufs"] <= -14.0,
        "true peak": facts["true_peak_dbtp"] <= -1.0 + 0.05,
        "clipped": facts["clipped"] == 0,
        "gap": facts["gap_s"] <= 0.05,
        "clicks": facts["clicks"] == 0,
        "correlation": facts["correlation"] >= 0.45,
        "mono loss": facts["mono_loss_lu"] <= 1.5,
        "99 % roll-off": facts["roll_off_99_hz"] <= 8000,
        "99.9 % roll-off": facts["roll_off_999_hz"] >= 2500,
        **harmony.bars(),
    }
    misses = tuple(name for name, ok in bars.items() if not ok)
    return Verdict(
        prompt, seed, str(piece["title"]), tempo, drums=harmony.drums, key=key, harmony=harmony, misses=misses, **facts
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prompts", nargs="*", help="prompts to judge (default: the twenty of the report)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first clip; the next has the next")
    parser.add_argument("--out", type=Path, default=None, help="folder for the WAV files and report.json")
    arguments = parser.parse_args()
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
    prompts = arguments.prompts or PROMPTS
    _warm_up()
    with ProcessPoolExecutor(2) as pool:
        jobs = [pool.submit(judge, prompt, arguments.seed + i, arguments.out) for i, prompt in enumerate(prompts)]
        _print_head()
        verdicts = [_print(job.result()) for job in jobs]
    alike = [
        (a.prompt, b.prompt)
        for a, b in itertools.combinations(verdicts, 2)
        if (a.harmony.progression, a.harmony.form) == (b.harmony.progression, b.harmony.form)
    ]
    failed = [v for v in verdicts if v.misses]
    print(
        f"{len(verdicts) - len(failed)} of {len(verdicts)} clips pass every bar; alike in progression and form: {alike}"
    )
    if arguments.out:
        (arguments.out / "report.json").write_text(json.dumps([asdict(v) for v in verdicts], indent=1))
    sys.exit(1 if failed or alike else 0)


def _warm_up() -> None:
    """Let librosa compile its kernels once: two processes that fill numba's cache at the same time damage it."""
    noise = np.random.default_rng(0).normal(0, 0.1, (5 * 44100, 2))
    estimators.tempo_librosa(noise, 44100)
    estimators.key_librosa(noise, 44100)


def _print_head() -> None:
    print(
        f"{'prompt':34} {'bpm':>6} {'librosa':>7} {'essent.':>7}  {'key':10} {'librosa':10} {'essentia':10} "
        f"{'LUFS':>6} {'dBTP':>5} {'gap':>5} {'clk':>3} {'corr':>5} {'mono':>5} {'99 %':>5} {'99.9%':>5} "
        f"{'inkey':>5} {'brrw':>4} {'clsh':>4} {'chds':>4} {'s/ch':>5}  misses",
        flush=True,
    )


def _print(v: Verdict) -> Verdict:
    h = v.harmony
    print(
        f"{v.prompt[:34]:34} {v.tempo_bpm:6.1f} {v.tempo_librosa:7.1f} {v.tempo_essentia:7.1f}  {v.key:10} "
        f"{v.key_librosa:10} {v.key_essentia:10} {v.lufs:6.1f} {v.true_peak_dbtp:5.1f} {v.gap_s:5.2f} "
        f"{v.clicks:3d} {v.correlation:5.2f} {v.mono_loss_lu:5.2f} {v.roll_off_99_hz:5.0f} {v.roll_off_999_hz:5.0f} "
        f"{h.in_key:5.2f} {h.borrowed_bars:4.2f} {h.clashes:4d} {h.chords:4d} {h.seconds_a_chord:5.2f}  "
        f"{', '.join(v.misses)}",
        flush=True,
    )
    return v


if __name__ == "__main__":
    main()
