"""Every directory and file that the program touches by itself; knows nothing of what is written there."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import InvalidInput

SETTINGS_FILE = "lullwave.toml"
DATA_DIR_VARIABLE = "LULLWAVE_DATA_DIR"


def default_data_dir() -> Path:
    """Where clips, history and models lie: ``LULLWAVE_DATA_DIR``, else by the XDG rules or the platform's own.

    Raises:
        InvalidInput: neither a variable nor the system names a home directory.
    """
    if named := os.environ.get(DATA_DIR_VARIABLE):
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(_home() / "AppData" / "Local"))) / "Lullwave"
    if sys.platform == "darwin":
        return _home() / "Library" / "Application Support" / "Lullwave"
    return Path(os.environ.get("XDG_DATA_HOME") or _home() / ".local" / "share") / "lullwave"


def settings_files() -> list[Path]:
    """Where a settings file is looked for, best first: the current directory, then the user's own."""
    here = Path(SETTINGS_FILE)
    try:
        config = Path(os.environ.get("XDG_CONFIG_HOME") or _home() / ".config")
    except InvalidInput:  # a service without a home has no file there either
        return [here]
    return [here, config / "lullwave" / SETTINGS_FILE]


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise InvalidInput("HOME", None, "a home directory; or name the data directory: LULLWAVE_DATA_DIR") from None


def web_dir() -> Path:
    """The page's files, inside the package."""
    return Path(__file__).parent / "web"


@dataclass(frozen=True)
class DataPaths:
    """The layout of the data directory."""

    root: Path

    def clips(self, station: str) -> Path:
        """The folder of a station's one-minute clips."""
        return self.root / "clips" / station

    @property
    def history(self) -> Path:
        """The SQLite file of what was played."""
        return self.root / "history.sqlite3"

    def memory(self, engine: str) -> Path:
        """What an engine remembers of the music that it played, so that a restart does not repeat it."""
        return self.root / f"memory-{engine.replace(':', '-')}.json"

    @property
    def seed_images(self) -> Path:
        """The user's own seed images and masks for Riffusion."""
        return self.root / "seed-images"
