"""The command line: one thin file per command; the only place that prints."""

from __future__ import annotations


def main() -> None:
    """Entry point of ``lullwave``."""
    from .app import run

    run()
