"""``lullwave health`` follows the settings of the server, and fails when it should."""

import socket
import threading

import pytest
from certificates import make_certificate
from inference_servers import inferring
from radio_server import serving
from sine_engine import SineEngine
from typer.testing import CliRunner

from lullwave.cli.app import app


@pytest.fixture
def probe(monkeypatch, tmp_path):
    """Runs the command with variables; gives its exit status and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("LULLWAVE_DATA_DIR", str(tmp_path))

    def run(*flags: str, **variables: object) -> tuple[int, str]:
        named = {f"LULLWAVE_{name.upper()}": str(value) for name, value in variables.items()}
        done = CliRunner().invoke(app, ["health", "--timeout-s", "60", *flags], env=named)
        return done.exit_code, done.output

    return run


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"host": "0.0.0.0", "token": "secret"},
        {"host": "[::]"},
        {"allowed_hosts": "radio.example", "trusted_proxies": "127.0.0.1"},
        {"root_path": "/radio"},
    ],
    ids=str,
)
def test_it_follows_the_settings(tmp_path, probe, settings):
    with serving(tmp_path / "data", **settings) as served:
        flags = ["--host", "127.0.0.1"] if settings.get("host") == "[::]" else []  # the tests listen on IPv4
        assert probe(*flags, port=served.port, **settings) == (0, f"http://127.0.0.1:{served.port} works\n")
        assert probe(*flags, "--port", str(served.port))[0] == 0
        assert probe(*flags, "--ready", "--wait-s", "30", port=served.port)[0] == 0


def test_it_follows_the_settings_file_and_tls(tmp_path, probe):
    cert, key = make_certificate(tmp_path)
    with serving(tmp_path / "data", tls_cert=cert, tls_key=key) as served:
        (tmp_path / "lullwave.toml").write_text(f'port = {served.port}\ntls_cert = "{cert}"\ntls_key = "{key}"\n')
        assert probe()[0] == 0
        assert probe("--no-tls")[0] == 1


def test_a_station_that_restarts_do_not_help_fails_it(tmp_path, probe, monkeypatch):
    with serving(tmp_path / "data") as served:
        monkeypatch.setattr(type(served.app.state.services.channels.watchdog), "given_up", ["piano"])
        status, said = probe(port=served.port)
        assert status == 1
        assert "503" in said
        assert "piano" in said


def test_nothing_there_or_something_else_fails_it(probe):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        status, said = probe("--timeout-s", "0.2", port=port)
        assert (status, "no answer within 0.2 s" in said) == (1, True)
        other.accept()[0].close()  # of that probe
        threading.Thread(target=lambda: other.accept()[0].close(), daemon=True).start()
        assert probe("--timeout-s", "2", port=port)[0] == 1
    status, said = probe(port=port)
    assert (status, "nothing listens there" in said) == (1, True)
    assert probe(port=0)[0] == 2
    assert probe(prot=0, port="many")[0] == 2


def test_the_inference_server_has_variables_of_its_own(probe):
    with inferring(SineEngine(), token="secret") as served:
        assert probe("--inference", inference_port=served.port, inference_host="0.0.0.0")[0] == 0
        with socket.create_server(("127.0.0.1", 0)) as free:
            nothing = free.getsockname()[1]
        assert probe("--any", inference_port=served.port, port=nothing)[0] == 0
        assert probe(inference_port=served.port, port=nothing)[0] == 1
    assert probe("--inference", inference_port=served.port)[0] == 1
    assert probe("--inference", inference_port="many")[0] == 2


def test_a_server_that_loads_its_engine_is_left_alone_and_one_that_hangs_is_not(probe):
    with inferring(SineEngine()) as served:
        assert probe("--inference", "--loading-ok", inference_port=served.port)[0] == 0
        served.app.state.scheduler.close()
        status, said = probe("--inference", "--loading-ok", inference_port=served.port)
        assert (status, "503: a worker thread has ended" in said) == (1, True)
    status, said = probe("--inference", "--loading-ok", inference_port=served.port)
    assert (status, "may still be loading" in said) == (0, True)
    with socket.create_server(("127.0.0.1", 0)) as hung:
        port = hung.getsockname()[1]
        assert probe("--inference", "--loading-ok", "--timeout-s", "0.2", inference_port=port)[0] == 1


def test_the_inference_servers_own_address_is_followed(tmp_path, probe, monkeypatch):
    cert, key = make_certificate(tmp_path)
    with inferring(SineEngine(), cert=cert, key=key) as served:
        secure = {"inference_port": served.port, "inference_tls_cert": cert}
        assert probe("--inference", **secure) == (0, f"https://127.0.0.1:{served.port} works\n")
        assert probe("--inference", "--no-tls", **secure)[0] == 1
    for odd in ("\u00b2", "-1", "65536", "", "9" * 5000):
        status, said = probe("--inference", inference_port=odd)
        assert (status, "LULLWAVE_INFERENCE_PORT" in said) == (2, True)
