"""Small JSON files that are replaced as a whole, so that a reader never sees half of one. Knows no content."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


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
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    os.replace(beside, path)
