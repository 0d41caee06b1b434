"""A station of Stable Audio 3 through ``lullwave serve`` for ten minutes: ``station.py`` tells what is measured.

``python -m bench.neural.stable_audio_station --checkpoint DIR [--minutes 10]``; without a checkpoint a full-size one of
random weights is made.
"""

from __future__ import annotations

from pathlib import Path

from .station import measure_station


def main() -> None:
    """Run the station and print the table."""
    measure_station("stable-audio-station", _random, "--engine", "stable-audio")


def _random(directory: Path) -> Path:
    from .stable_audio import _make

    return _make(directory)


if __name__ == "__main__":
    main()
