"""Compares spectrogram inversion with the original Riffusion's converter: speed, fidelity, repeatability.

``LSD`` has a floor of -80 dB and is judged by the bars; ``deep LSD`` has a floor of -100 dB, at which the old converter
has its published 5.4 dB. Recorded clips and images of the model are read from the folder LULLWAVE_BENCH_DATA, if it is
set; renders of the embedded engine are always used. Prints a line for each bar and exits with 1 if one is missed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..measure import alternate, median, pin, report, wait_until_quiet
from . import spectrogram_bars, spectrogram_device, spectrogram_memory

SAMPLES = 511 * 441  # samples of 512 columns
DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "riffusion"
RENDERS = ("rainy night piano", "warm synthwave with drums", "gentle guitar lo-fi")
MODES = ("fast", "good", "best")


def main() -> None:
    """Measure, and print tables and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--audio", nargs="*", default=[], help="further recorded clips")
    parser.add_argument("--part", choices=("all", "speed", "quality", "memory", "device"), default="all")
    given = parser.parse_args()
    if given.part == "memory":
        peaks = spectrogram_memory.rows()
        report("spectrogram-memory", peaks)
        spectrogram_bars.judge(spectrogram_bars.of_memory(peaks))
        return
    if given.part == "device":
        report("spectrogram-device", [spectrogram_device.row(given.repeats)])
        return
    pin(2)
    import numpy as np
    import torch

    from .old_converter import OldConverter

    torch.set_num_threads(2)
    old = OldConverter()
    clips, images = recorded([Path(name) for name in given.audio]), model_images()
    renders = own_renders()
    speed = speeds(old, next(iter((clips or renders).values())), given.repeats) if given.part != "quality" else []
    if given.part == "speed":
        report("spectrogram", speed)
        spectrogram_bars.judge(spectrogram_bars.of_speed(speed))
        return
    rows: list[dict[str, Any]] = []
    for kind, sounds in (("recorded", clips), ("render", renders)):
        for name, sound in sounds.items():
            rows += judge_sound(old, kind, name, sound)
    for name, pixels in images.items():
        rows += judge_image(old, name, pixels)
    rows += means(rows)
    digests = {repeatable(np.asarray(sound), mode) for sound in renders.values() for mode in ("fast", "best")}
    report("spectrogram", [*speed, *rows], bitwise_repeatable=digests == {True})
    same = spectrogram_bars.least("the same bytes twice", float(digests == {True}), 1.0)
    spectrogram_bars.judge([*spectrogram_bars.of_speed(speed), *spectrogram_bars.of_quality(rows), same])


def speeds(old: Any, sound: Any, repeats: int) -> list[dict[str, Any]]:
    """Seconds for one clip and the ratio to the old converter; with and without numba."""
    import numpy as np

    from lullwave.audio import Audio
    from lullwave.spectrogram import Spectrogram, SpectrogramParams, analysis, inversion

    params = SpectrogramParams()
    audio = Audio(np.ascontiguousarray(sound[:, None]), 44100)
    made = Spectrogram.from_audio(audio, params)
    scaled = sound * np.float32(32768)
    wanted = old.analyse(scaled)
    with_numba, without = inversion.kernels, lambda: None

    def job(quality: str, loops: Callable[[], Any]) -> Callable[[], object]:
        def run() -> None:
            inversion.kernels = loops
            made.to_audio(quality)

        return run

    jobs: dict[str, Callable[[], object]] = {"old": lambda: old.synthesise(wanted)}
    if with_numba() is not None:
        jobs |= {mode: job(mode, with_numba) for mode in MODES}
    jobs["fast, no numba"] = job("fast", without)
    wait_until_quiet()
    seconds = {name: median(times) for name, times in alternate(jobs, repeats).items()}
    inversion.kernels = with_numba
    forward = {"old forward": lambda: old.analyse(scaled), "forward": lambda: analysis.mel_of(audio.samples, params)}
    seconds |= {name: median(times) for name, times in alternate(forward, 3 * repeats).items()}
    clip_s = len(sound) / 44100
    return [
        {
            "set": "speed",
            "mode": name,
            "ms": 1000 * value,
            "times real time": clip_s / value,
            "times old": seconds["old forward" if "forward" in name else "old"] / value,
        }
        for name, value in seconds.items()
    ]


def judge_sound(old: Any, kind: str, name: str, sound: Any) -> list[dict[str, Any]]:
    """A row for each converter: the sound converted to mel amplitudes and back."""
    import numpy as np

    from lullwave.audio import Audio
    from lullwave.spectrogram import Spectrogram, SpectrogramParams

    from . import spectral_metrics as m

    scaled = sound * np.float32(32768)
    wanted = m.mel(scaled)
    pixels = m.grey(wanted, wanted.max())
    spectrogram = Spectrogram.from_audio(Audio(sound[:, None], 44100), SpectrogramParams())
    forward = float(np.linalg.norm(spectrogram.mel[0] - wanted) / np.linalg.norm(wanted))
    made = {"old": old.synthesise(wanted.astype(np.float32))}
    made |= {mode: spectrogram.to_audio(mode).samples[:, 0] * 32768 for mode in MODES}
    rows = []
    for mode, result in made.items():
        padded = np.pad(result, (0, len(sound) - len(result)))
        amplitudes = m.mel(padded)
        rows.append(
            {
                "set": kind,
                "clip": name,
                "mode": mode,
                "SC": m.convergence(amplitudes, wanted),
                "image": m.image_error(amplitudes, pixels, wanted.max()),
                "LSD dB": m.log_spectral_distance(padded, scaled),
                "deep LSD dB": m.log_spectral_distance(padded, scaled, m.DEEP_FLOOR),
                "onset": m.onset_correlation(padded, scaled),
                "forward error": forward if mode != "old" else "",
            }
        )
    return rows


def judge_image(old: Any, name: str, image: Any) -> list[dict[str, Any]]:
    """The same for an image; onsets are those of its 512 bands, since there is no original sound."""
    import numpy as np

    from lullwave.spectrogram import Spectrogram, SpectrogramParams

    from . import spectral_metrics as m

    pixels = np.asarray(image.convert("RGB"))[::-1, :, 0].astype(np.float64)
    peak = 30e6
    wanted = ((255 - pixels) / 255) ** 4 * peak
    spectrogram = Spectrogram.from_image(image, SpectrogramParams(max_value=peak))
    made = {"old": old.synthesise(wanted.astype(np.float32))}
    made |= {mode: spectrogram.to_audio(mode).samples[:, 0] for mode in MODES}
    rows = []
    for mode, result in made.items():
        amplitudes = m.mel(result)
        rows.append(
            {
                "set": "image",
                "clip": name,
                "mode": mode,
                "SC": m.convergence(amplitudes, wanted),
                "image": m.image_error(amplitudes, pixels, peak),
                "onset": m.correlation_of_rises(amplitudes, wanted),
            }
        )
    return rows


def means(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The means for each set and converter."""
    found = []
    for kind in dict.fromkeys(row["set"] for row in rows):
        for mode in ("old", *MODES):
            of = [row for row in rows if row["set"] == kind and row["mode"] == mode]
            columns = [c for c in ("SC", "image", "LSD dB", "deep LSD dB", "onset") if c in of[0]]
            found.append(
                {"set": kind, "clip": "mean", "mode": mode} | {c: sum(r[c] for r in of) / len(of) for c in columns}
            )
    return found


def repeatable(sound: Any, quality: str) -> bool:
    """Tell whether two inversions give the same bytes."""
    from lullwave.audio import Audio
    from lullwave.spectrogram import Spectrogram

    spectrogram = Spectrogram.from_audio(Audio(sound[:, None], 44100))
    digests = {hashlib.sha256(spectrogram.to_audio(quality).samples.tobytes()).hexdigest() for _ in range(2)}
    return len(digests) == 1


def recorded(further: list[Path]) -> dict[str, Any]:
    """Recorded mono clips at 44.1 kHz, of up to 512 columns."""
    folder = Path(os.environ.get("LULLWAVE_BENCH_DATA", DATA))
    paths = [*sorted(folder.glob("*.wav")), *sorted(folder.glob("*.mp3")), *further]
    return {path.stem: _clip(path) for path in paths}


def _clip(path: Path) -> Any:
    import numpy as np

    from lullwave.codecs import decode

    audio = decode(path).to_channels(1).resample(44100)
    return np.ascontiguousarray(audio.samples[: min(SAMPLES, audio.frames // 441 * 441), 0])


def model_images() -> dict[str, Any]:
    """Images of 512 x 512 that the published model or its authors made."""
    from PIL import Image

    folder = Path(os.environ.get("LULLWAVE_BENCH_DATA", DATA))
    return {path.stem: Image.open(path) for path in sorted(folder.glob("*.png")) if not path.stem.startswith("mask")}


def own_renders() -> dict[str, Any]:
    """Five seconds of the embedded engine for each prompt, from the middle of the music."""
    import numpy as np

    import lullwave

    found = {}
    engine = lullwave.load_engine("synth")
    for prompt in RENDERS:
        blocks, frames = [], 0
        with engine.stream(lullwave.Request(prompt=prompt, seed=7)) as stream:
            for block in stream:
                blocks.append(block.to_channels(1).samples[:, 0])
                frames += block.frames
                if frames >= 20 * block.rate:
                    break
        sound = lullwave.Audio.of(np.concatenate(blocks), block.rate).resample(44100).samples[:, 0]
        found[prompt] = np.ascontiguousarray(sound[10 * 44100 : 10 * 44100 + SAMPLES])
    return found


if __name__ == "__main__":
    main()
