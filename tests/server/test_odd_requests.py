"""Odd headers and paths at both servers: never a 5xx, but for 503 with its reason, and never a traceback in the log."""

import errno
import logging

import pytest
from inference_servers import inferring
from odd_requests import odd_requests, send, with_headers
from radio_server import serving
from sine_engine import SineEngine

from lullwave.server.routes import pages

LONG = "%F0%9F%8E%B5" * 180  # 180 characters, 720 bytes: no file system has such a name
BROKEN_ORIGIN = b"http://[::1"


@pytest.fixture(scope="module")
def radio(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("odd"), max_generate_s=1.0, max_per_address=100000) as served:
        yield served


@pytest.fixture(scope="module")
def inference():
    with inferring(SineEngine(), legacy_open=True) as served:
        yield served


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (with_headers("/api/stations/piano/prompt", "POST", b"{}", Origin=BROKEN_ORIGIN), 403),
        (with_headers("/static/" + LONG), 404),
        (with_headers("/docs/" + LONG), 404),
        (with_headers("/" + LONG), 404),
        (with_headers("/api/riffusion/seed-images/" + LONG, Origin=BROKEN_ORIGIN), None),
        (with_headers("/listen.m3u", Host=b"localhost:x"), None),
        (with_headers("/status-json.xsl", Host=b"127.0.0.1:[::1"), None),
    ],
)
def test_the_web_server_answers_an_odd_request(radio, request_bytes, status):
    reply = send(radio.port, request_bytes)
    assert reply.honest, reply
    assert status is None or reply.status == status


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (with_headers("/generate", "POST", Origin=BROKEN_ORIGIN), 403),
        (with_headers("/generate", "POST", Host=b"[::1"), None),
        (with_headers("/clips/" + "9" * 5000, "POST"), 404),
        (with_headers("/clips/%C2%B2", "POST"), 404),
    ],
)
def test_the_inference_server_answers_an_odd_request(inference, request_bytes, status):
    reply = send(inference.port, request_bytes)
    assert reply.honest, reply
    assert status is None or reply.status == status


def test_odd_headers_and_paths_at_the_web_server(radio, caplog):
    paths = [*radio.json("/openapi.json")["paths"], "/", "/studio", "/docs", "/ws", "/static/{name}", "/{name}"]
    _all_honest(radio.port, paths, caplog)


def test_odd_headers_and_paths_at_the_inference_server(inference, caplog):
    _all_honest(inference.port, ["/", "/healthz", "/readyz", "/generate", "/clips/{number}", "/{name}"], caplog)


def test_a_file_that_cannot_be_opened_for_want_of_descriptors_is_503(radio, monkeypatch, caplog):
    def none_left(self, name):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(pages.StaticFolder, "file", none_left)
    reply = send(radio.port, with_headers("/"))
    assert (reply.status, reply.honest) == (503, True)
    assert b"no file descriptor" in reply.data
    assert not [record for record in caplog.records if record.exc_info]


def _all_honest(port, paths, caplog):
    with caplog.at_level(logging.ERROR):
        wrong = [reply for request in odd_requests(paths, seed=15) if not (reply := send(port, request)).honest]
    assert not wrong, [(reply.request[:300], reply.data[:300]) for reply in wrong[:3]]
    tracebacks = [record.getMessage() for record in caplog.records if record.exc_info]
    assert not tracebacks, tracebacks[:3]
