"""Files that settings come from: the TOML file and files with a token.

Editors on Windows begin UTF-8 files with a byte order mark; it is skipped.
"""

from __future__ import annotations

import logging
import tomllib
from pathlib import Path
from typing import Any

from ..errors import SettingsError
from ..paths import settings_files

log = logging.getLogger(__name__)


def find_settings_file(named: Path | None) -> Path | None:
    """The file to read: ``named``, else the first of ``paths.settings_files`` that exists.

    Raises:
        SettingsError: ``named`` is not a file, or in a directory that this user may not search.
    """
    try:
        if named is not None and not named.is_file():
            raise SettingsError("config", str(named), "a TOML file that exists")
    except OSError as error:
        raise SettingsError("config", str(named), f"a file that this user may read ({error.strerror})") from None
    return named or next((path for path in settings_files() if _is_there(path)), None)


def read_settings_file(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        SettingsError: it cannot be read, or is not TOML in UTF-8.
    """
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"))
    except OSError as error:
        raise SettingsError("config", str(path), f"a file that this user may read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise SettingsError("config", str(path), "TOML in UTF-8; save the file in that encoding") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError("config", str(path), f"valid TOML ({error})") from None


def first_line(file: Path) -> str:
    """The first line of a file, stripped; empty if the file cannot be read."""
    try:
        return file.read_text("utf-8-sig").split("\n")[0].strip()
    except (OSError, ValueError):
        return ""


def _is_there(path: Path) -> bool:
    """Tell whether a file exists. One in a directory that this user may not search is left out, with a warning."""
    try:
        return path.is_file()
    except OSError as error:
        log.warning("settings file %s is left out: %s", path, error.strerror)
        return False
