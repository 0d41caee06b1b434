"""A lease in an object store: at most one process holds it, and each new holder gets a higher fencing epoch.

The object holds the owner, the epoch and a count of renewals. A lease that has not changed for ``ttl_s`` has expired:
every process measures that by its own clock, from the moment at which it saw the last change. So the machines need no
common time of day. Assumption: their clocks run equally fast.

A process that was stopped and continued may believe for a moment that it still holds the lease. Therefore all that it
writes carries the epoch, and the object that makes it count is written conditionally: see ``docs/how/store.md``.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, replace

from ..clock import FOREVER, Clock
from ..errors import LullwaveError, StorageUnavailable
from ..storage.objects import ObjectStore, StoredObject

TTL_S = 6.0  # a holder that renewed three times in vain is dead; a station's buffer lasts four times as long
RENEW_EVERY_S = TTL_S / 3
CLAIM_S = 1.0  # a store that takes longer for a write kept the holder from renewing, too


class LeaseLost(LullwaveError):
    """Another process has the lease."""


@dataclass(frozen=True)
class LeaseRecord:
    """The content of the object."""

    owner: str  # of the holder: unique for each `Lease`; empty: it was released
    epoch: int  # grows with each new holder
    renewals: int = 0  # of this holder, so that the content changes each time
    claims: int = 0  # by others, once it had expired

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, data: bytes) -> LeaseRecord:
        """Parse what ``encode`` made.

        Raises:
            StorageUnavailable: it is damaged.
        """
        try:
            found = json.loads(data)
            return cls(str(found["owner"]), int(found["epoch"]), int(found["renewals"]), int(found.get("claims", 0)))
        except (ValueError, KeyError, TypeError):
            raise StorageUnavailable(f"a damaged lease: {data[:80]!r}") from None


class Lease:
    """One process's claim to the lease at ``key``. One thread.

    Call ``acquire`` every second or so until it returns an epoch, then ``renew`` every ``RENEW_EVERY_S``.

    ``name`` belongs to a process that something starts again when it has ended. Such a process need not wait until the
    lease of the one before expires: it takes it at once, the first time that it gets it.
    """

    def __init__(self, store: ObjectStore, key: str, clock: Clock, ttl_s: float = TTL_S, name: str = "") -> None:
        self.owner = name + "-" * bool(name) + secrets.token_hex(8)
        self._predecessors = name + "-" if name else None  # how their owners begin; None once the lease was got
        self._store, self._key, self._clock, self._ttl_s = store, key, clock, ttl_s
        self._held: LeaseRecord | None = None  # as last written
        self._version = ""  # of `_held` in the store
        self._valid_until = -FOREVER
        self._seen: LeaseRecord | None = None  # another's, when it last changed
        self._seen_at = -FOREVER

    @property
    def epoch(self) -> int | None:
        """The epoch while the lease is held for certain; None before, after, and when a renewal is overdue."""
        return self._held.epoch if self._held is not None and self._clock.now() < self._valid_until else None

    def doubt(self) -> None:
        """Wait for another ``ttl_s``: the store did not answer, so the holder may not have been able to renew it."""
        self._seen = None

    def look(self) -> None:
        """Read the lease without an attempt to get it: a later ``acquire`` knows since when it has not changed.

        Raises:
            StorageUnavailable
        """
        began = self._clock.now()
        found = self._store.get(self._key)
        if found is not None:
            self._note(LeaseRecord.decode(found.data), began)

    def acquire(self, above: int = 0) -> int | None:
        """Try once to get the lease; returns the epoch, which exceeds ``above``, or None if another one has it.

        Raises:
            StorageUnavailable: the store does not answer; the next call finds out whether the lease was got.
        """
        began = self._clock.now()
        found = self._store.get(self._key)
        if found is None:
            return self._put(LeaseRecord(self.owner, above + 1), None, began)
        record = LeaseRecord.decode(found.data)
        self._note(record, began)
        if record.owner == self.owner and record.epoch > above:  # an earlier attempt whose answer was lost
            return self._put(replace(record, renewals=record.renewals + 1), found.version, began)
        succeeds = self._predecessors is not None and record.owner.startswith(self._predecessors)
        if record.owner and not succeeds and self._clock.now() < self._seen_at + self._ttl_s:
            return None
        version = self._claim(record, found.version) if record.owner else found.version
        if version is None:
            return None
        return self._put(LeaseRecord(self.owner, max(record.epoch, above) + 1), version, began)

    def _claim(self, record: LeaseRecord, version: str) -> str | None:
        """Change an expired lease that stays its holder's; returns its version, or None if it may not be taken.

        A store that has stalled lets somebody write first: the holder, which then renews, or this process, which would
        take the lease from a holder that is well. So a write that took long is the beginning of another wait.
        """
        began = self._clock.now()
        written = self._store.put_if_matches(self._key, replace(record, claims=record.claims + 1).encode(), version)
        if self._clock.now() - began > CLAIM_S:
            self.doubt()
            return None
        return written

    def renew(self) -> None:
        """Hold the lease for another ``ttl_s``.

        Also succeeds after it has expired, as long as no other process has taken it.

        Raises:
            LeaseLost: another process has taken it, or it was not held.
            StorageUnavailable: the store does not answer; try again until ``epoch`` is None.
        """
        if self._held is None:
            raise LeaseLost(f"{self._key}: the lease is not held")
        began = self._clock.now()
        record = replace(self._held, renewals=self._held.renewals + 1)
        if self._put(record, self._version, began) is not None:
            return
        found = self._own()  # an earlier renewal may have succeeded although its answer was lost
        if found is not None:
            record = replace(record, renewals=LeaseRecord.decode(found.data).renewals + 1)
            if self._put(record, found.version, began) is not None:
                return
        self._lose()
        raise LeaseLost(f"{self._key}: another process has taken the lease")

    def release(self) -> None:
        """Let another process take the lease at once. No effect if it is not held.

        Raises:
            StorageUnavailable: the store does not answer; the lease expires.
        """
        held, version = self._held, self._version
        self._lose()
        if held is not None:
            self._store.put_if_matches(self._key, replace(held, owner="").encode(), version)

    def _note(self, record: LeaseRecord, began: float) -> None:
        """Remember what was read by a call that began at ``began``."""
        if self._clock.now() - began > self._ttl_s / 2:
            self.doubt()
        if record != self._seen:
            self._seen, self._seen_at = record, self._clock.now()

    def _put(self, record: LeaseRecord, version: str | None, began: float) -> int | None:
        """Write ``record`` in place of ``version``; its epoch, or None if another process was faster."""
        data = record.encode()
        if version is None:
            written = self._store.put_if_absent(self._key, data)
        else:
            written = self._store.put_if_matches(self._key, data, version)
        if written is None:  # a client that retried may have lost against its own first attempt
            found = self._store.get(self._key)
            if found is None or found.data != data:
                return None
            written = found.version
        self._held, self._version, self._valid_until = record, written, began + self._ttl_s
        self._predecessors = None  # a process that was only thought dead must not take the lease back and forth
        return record.epoch

    def _own(self) -> StoredObject | None:
        """The lease in the store, if it is this one and of the same epoch."""
        found = self._store.get(self._key)
        if found is None or self._held is None:
            return None
        record = LeaseRecord.decode(found.data)
        return found if (record.owner, record.epoch) == (self.owner, self._held.epoch) else None

    def _lose(self) -> None:
        self._held, self._version, self._valid_until = None, "", -FOREVER
