"""An object store in a bucket: Amazon S3 and servers that speak its protocol, Google Cloud Storage, Azure.

By the library ``obstore`` (extra ``cloud``). The server must honour conditional writes: ``If-None-Match: *`` and
``If-Match`` on PUT.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from ..errors import InvalidInput, MissingExtra, StorageUnavailable
from ..redaction import redacted
from .objects import ObjectStore, StoredObject, check_key

TIMEOUT_S = 5.0  # for one request, and for all its retries: a lease must be renewed within seconds
RETRIES = 2  # of a request that failed without an answer or with one of status 5xx


class CloudStore(ObjectStore):
    """Objects in a bucket, below the path of ``url``. Credentials, region and endpoint are those of the environment.

    Raises:
        MissingExtra: ``obstore`` is not installed.
        InvalidInput: ``obstore`` does not accept the address or the environment.
    """

    def __init__(self, url: str) -> None:
        try:
            import obstore
            from obstore.store import from_url
        except ImportError:
            raise MissingExtra("a store in a cloud", "cloud", "obstore") from None
        self._obstore: Any = obstore
        try:
            self._store: Any = from_url(
                url,
                client_options={"timeout": timedelta(seconds=TIMEOUT_S), "allow_http": True},  # if the endpoint says so
                retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=TIMEOUT_S)},
            )
        except (obstore.exceptions.BaseError, ValueError) as error:
            raise InvalidInput("store", redacted(url), f"an address that obstore accepts ({_reason(error)})") from None
        self._bare_tags = False  # the server has been seen to want tags without quotes

    def get(self, key: str) -> StoredObject | None:
        with self._failures():
            try:
                found = self._obstore.get(self._store, check_key(key))
                return StoredObject(bytes(found.bytes()), _version(found.meta))
            except FileNotFoundError:
                return None

    def put_if_absent(self, key: str, data: bytes) -> str | None:
        return self._put(key, data, "create")

    def put_if_matches(self, key: str, data: bytes, version: str) -> str | None:
        wanted = json.loads(version)
        written = self._put(key, data, _without_quotes(wanted) if self._bare_tags else wanted)
        if written is None and not self._bare_tags and _without_quotes(wanted) != wanted:
            current = self.get(key)
            if current is not None and current.version == version:  # refused although nobody has written
                written = self._put(key, data, _without_quotes(wanted))
                self._bare_tags = written is not None
        return written

    def list(self, folder: str) -> list[str]:
        with self._failures():
            pages = self._obstore.list(self._store, check_key(folder))
            return sorted(found["path"] for page in pages for found in page)

    def delete(self, key: str) -> None:
        with self._failures():
            try:
                self._obstore.delete(self._store, check_key(key))
            except FileNotFoundError:
                return

    def _put(self, key: str, data: bytes, mode: str | dict[str, str]) -> str | None:
        """Write in a mode of obstore: ``"create"``, or the version that is replaced."""
        refused = self._obstore.exceptions
        with self._failures():
            try:
                return _version(self._obstore.put(self._store, check_key(key), data, mode=mode))
            except (refused.AlreadyExistsError, refused.PreconditionError):
                return None
            except FileNotFoundError as error:
                if mode == "create":
                    raise StorageUnavailable(f"the store has no such bucket: {_reason(error)}") from None
                return None

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turns obstore's errors into ``StorageUnavailable``, without credentials."""
        try:
            yield
        except (self._obstore.exceptions.BaseError, OSError) as error:
            raise StorageUnavailable(f"the store does not answer or refuses: {_reason(error)}") from None


def _without_quotes(version: dict[str, str]) -> dict[str, str]:
    """A version as servers want it that compare the tag of ``If-Match`` without its quotes (Ceph 16)."""
    return {name: value.strip('"') for name, value in version.items()}


def _version(meta: Any) -> str:
    """What identifies a version: the entity tag on S3 and Azure, the generation on Google's."""
    return json.dumps({name: meta[name] for name in ("e_tag", "version") if meta.get(name) is not None})


def _reason(error: BaseException) -> str:
    """The first line of obstore's message; the following ones show its internal state."""
    return redacted(str(error).partition("\n")[0])
