"""Requests drawn from the OpenAPI documents of both servers, right ones and wrong ones: none breaks a server."""

import os
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from inference_servers import inferring
from radio_server import TIMEOUT_S, read_exactly, serving
from sine_engine import SineEngine

from lullwave import checkpoints
from lullwave.errors import CheckpointError

schemathesis = pytest.importorskip("schemathesis")
ENDLESS = "stream.mp3|/api/events|^/status$"  # replies without an end: their wrong requests are in test_junk.py
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 3))  # of each operation, right and wrong

OK = {"200": {"description": "ok"}}
NUMBER = {"name": "number", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0, "maximum": 4}}
INFERENCE = {  # the inference server publishes none: what docs/run/two-machines.md says of its HTTP form
    "openapi": "3.1.0",
    "info": {"title": "inference", "version": "1"},
    "paths": {
        "/healthz": {"get": {"responses": OK}},
        "/readyz": {"get": {"responses": OK}},
        "/generate": {
            "post": {
                "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}},
                "responses": OK,
            }
        },
        "/clips/{number}": {"post": {"parameters": [NUMBER], "responses": OK}},
        "/{other}": {
            "get": {
                "parameters": [{"name": "other", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": OK,
            }
        },
    },
}

bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def no_hub(name, progress):
    raise CheckpointError("no model is downloaded here")


def test_nothing_that_can_be_asked_breaks_the_server(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "pull", no_hub)
    limits = {"max_generate_s": 2.0, "max_queue": 1000, "steer_every_s": 0.0}
    with serving(tmp_path, **limits) as served, served.listening() as stream:
        document = schemathesis.openapi.from_dict(served.json("/openapi.json")).exclude(path_regex=ENDLESS)
        statuses = try_document(document, served.port)
        assert {200, 404, 422} <= statuses
        served.clock.advance(5)
        assert len(read_exactly(stream, 100_000)) == 100_000


def test_nothing_that_can_be_asked_breaks_the_inference_server(monkeypatch):
    monkeypatch.setattr("lullwave.server.inference.batches.CLIP_S", 0.5)
    document = schemathesis.openapi.from_dict(INFERENCE)
    with inferring(SineEngine(), token="secret") as served:
        assert try_document(document, served.port) == {200, 401, 404}
        key = {"Authorization": "key secret"}
        statuses = try_document(document, served.port, key)
        assert {200, 404} <= statuses <= {200, 404, 409}
        assert served.app.state.scheduler.alive


def try_document(document, port, headers=None):
    """Ask for everything in a document; returns the statuses of the replies."""
    document.config.update(base_url=f"http://127.0.0.1:{port}")
    operations = [result.ok() for result in document.get_all_operations()]
    assert len(operations) >= 5
    statuses = set()
    for operation in operations:
        for mode in schemathesis.GenerationMode:
            with suppress(Unsatisfiable):  # it takes nothing that could be wrong
                try_all(operation.as_strategy(generation_mode=mode), statuses, headers)
    return statuses


def try_all(cases, statuses, headers=None):
    @bounded
    @given(case=cases)
    def try_one(case):
        reply = case.call(timeout=TIMEOUT_S, headers=headers)
        statuses.add(reply.status_code)
        unready = reply.status_code == 503 and case.path == "/readyz"
        assert reply.status_code < 500 or unready, f"{case.as_curl_command()}\n{reply.status_code} {reply.text}"
        if reply.status_code >= 400 and not unready:
            assert {"error", "detail"} & set(reply.json())

    try_one()
