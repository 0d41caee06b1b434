"""An object store with faults, for tests: writes that are refused, answers that are lost, calls that take long."""

from __future__ import annotations

from collections.abc import Callable

from lullwave.errors import StorageUnavailable
from lullwave.storage.objects import ObjectStore, StoredObject


class FaultyStore(ObjectStore):
    """Passes calls on to ``store``. Faults count down with each call that they concern; -1 is "always"."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.refuse_writes = 0  # fail before anything is written
        self.refuse_reads = 0
        self.lose_answers = 0  # fail after the write has succeeded
        self.retry_writes = 0  # write, lose the answer, and write again, as HTTP clients do
        self.before_write: Callable[[str], None] = lambda key: None  # what happens while a write is on its way

    def get(self, key: str) -> StoredObject | None:
        self._fail("refuse_reads")
        return self._store.get(key)

    def list(self, folder: str) -> list[str]:
        self._fail("refuse_reads")
        return self._store.list(folder)

    def put_if_absent(self, key: str, data: bytes) -> str | None:
        return self._write(key, lambda: self._store.put_if_absent(key, data))

    def put_if_matches(self, key: str, data: bytes, version: str) -> str | None:
        return self._write(key, lambda: self._store.put_if_matches(key, data, version))

    def delete(self, key: str) -> None:
        self._fail("refuse_writes")
        self._store.delete(key)

    def _write(self, key: str, put: Callable[[], str | None]) -> str | None:
        self._fail("refuse_writes")
        self.before_write(key)
        if self._counted("retry_writes"):
            put()
        version = put()
        self._fail("lose_answers")
        return version

    def _fail(self, fault: str) -> None:
        if self._counted(fault):
            raise StorageUnavailable(f"the test's store: {fault}")

    def _counted(self, fault: str) -> bool:
        left = getattr(self, fault)
        setattr(self, fault, left - 1 if left > 0 else left)
        return left != 0
