"""A heartbeat: an object in a store that is changed while something holds, such as that somebody listens.

However many processes renew it, it is changed about every ``RENEW_S``: each renews it only where no other one has. Each
reader measures its age by its own clock, from the last change that it saw, so the times of day do not matter.
"""

from __future__ import annotations

import json

from ..clock import FOREVER, Clock
from ..errors import StorageUnavailable
from ..storage.objects import ObjectStore, StoredObject

RENEW_S = 4.0
LAPSE_S = 3 * RENEW_S  # without a change for this long, it has stopped


class Heartbeat:
    """The object at ``key``. One thread, which either calls ``renew`` or only ``look``s."""

    def __init__(self, store: ObjectStore, key: str, clock: Clock) -> None:
        self._store, self._key, self._clock = store, key, clock
        self._seen: bytes | None = None  # its last content
        self._looked = False
        self._changed_at = -FOREVER

    @property
    def idle_s(self) -> float:
        """For how long it has not changed, as far as was seen; endless if no change was seen."""
        return self._clock.now() - self._changed_at

    def look(self) -> None:
        """Read it.

        Raises:
            StorageUnavailable
        """
        self._read()

    def keep(self) -> None:
        """Take it as just changed."""
        self._changed_at = self._clock.now()

    def renew(self) -> None:
        """Change it, unless another process has within ``RENEW_S``.

        Raises:
            StorageUnavailable
        """
        found = self._read()
        if self.idle_s < RENEW_S:
            return
        data = json.dumps({"renewals": _renewals(found) + 1}).encode()
        if found is None:
            self._store.put_if_absent(self._key, data)
        else:
            self._store.put_if_matches(self._key, data, found.version)  # where that fails, another one has changed it
        self._seen = data
        self.keep()

    def _read(self) -> StoredObject | None:
        found = self._store.get(self._key)
        data = None if found is None else found.data
        if self._looked and data != self._seen:
            self.keep()
        self._looked, self._seen = True, data
        return found


def _renewals(found: StoredObject | None) -> int:
    if found is None:
        return 0
    try:
        return int(json.loads(found.data)["renewals"])
    except (ValueError, KeyError, TypeError):
        raise StorageUnavailable(f"a damaged object: {found.data[:80]!r}") from None
