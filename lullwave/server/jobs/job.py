"""One job: what is to be made for whom, how far it is, and what came of it. Knows nothing of HTTP or of tasks."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from ...clock import Clock
from ...errors import Cancelled, LullwaveError

State = Literal["waiting", "working", "done", "failed", "cancelled"]
Kind = Literal["audio", "image", "midi", "json"]

SURE_SHARE = 0.02  # of the work, from which on the time that is left can be guessed
INTERRUPTED = "the server was stopped before it was finished; try again"


@dataclass(frozen=True)
class Result:
    """A file of a finished job. ``seconds`` and ``lufs`` (integrated loudness) are those of sounds."""

    name: str
    kind: Kind
    bytes: int
    seconds: float | None = None
    lufs: float | None = None


@dataclass
class Fault:
    """Why a job failed, and the field that was wrong, if any."""

    message: str
    field: str | None = None


@dataclass
class Job:
    """One job. Event loop only, except for ``report`` and ``check``, which the working thread calls."""

    task: str
    values: dict[str, Any]  # every field, with the seed that was drawn
    visitor: str  # hash of the key
    created: float  # wall time
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    state: State = "waiting"
    ended: float | None = None  # wall time
    took_s: float | None = None
    results: list[Result] = field(default_factory=list)
    fault: Fault | None = None
    pinned: bool = False
    owner: bool = False  # whether the owner of the server made it
    python: str = ""  # a program that makes the same
    facts: dict[str, Any] = field(default_factory=dict)  # what the task found out about its results

    def __post_init__(self) -> None:
        self.share = 0.0
        self._stop = threading.Event()
        self._begun: float | None = None  # clock time
        self._first: tuple[float, float] | None = None  # clock time and share of the first report

    @property
    def active(self) -> bool:
        """Tell whether it waits or is being made."""
        return self.state in ("waiting", "working")

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(result.bytes for result in self.results)

    def begin(self, clock: Clock) -> None:
        """Note that the work begins."""
        self.state, self.share, self._first = "working", 0.0, None
        self._begun = clock.now()

    def restart(self) -> None:
        """Make it as if it was just created."""
        self.state, self.share, self.ended, self.took_s, self.fault = "waiting", 0.0, None, None, None
        self.results, self.facts = [], {}
        self._begun = self._first = None
        self._stop = threading.Event()

    def end(self, state: State, clock: Clock, error: LullwaveError | None = None) -> None:
        """Note how the work ended."""
        self.state, self.ended = state, clock.wall()
        if self._begun is not None:
            self.took_s = round(clock.now() - self._begun, 3)
        if error is not None:
            self.fault = Fault(str(error), getattr(error, "field", None))

    def stop(self) -> None:
        """Ask the working thread to stop at its next report."""
        self._stop.set()

    def check(self) -> None:
        """Return if the work may go on.

        Raises:
            Cancelled
        """
        if self._stop.is_set():
            raise Cancelled("the job was cancelled")

    def report(self, share: float, clock: Clock) -> None:
        """Note how much of the work is done, from 0 to 1.

        Raises:
            Cancelled: it is to stop.
        """
        self.check()
        self.share = min(1.0, max(self.share, share))
        if self._first is None and share > 0:
            self._first = (clock.now(), share)

    def left_s(self, clock: Clock) -> float | None:
        """Seconds of work that are left, guessed from the pace since the first report; None while that is no guess."""
        first = self._first
        if self.state != "working" or first is None or self.share - first[1] < SURE_SHARE:
            return None
        pace = (self.share - first[1]) / max(clock.now() - first[0], 1e-6)
        return (1.0 - self.share) / pace

    def data(self, clock: Clock, place: int = 0) -> dict[str, Any]:
        """The job as its visitor sees it; ``place`` is its place in the queue, 1 for the next."""
        left = self.left_s(clock)
        begun = self._begun
        took = self.took_s if self.took_s is not None or begun is None else round(clock.now() - begun, 3)
        return {
            "id": self.id,
            "task": self.task,
            "fields": self.values,
            "state": self.state,
            "place": place if self.state == "waiting" else 0,
            "share": 1.0 if self.state == "done" else round(self.share, 4),
            "left_s": None if left is None else round(left, 1),
            "took_s": took,
            "created": self.created,
            "ended": self.ended,
            "error": None if self.fault is None else asdict(self.fault),
            "results": [asdict(result) for result in self.results],
            "pinned": self.pinned,
            "python": self.python,
            "facts": self.facts,
        }

    def kept(self) -> dict[str, Any]:
        """The job as its file holds it."""
        return asdict(self)

    @classmethod
    def of_kept(cls, kept: Mapping[str, Any]) -> Job:
        """The job that a file holds. One that had not ended has failed: its server was stopped.

        Raises:
            KeyError, TypeError, ValueError: it is not a job.
        """
        results = [Result(**one) for one in kept["results"]]
        fault = None if kept["fault"] is None else Fault(**kept["fault"])
        job = cls(**{**kept, "results": results, "fault": fault})
        if job.state not in get_args(State):
            raise ValueError(f"state {job.state!r}")
        if job.active:
            job.state, job.fault = "failed", Fault(INTERRUPTED)
        return job
