"""Requests drawn from the OpenAPI document, right ones and wrong ones: none breaks the server."""

import os
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from radio_server import TIMEOUT_S, read_exactly, serving

schemathesis = pytest.importorskip("schemathesis")
ENDLESS = "stream.mp3|/api/events|^/status$"  # replies without an end: their wrong requests are in test_junk.py
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 5))  # of each operation, right and wrong

bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def test_nothing_that_can_be_asked_breaks_the_server(tmp_path):
    limits = {"max_generate_s": 2.0, "max_queue": 1000, "steer_every_s": 0.0}
    with serving(tmp_path, **limits) as served, served.listening() as stream:
        document = schemathesis.openapi.from_dict(served.json("/openapi.json")).exclude(path_regex=ENDLESS)
        document.config.update(base_url=f"http://127.0.0.1:{served.port}")
        operations = [result.ok() for result in document.get_all_operations()]
        assert len(operations) > 15
        statuses = set()
        for operation in operations:
            for mode in schemathesis.GenerationMode:
                with suppress(Unsatisfiable):  # it takes nothing that could be wrong
                    try_all(operation.as_strategy(generation_mode=mode), statuses)
        assert {200, 404, 422} <= statuses
        served.clock.advance(5)
        assert len(read_exactly(stream, 100_000)) == 100_000


def try_all(cases, statuses):
    @bounded
    @given(case=cases)
    def try_one(case):
        reply = case.call(timeout=TIMEOUT_S)
        statuses.add(reply.status_code)
        unready = reply.status_code == 503 and case.path == "/readyz"
        assert reply.status_code < 500 or unready, f"{case.as_curl_command()}\n{reply.status_code} {reply.text}"
        if reply.status_code >= 400 and not unready:
            assert {"error", "detail"} & set(reply.json())

    try_one()
