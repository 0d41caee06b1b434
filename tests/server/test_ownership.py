"""What strangers see of an engine elsewhere: not its address, not the words of its errors; and nobody sees secrets."""

import logging

import pytest
from radio_server import events, serving
from sine_engine import SineEngine

from lullwave.engines.remote.engine import RemoteEngine
from lullwave.redaction import redacted

HOST, SECRET, ADMIN = "127.9.8.7", "hunter2-hunter2", "admin-admin"
URL = f"ws://{HOST}:9/?token={SECRET}"  # nothing listens there
STRANGER, OWNER = {}, {"Authorization": f"Bearer {ADMIN}"}


class Elsewhere(RemoteEngine):
    def __init__(self, **options: object) -> None:
        super().__init__(url=URL)


@pytest.fixture(scope="module")
def radio(tmp_path_factory):
    """A public radio whose engine elsewhere does not answer."""
    engines = {"synth": SineEngine, URL: Elsewhere}
    flags = {"engine": URL, "token": ADMIN, "trusted_proxies": "127.0.0.1"}
    with serving(tmp_path_factory.mktemp("public"), engines=engines, **flags) as served:
        for _ in range(300):
            served.clock.advance(0.1)
            if served.json("/readyz", headers=OWNER)["stations"]["piano"]["detail"]:
                break
        yield served


@pytest.mark.parametrize("who", [STRANGER, OWNER], ids=["stranger", "owner"])
def test_no_reply_names_the_address(radio, who):
    paths = ["/api/stations", "/api/stations/piano", "/readyz", "/healthz", "/metrics", "/status-json.xsl"]
    paths += ["/api/engines", "/openapi.json", "/api/stations/piano/history"]
    said = "".join(radio.ask(path, headers=who)[1].decode() for path in paths)
    with radio.listening("/api/events", who) as stream:
        told = events(stream)
        while (event := next(told))[0] != "rung":
            pass
    said += str(event)
    assert SECRET not in said
    assert (HOST in said) is bool(who)  # the owner is told why the engine does not play
    assert '"wanted":"remote"' in said.replace(" ", "")


def test_a_clip_can_be_asked_of_it_by_its_name_and_by_its_address(radio):
    for engine in ("remote", URL):
        response, data = radio.ask("/api/generate", "POST", {"engine": engine, "duration_s": 1}, OWNER)
        assert response.status == 503
        assert SECRET.encode() not in data
    response, data = radio.ask("/api/generate", "POST", {"engine": "nothing"}, OWNER)
    assert (response.status, b"remote" in data, HOST.encode() in data) == (422, True, False)


def test_the_log_names_the_host_alone(radio, caplog):
    with caplog.at_level(logging.DEBUG):
        radio.ask("/api/generate", "POST", {"engine": "remote", "duration_s": 1}, OWNER)
        radio.clock.advance(60)
    assert all(SECRET not in redacted(record.getMessage()) for record in caplog.records)
    assert all(SECRET not in record.getMessage() for record in caplog.records if record.name.startswith("lullwave"))
