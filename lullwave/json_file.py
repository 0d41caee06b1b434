"""Small JSON files that are replaced as a whole, so that a reader never sees half of one. Knows no content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .atomic_files import write_bytes


def read_json(path: Path) -> Any:
    """The content of a file; None if there is none.

    Raises:
        OSError: it cannot be read.
        ValueError, RecursionError: it is damaged.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None


def write_json(path: Path, content: Any) -> None:
    """Replace a file atomically; its directory is made if there is none.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, json.dumps(content).encode())
