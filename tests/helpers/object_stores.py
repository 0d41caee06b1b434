"""Every kind of object store, for tests: in memory, in a directory, and on moto's S3 server."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lullwave.storage.objects import ObjectStore, open_store

KINDS = ("memory", "file", "s3")
BUCKET = "radio"
Opener = Callable[[], ObjectStore]  # each call opens the same store as another process would
_numbers = itertools.count()


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of an S3 server with an empty bucket ``BUCKET``. Skips the test where moto or obstore is missing."""
    for package in ("moto", "flask_cors", "obstore"):
        pytest.importorskip(package)
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        login = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        boto3.client("s3", endpoint_url=url, region_name="us-east-1", **login).create_bucket(Bucket=BUCKET)
        yield url
    finally:
        server.stop()


def s3_environment(url: str) -> dict[str, str]:
    """The variables with which a store finds ``s3_server``."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture(params=KINDS)
def opened(request: pytest.FixtureRequest, tmp_path, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """A function that opens one store again and again."""
    if request.param == "memory":
        store = open_store("memory")
        return lambda: store
    if request.param == "file":
        return lambda: open_store(f"file://{tmp_path}/store")
    for name, value in s3_environment(request.getfixturevalue("s3_url")).items():
        monkeypatch.setenv(name, value)
    prefix = f"test-{next(_numbers)}"
    return lambda: open_store(f"s3://{BUCKET}/{prefix}")
