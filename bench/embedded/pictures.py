"""Draws spectrograms: ``python -m bench.embedded.pictures`` of eight prompts, or of the music files that it is given.

Time to the right, pitch upwards on a logarithmic axis, loudness as colour over 75 dB. WebP files of less than 100 kB.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from bench.embedded import sound_renders
from lullwave.audio import Samples
from lullwave.codecs import decode

PICTURED = {  # name of the file: prompt, each with seed 1
    "dusty-hip-hop": "laundromat at 2am, dusty hip hop",
    "rhodes-loop": "rhodes chords and head-nod drums, 84 bpm",
    "synths-and-808": "arcade after closing time, synths and 808",
    "techno": "techno",
    "string-quartet": "string quartet at dusk, no percussion",
    "choir": "cathedral choir pad, very slow, without drums",
    "classical-guitar": "solo classical guitar by candlelight, no drums",
    "only-rain": "only rain",
}
SECONDS = 30.0  # of each prompt
WIDTH, HEIGHT, EDGE = 960, 280, 40  # pixels of the picture, and of the margin for labels
LOW_HZ, HIGH_HZ = 40.0, 12000.0
RANGE_DB = 75.0
WINDOW = 8192
QUALITY = 60  # of WebP, 0 to 100
_COLOURS = ((6, 6, 18), (46, 17, 84), (120, 28, 109), (188, 55, 84), (237, 105, 37), (251, 180, 60), (252, 250, 200))


def picture(samples: Samples, rate: int) -> Image.Image:
    """The spectrogram of (T, C) samples, both channels together."""
    centres = np.linspace(0, len(samples) - 1, WIDTH)
    padded = np.pad(samples.mean(axis=1), WINDOW // 2)
    window = np.hanning(WINDOW)
    columns = [np.abs(np.fft.rfft(padded[int(at) : int(at) + WINDOW] * window)) for at in centres]
    amplitude = np.stack(columns, axis=1)
    rows_hz = np.geomspace(HIGH_HZ, LOW_HZ, HEIGHT)
    places = rows_hz * WINDOW / rate
    low = places.astype(int)
    part = (places - low)[:, None]
    values = 20 * np.log10(amplitude[low] * (1 - part) + amplitude[low + 1] * part + 1e-9)
    shade = np.clip((values - values.max()) / RANGE_DB + 1, 0, 1)
    stops = np.linspace(0, 1, len(_COLOURS))
    colours = np.stack([np.interp(shade, stops, [c[i] for c in _COLOURS]) for i in range(3)], axis=-1)
    whole = Image.new("RGB", (WIDTH + EDGE, HEIGHT + EDGE // 2), (6, 6, 18))
    whole.paste(Image.fromarray(colours.astype(np.uint8)), (EDGE, 0))
    draw = ImageDraw.Draw(whole)
    for hz, name in ((50, "50"), (100, "100"), (200, "200"), (500, "500"), (1000, "1 k"), (2000, "2 k"), (5000, "5 k")):
        y = HEIGHT * np.log(HIGH_HZ / hz) / np.log(HIGH_HZ / LOW_HZ)
        draw.text((6, y - 6), name, fill=(190, 190, 200))
        draw.line((EDGE - 4, y, EDGE, y), fill=(190, 190, 200))
    for second in range(0, int(len(samples) / rate) + 1, 10):
        draw.text((EDGE + second * rate / len(samples) * WIDTH, HEIGHT + 4), f"{second} s", fill=(190, 190, 200))
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="music files (none: the eight prompts)")
    parser.add_argument("--out", type=Path, default=Path("docs/measured"))
    arguments = parser.parse_args()
    if arguments.files:
        sounds = ((path.stem, (audio := decode(path)).samples, audio.rate) for path in arguments.files)
    else:
        sounds = ((name, *sound_renders.clip(prompt, 1, SECONDS)) for name, prompt in PICTURED.items())
    for name, samples, rate in sounds:
        target = arguments.out / f"music-{name}.webp"
        picture(samples, rate).save(target, quality=QUALITY, method=6)
        print(f"{target}: {target.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
