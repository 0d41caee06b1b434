"""The command line: one thin file per command; the only place that prints."""

from __future__ import annotations


def main() -> None:
    """Entry point of ``lullwave``."""
    try:
        from .app import run

        run()
    except KeyboardInterrupt:  # before or after any command
        raise SystemExit(130) from None
