"""Downloads one large file over HTTP and resumes where an earlier attempt stopped.

The part that has arrived is kept beside the target as ``.incomplete`` and renamed when it is complete and checked.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import LullwaveError

_READ_BYTES = 1 << 20  # bytes per read
_TRIES = 4  # attempts in a row without a new byte before giving up
_TIMEOUT_S = 30.0  # seconds without a byte before an attempt counts as failed


class DownloadFailed(LullwaveError):
    """The file did not arrive complete; ``status`` is that of the server's refusal, if it refused."""

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


def fetch(
    url: str,
    target: Path,
    size: int,
    sha256: str | None = None,
    headers: Mapping[str, str] | None = None,
    arrived: Callable[[int], None] = lambda count: None,
) -> None:
    """Download ``url`` to ``target`` and call ``arrived`` with the number of bytes so far.

    ``headers`` may hold a token, so they are not sent to the target of a redirect.

    Raises:
        DownloadFailed: refused or interrupted (the part is kept), or another size or hash (the part is deleted).
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".incomplete")
    idle = 0
    while (have := part.stat().st_size if part.is_file() else 0) < size or not part.is_file():
        arrived(have)
        try:
            _read(url, part, have, headers or {}, arrived)
        except urllib.error.HTTPError as error:
            if error.code == 416:  # the part is longer than the file: it belongs to another version
                part.unlink(missing_ok=True)
            elif error.code < 500 and error.code != 429:
                raise DownloadFailed(f"{url}: the server answered {error.code} {error.reason}", error.code) from None
            reason: Exception = error
        except (OSError, http.client.HTTPException) as error:
            reason = error
        else:
            reason = OSError("the connection ended early")
        now = part.stat().st_size if part.is_file() else 0
        idle = 0 if now > have else idle + 1
        if now < size and idle >= _TRIES:
            raise DownloadFailed(f"{url}: stopped after {now} of {size} bytes: {reason}")
        if size == 0:
            break
    if part.stat().st_size != size or (sha256 is not None and _sha256(part) != sha256):
        part.unlink()
        raise DownloadFailed(f"{url}: size or SHA-256 differ from those on the hub; the file was deleted")
    part.replace(target)


def _read(url: str, part: Path, have: int, headers: Mapping[str, str], arrived: Callable[[int], None]) -> None:
    request = urllib.request.Request(url)
    for name, value in headers.items():
        request.add_unredirected_header(name, value)
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
        if response.status != 206:
            have = 0
        with part.open("ab" if have else "wb") as file:
            while chunk := response.read1(_READ_BYTES):
                file.write(chunk)
                have += len(chunk)
                arrived(have)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
