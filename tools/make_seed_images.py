"""Draws Lullwave's seed images and masks: ``python tools/make_seed_images.py [FOLDER]``.

Each seed image is two bars of the embedded engine, eight beats in 512 columns of 10 ms (93.75 beats a minute): a loop
whose end leads into its start, in the picture as in the sound. The tempo and the beats stand in its tags. The same
versions draw the same images.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyloudnorm
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import lullwave
from lullwave.audio import Audio
from lullwave.engines.riffusion.seed_images import PACKAGED
from lullwave.engines.riffusion.spectrogram_converter import HOP, RATE, SpectrogramConverter

BEATS = 8
COLUMNS = 512
FRAMES = COLUMNS * HOP
TEMPO_BPM = 60 * BEATS / (FRAMES / RATE)
BLEND_S = 0.25  # the end of the loop is led into what comes before its start
LEVEL_DB = -17.0  # root mean square: leaves the loudest pixel just short of black


@dataclass(frozen=True)
class Seed:
    """What one seed image is made of."""

    prompt: str
    seed: int


SEEDS = {
    "og_beat": Seed("steady lo-fi hip hop beat, drums, upright bass, soft keys", 11),
    "agile": Seed("lively jazzy lo-fi, brushes, electric piano, busy bass", 23),
    "marim": Seed("marimba and kalimba, earthy, organic, light percussion", 31),
    "motorway": Seed("futuristic synthwave, warm analogue synths, steady drums, night drive", 47),
    "vibes": Seed("vibraphone, mellow, soft drums, warm bass", 59),
}


def loop_of(seed: Seed) -> Audio:
    """``FRAMES`` frames: of a minute of music, the two bars whose last second is nearest in loudness to their first."""
    with lullwave.load_engine("synth") as engine:
        request = lullwave.Request(
            seed.prompt, seed.seed, options={"tempo_bpm": round(TEMPO_BPM, 2), "crackle": False, "ambience": "none"}
        )
        with engine.stream(request) as stream:
            piece = stream.read(60 * stream.rate)
            beats = stream.beats(0, piece.frames)
    starts = range(16, len(beats) - BEATS, 4)
    loops = [closed(piece, beats[n], beats[n + BEATS]) for n in starts]
    return min(loops, key=level_change_lu)


def closed(piece: Audio, first: int, last: int) -> Audio:
    """Frames ``first`` to ``last`` as a loop whose end leads into its start."""
    blend = round(BLEND_S * piece.rate)
    loop = piece.samples[first:last].copy()
    fade = np.sqrt((np.arange(blend, dtype=np.float32) + 0.5) / blend)[:, None]
    loop[-blend:] = loop[-blend:] * fade[::-1] + piece.samples[first - blend : first] * fade
    around = np.concatenate([loop] * 3)  # so that resampling has no edge either
    # a hair faster or slower, so that the beats fall on columns
    even = Audio(around, round(piece.rate * len(loop) / FRAMES)).resample(RATE)
    start = round(even.frames / 3)
    mono = even[start : start + FRAMES].to_channels(1)
    return mono.gain(LEVEL_DB - mono.rms_dbfs)


def level_change_lu(loop: Audio) -> float:
    """How much the loudness changes where the loop begins again, over a second on either side (BS.1770)."""
    meter = pyloudnorm.Meter(RATE, block_size=0.4)
    before, after = loop.samples[loop.frames - RATE :, 0], loop.samples[:RATE, 0]
    return float(abs(meter.integrated_loudness(before) - meter.integrated_loudness(after)))


def image_of(loop: Audio, sound: SpectrogramConverter) -> Image.Image:
    """512 columns, as if the loop had always been going on."""
    around = Audio(np.concatenate([loop.samples] * 3), loop.rate)
    return sound.image(around).crop((COLUMNS, 0, 2 * COLUMNS, 512)).convert("L")


def masks() -> dict[str, npt.NDArray[np.uint8]]:
    """(512, 512) each: white is repainted, grey is repainted in part."""
    rows = np.arange(512)[:, None] * np.ones((1, 512))
    columns = np.arange(512)[None, :] * np.ones((512, 1))

    def third(grey: float) -> npt.NDArray[np.float64]:
        return np.where(rows < 512 / 3, grey, 255)

    beat = columns % (512 / BEATS) < 10  # the 0.1 s in which a beat begins
    return {
        "mask_top_third_75": third(192),
        "mask_top_third_95": third(242),
        "mask_gradient_top_70": 165 + (255 - 165) * rows / 511,
        "mask_gradient_top_fifth_75": np.minimum(255, 192 + (255 - 192) * rows / (511 / 5)),
        "mask_gradient_dark": 32 + (255 - 32) * rows / 511,
        "mask_beat_lines_80": np.where(beat, 203, 255),
    }


def main() -> None:
    """Write every image into the folder."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGED
    folder.mkdir(parents=True, exist_ok=True)
    sound = SpectrogramConverter()
    for name, seed in SEEDS.items():
        tags = PngInfo()
        tags.add_text("tempo_bpm", f"{TEMPO_BPM:g}")
        tags.add_text("beats", str(BEATS))
        image_of(loop_of(seed), sound).save(folder / f"{name}.png", pnginfo=tags, optimize=True)
    for name, values in masks().items():
        Image.fromarray(np.rint(values).astype(np.uint8)).save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
