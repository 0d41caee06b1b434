"""A station of MusicGen through ``lullwave serve`` for ten minutes: ``station.py`` tells what is measured.

``python -m bench.neural.musicgen_station --checkpoint DIR [--minutes 10]``; without a checkpoint, musicgen-small with
random weights is made.
"""

from __future__ import annotations

from pathlib import Path

from .station import measure_station


def main() -> None:
    """Run the station and print the table."""
    measure_station("musicgen-station", _random, "--engine", "musicgen")


def _random(directory: Path) -> Path:
    from lullwave.engines.musicgen.model.random_checkpoint import write_random

    return write_random("facebook/musicgen-small", directory)


if __name__ == "__main__":
    main()
