"""The directories and files that the program uses when the user names none."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import InvalidInput

SETTINGS_FILE = "lullwave.toml"
DATA_DIR_VARIABLE = "LULLWAVE_DATA_DIR"


def default_data_dir() -> Path:
    """The directory of clips, history and models: ``LULLWAVE_DATA_DIR``, or the platform's directory for user data.

    Raises:
        InvalidInput: the variable is not set and there is no home directory.
    """
    if named := os.environ.get(DATA_DIR_VARIABLE):
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(_home() / "AppData" / "Local"))) / "Lullwave"
    if sys.platform == "darwin":
        return _home() / "Library" / "Application Support" / "Lullwave"
    return Path(os.environ.get("XDG_DATA_HOME") or _home() / ".local" / "share") / "lullwave"


def settings_files() -> list[Path]:
    """The candidates for the settings file, in order: in the current directory, then in the user's configuration."""
    here = Path(SETTINGS_FILE)
    try:
        config = Path(os.environ.get("XDG_CONFIG_HOME") or _home() / ".config")
    except InvalidInput:  # a service without a home directory
        return [here]
    return [here, config / "lullwave" / SETTINGS_FILE]


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise InvalidInput("HOME", None, "a home directory; or name the data directory: LULLWAVE_DATA_DIR") from None


def web_dir() -> Path:
    """The directory of the web page's files, inside the package."""
    return Path(__file__).parent / "web"


@dataclass(frozen=True)
class DataPaths:
    """The layout of the data directory."""

    root: Path

    def clips(self, station: str) -> Path:
        """The directory of a station's one-minute clips."""
        return self.root / "clips" / station

    @property
    def history(self) -> Path:
        """The SQLite file of the history."""
        return self.root / "history.sqlite3"

    def steered(self, station: str) -> Path:
        """The file with the prompt that a station was steered to."""
        return self.root / "steered" / f"{station}.json"

    @property
    def changes(self) -> Path:
        """The file of what the owner changed while the server ran."""
        return self.root / "changes.json"

    @property
    def relay(self) -> Path:
        """The file with the stations of the server that this one relays."""
        return self.root / "relay.json"

    def memory(self, engine: str) -> Path:
        """The file in which an engine remembers what it played, so that a restart does not repeat it."""
        return self.root / f"memory-{engine.replace(':', '-')}.json"

    @property
    def seed_images(self) -> Path:
        """The directory of the user's seed images and masks for Riffusion."""
        return self.root / "seed-images"

    @property
    def studio(self) -> Path:
        """The directory of the Studio's jobs and their results."""
        return self.root / "studio"
