"""Every kind of object store, for tests: in memory, in a directory, and on moto's S3 server.

With ``S3_TEST_ENDPOINT`` in the environment, that S3 server takes moto's place; the secret of its user ``test`` is
``test``.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from lullwave.storage.objects import ObjectStore, open_store

ENDPOINT = os.environ.get("S3_TEST_ENDPOINT", "")
KINDS = ("memory", "file", "s3", "s3 without quotes")
BUCKET = "radio"
Opener = Callable[[], ObjectStore]  # each call opens the same store as another process would
_numbers = itertools.count()


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of an S3 server with an empty bucket ``BUCKET``. Skips the test where moto or obstore is missing."""
    for package in ("moto", "flask_cors", "obstore"):
        pytest.importorskip(package)
    from moto.server import ThreadedMotoServer

    if ENDPOINT:
        make_bucket(ENDPOINT)
        yield ENDPOINT
        return
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        make_bucket(url)
        yield url
    finally:
        server.stop()


def make_bucket(url: str) -> None:
    import boto3

    login = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    boto3.client("s3", endpoint_url=url, region_name="us-east-1", **login).create_bucket(Bucket=BUCKET)


def wanting_no_quotes(app: Callable[..., Any]) -> Callable[..., Any]:
    """An S3 server that compares the tag of ``If-Match`` as it stands there, without quotes, as Ceph 16 does."""

    def asked(environment: dict[str, Any], start: Callable[..., Any]) -> Any:
        tag = environment.get("HTTP_IF_MATCH")
        if tag is not None:
            environment["HTTP_IF_MATCH"] = '"no tag"' if tag.startswith('"') else f'"{tag}"'
        return app(environment, start)

    return asked


@contextmanager
def s3_server_without_quotes() -> Iterator[str]:
    """As ``s3_server``."""
    for package in ("moto", "flask_cors", "obstore"):
        pytest.importorskip(package)
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, wanting_no_quotes(DomainDispatcherApplication(create_backend_app)), True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.port}"
        make_bucket(url)
        yield url
    finally:
        server.shutdown()
        thread.join()


def s3_environment(url: str) -> dict[str, str]:
    """The variables with which a store finds ``s3_server``."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


@pytest.fixture(scope="module")
def s3_url() -> Iterator[Callable[[str], str]]:
    """A function that tells the address of a kind's server, which is started when it is asked for."""
    kinds = {"s3": s3_server, "s3 without quotes": s3_server_without_quotes}
    running: dict[str, str] = {}
    with ExitStack() as servers:

        def address(kind: str) -> str:
            if kind not in running:
                running[kind] = servers.enter_context(kinds[kind]())
            return running[kind]

        yield address


@pytest.fixture(params=KINDS)
def opened(request: pytest.FixtureRequest, tmp_path, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """A function that opens one store again and again."""
    if request.param == "memory":
        store = open_store("memory")
        return lambda: store
    if request.param == "file":
        return lambda: open_store(f"file://{tmp_path}/store")
    for name, value in s3_environment(request.getfixturevalue("s3_url")(request.param)).items():
        monkeypatch.setenv(name, value)
    prefix = f"test-{next(_numbers)}"
    return lambda: open_store(f"s3://{BUCKET}/{prefix}")
