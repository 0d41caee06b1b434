"""Downloads models for the owner while the server runs: one at a time, with progress. Knows nothing of HTTP.

Each download has a thread of its own, so that it takes no place from clips. What has arrived is kept: a download that
failed or was cancelled goes on from there when it is asked for again.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .. import checkpoints
from ..clock import Clock
from ..errors import Busy, Cancelled, LullwaveError

SURE_S = 2.0  # seconds of download after which the time that is left can be guessed
RETRY_S = 60.0  # when a client may ask again while another model is downloaded

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pull:
    """How far a download is. Both numbers of bytes are 0 while the hub is asked what there is."""

    name: str  # on the hub
    state: Literal["pulling", "done", "failed", "cancelled"]
    done_bytes: int = 0
    total_bytes: int = 0
    left_s: float | None = None  # guessed
    error: str | None = None

    def data(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)


class ModelPulls:
    """The download that runs, or the last one. Event loop only; the thread of a download replaces ``latest``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stop = threading.Event()
        self.latest: Pull | None = None

    def start(self, name: str) -> Pull:
        """Begin to download a model from the hub.

        Raises:
            Busy: another one is downloaded now.
        """
        if self.latest is not None and self.latest.state == "pulling":
            if self.latest.name == name:
                return self.latest
            raise Busy(f"{self.latest.name} is downloaded now; one model at a time", RETRY_S)
        self._stop = threading.Event()
        self.latest = begun = Pull(name, "pulling")
        threading.Thread(target=self._run, args=(name, self._stop), name="pull", daemon=True).start()
        return begun

    def cancel(self) -> None:
        """Stop the download that runs, if any, at its next piece."""
        self._stop.set()

    def _run(self, name: str, stop: threading.Event) -> None:
        first: tuple[float, int] | None = None
        now = Pull(name, "pulling")

        def report(file: str, done: int, total: int) -> None:
            nonlocal first, now
            if stop.is_set():
                raise Cancelled("the download was cancelled")
            moment = self._clock.now()
            first = first or (moment, done)
            seconds, arrived = moment - first[0], done - first[1]
            left_s = (total - done) * seconds / arrived if seconds >= SURE_S and arrived > 0 else None
            self.latest = now = Pull(name, "pulling", done, total, None if left_s is None else round(left_s, 1))

        try:
            checkpoints.pull(name, report)
            end = Pull(name, "done", now.total_bytes, now.total_bytes)
        except Cancelled:
            end = Pull(name, "cancelled", now.done_bytes, now.total_bytes)
        except LullwaveError as error:
            end = Pull(name, "failed", now.done_bytes, now.total_bytes, error=str(error))
        except Exception:
            log.exception("downloading %s failed", name)
            words = "internal error; the server's log has the details"
            end = Pull(name, "failed", now.done_bytes, now.total_bytes, error=words)
        self.latest = end
