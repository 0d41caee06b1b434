"""Draws docs/measured/spectrogram.png: spectrograms of renders beside those of their reconstructions.

Run in the root of the repository: ``python -m bench.converter.spectrogram_gallery``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from bench.converter import spectral_metrics as metrics
from bench.converter.spectrogram import own_renders
from lullwave import Audio, Spectrogram, SpectrogramParams

PICTURE = Path(__file__).parents[2] / "docs" / "measured" / "spectrogram.png"
WIDTH, HEIGHT, GAP, CAPTION = 384, 192, 12, 34
COLUMNS = ("original", "fast", "good", "best")


def main() -> None:
    """Write the image."""
    renders = own_renders()
    sheet = Image.new(
        "RGB", (GAP + len(COLUMNS) * (WIDTH + GAP), GAP + len(renders) * (HEIGHT + CAPTION + GAP)), "white"
    )
    pen = ImageDraw.Draw(sheet)
    for row, (prompt, sound) in enumerate(renders.items()):
        original = Spectrogram.from_audio(Audio.of(sound, 44100), SpectrogramParams())
        wanted = metrics.mel(sound)
        pixels = metrics.grey(wanted, wanted.max())
        for column, name in enumerate(COLUMNS):
            left, top = GAP + column * (WIDTH + GAP), GAP + row * (HEIGHT + CAPTION + GAP)
            if name == "original":
                shown, words = original, prompt
            else:
                made = original.to_audio(name)
                shown = Spectrogram.from_audio(made, original.with_max())
                amplitudes = metrics.mel(np.pad(made.samples[:, 0], (0, len(sound) - made.frames)))
                error = metrics.image_error(amplitudes, pixels, wanted.max())
                words = f"{name}: SC {metrics.convergence(amplitudes, wanted):.3f}, {error:.2f} of 255 grey levels"
            sheet.paste(shown.to_image().resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS), (left, top))
            pen.text((left, top + HEIGHT + 6), words, fill="black", font_size=14)
    sheet.convert("L").save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
