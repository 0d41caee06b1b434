"""``lullwave print-exif``: prints the tags under the names that Riffusion gave them."""

from __future__ import annotations

from ...spectrogram import TAGS
from ...spectrogram.image import open_image, tags_in
from ..flags import ImageFile

OLD_NAMES = {
    "rate": "SAMPLE_RATE",
    "stereo": "STEREO",
    "step_ms": "STEP_SIZE_MS",
    "window_ms": "WINDOW_DURATION_MS",
    "padded_ms": "PADDED_DURATION_MS",
    "bands": "NUM_FREQUENCIES",
    "low_hz": "MIN_FREQUENCY",
    "high_hz": "MAX_FREQUENCY",
    "power": "POWER_FOR_IMAGE",
    "max_value": "MAX_VALUE",
}


def print_exif(image: ImageFile) -> None:
    """Print the spectrogram parameters in the EXIF tags of an image."""
    tags = tags_in(open_image(image))
    found = {name: tags[tag] for name, tag in TAGS.items() if tag in tags}
    for name, value in found.items():
        print(f"{OLD_NAMES[name]:<20} = {value!s:>15}")
    if not found:
        print("no spectrogram parameters in the tags")
