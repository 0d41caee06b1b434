"""One large file over HTTP, taken up again where it stopped; knows nothing of models.

What has come lies beside the target, under its name with ``.incomplete``; the target appears when it is whole.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from .errors import LullwaveError

_PIECE = 1 << 20
_TRIES = 4  # in a row that bring nothing
_TIMEOUT_S = 30.0


class DownloadFailed(LullwaveError):
    """The file did not come whole."""


def fetch(
    url: str,
    target: Path,
    size: int,
    sha256: str | None = None,
    headers: Mapping[str, str] | None = None,
    arrived: Callable[[int], None] = lambda count: None,
) -> None:
    """Bring ``url`` to ``target``. ``arrived`` is told how many bytes of it are there.

    ``headers`` are not passed on to where the server redirects to: they may hold a token.

    Raises:
        DownloadFailed: refused, broken off, or not what it should be. What has come is kept.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".incomplete")
    idle = 0
    while (have := part.stat().st_size if part.is_file() else 0) < size or not part.is_file():
        arrived(have)
        try:
            _bring(url, part, have, headers or {}, arrived)
        except urllib.error.HTTPError as error:
            if error.code == 416:  # more than there is: what lies here is of something else
                part.unlink(missing_ok=True)
            elif error.code < 500 and error.code != 429:
                raise DownloadFailed(f"{url}: the server says {error.code} {error.reason}") from None
            reason: Exception = error
        except (OSError, http.client.HTTPException) as error:
            reason = error
        else:
            reason = OSError("the line broke")
        now = part.stat().st_size if part.is_file() else 0
        idle = 0 if now > have else idle + 1
        if now < size and idle >= _TRIES:
            raise DownloadFailed(f"{url}: {now} of {size} bytes came, then: {reason}")
        if size == 0:
            break
    if part.stat().st_size != size or (sha256 is not None and _sha256(part) != sha256):
        part.unlink()
        raise DownloadFailed(f"{url}: what came is not what the server announced; it was thrown away")
    part.replace(target)


def _bring(url: str, part: Path, have: int, headers: Mapping[str, str], arrived: Callable[[int], None]) -> None:
    request = urllib.request.Request(url)
    for name, value in headers.items():
        request.add_unredirected_header(name, value)
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
        if response.status != 206:
            have = 0
        with part.open("ab" if have else "wb") as file:
            while piece := response.read1(_PIECE):
                file.write(piece)
                have += len(piece)
                arrived(have)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
