"""A store of objects by name with conditional writes: in memory, in a directory, or in a cloud's bucket.

A write succeeds only if the object is absent, or still is the one that the writer has read. That is enough for several
processes to agree without any other connection. Knows nothing of what the objects hold.
"""

from __future__ import annotations

import hashlib
import re
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import InvalidInput
from ..redaction import redacted

CLOUDS = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss")  # schemes that obstore knows with conditional writes
SHARED_STORES = "file:///path, or s3://bucket/prefix (also gs, az)"  # addresses that several processes can open
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}(/[A-Za-z0-9][A-Za-z0-9._-]{0,199})*")


@dataclass(frozen=True)
class StoredObject:
    """An object as it was read."""

    data: bytes
    version: str  # for `put_if_matches`; objects with equal data may have equal versions


class ObjectStore(ABC):
    """Objects by key, such as ``piano/lease.json``. Thread-safe; each call blocks until the store has answered.

    An object is replaced as a whole: readers see the old one or the new one. What was written is seen by all processes
    at once. After ``StorageUnavailable`` a write may have succeeded nevertheless: read the object to know.

    Versions are made of the content. Writers whose objects change back must put a counter into them.
    """

    @abstractmethod
    def get(self, key: str) -> StoredObject | None:
        """The object of this key; None if there is none.

        Raises:
            StorageUnavailable: the store does not answer.
        """

    @abstractmethod
    def put_if_absent(self, key: str, data: bytes) -> str | None:
        """Write a new object and return its version; None, and no change, if there is an object of this key.

        Raises:
            StorageUnavailable: the store does not answer, or refuses the write.
        """

    @abstractmethod
    def put_if_matches(self, key: str, data: bytes, version: str) -> str | None:
        """Replace the object of this version and return the new version; None, and no change, if it is another one.

        Raises:
            StorageUnavailable: the store does not answer, or refuses the write.
        """

    @abstractmethod
    def list(self, folder: str) -> list[str]:
        """The keys that begin with ``folder/``, sorted.

        Raises:
            StorageUnavailable: the store does not answer.
        """

    @abstractmethod
    def delete(self, key: str) -> None:
        """Delete an object; no effect if there is none.

        Raises:
            StorageUnavailable: the store does not answer, or refuses the deletion.
        """


def open_store(url: str) -> ObjectStore:
    """The store at an address: ``memory``, ``file:///path``, ``s3://bucket/prefix``, ``gs://…``, ``az://…``.

    Each ``memory`` is a new, empty store. Clouds need the extra ``cloud``; they take credentials, region and endpoint
    from the environment (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``, …).

    Raises:
        InvalidInput: the address is none of these.
        MissingExtra: ``obstore`` is not installed.
    """
    if url == "memory":
        return MemoryStore()
    if not is_shared(url):
        raise InvalidInput("store", redacted(url), f"memory, {SHARED_STORES}")
    parts = urlsplit(url)
    if parts.scheme == "file":
        from urllib.request import url2pathname

        from .directory_store import DirectoryStore

        return DirectoryStore(Path(url2pathname(parts.path)))
    from .cloud_store import CloudStore

    return CloudStore(url)


def is_shared(url: str) -> bool:
    """Tell whether an address is that of a store that other processes can open, too."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return parts.netloc in ("", "localhost") and parts.path not in ("", "/")
    return parts.scheme in CLOUDS and bool(parts.netloc)


def check_key(key: str) -> str:
    """``key``, if it is one that every store can hold.

    Raises:
        InvalidInput: it is not.
    """
    if not _KEY.fullmatch(key):
        raise InvalidInput("key", key, "names of letters, digits, '.', '_' and '-', joined by '/'")
    return key


def version_of(data: bytes) -> str:
    """The version of an object with this content, in stores that give none themselves."""
    return hashlib.sha256(data).hexdigest()


class MemoryStore(ObjectStore):
    """A store in the memory of this process. Never unavailable."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[str, bytes] = {}

    def get(self, key: str) -> StoredObject | None:
        data = self._objects.get(check_key(key))
        return None if data is None else StoredObject(data, version_of(data))

    def put_if_absent(self, key: str, data: bytes) -> str | None:
        with self._lock:
            if check_key(key) in self._objects:
                return None
            self._objects[key] = bytes(data)
        return version_of(data)

    def put_if_matches(self, key: str, data: bytes, version: str) -> str | None:
        with self._lock:
            before = self._objects.get(check_key(key))
            if before is None or version_of(before) != version:
                return None
            self._objects[key] = bytes(data)
        return version_of(data)

    def list(self, folder: str) -> list[str]:
        begin = check_key(folder) + "/"
        with self._lock:
            return sorted(key for key in self._objects if key.startswith(begin))

    def delete(self, key: str) -> None:
        with self._lock:
            self._objects.pop(check_key(key), None)
