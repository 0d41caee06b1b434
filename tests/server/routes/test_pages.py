"""The page, the documentation page and every wrong address."""

import json
import re

import pytest
from radio_server import serving

from lullwave.paths import web_dir
from lullwave.server.middleware.security_headers import SECURITY_HEADERS


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("pages")) as served:
        yield served


def test_the_page_and_all_its_files_are_served(server):
    for path in sorted(p for p in web_dir().rglob("*") if p.is_file()):
        name = path.relative_to(web_dir()).as_posix()
        response, data = server.ask(f"/static/{name}")
        assert response.status == 200
        assert data == path.read_bytes()
        assert response.headers["ETag"]
        assert server.ask(f"/static/{name}", headers={"If-None-Match": response.headers["ETag"]})[0].status == 304
    response, data = server.ask("/")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert data == (web_dir() / "index.html").read_bytes()
    response, data = server.ask("/studio")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert data == (web_dir() / "studio.html").read_bytes()
    response, _ = server.ask("/make")
    assert (response.status, response.headers["Location"]) == (308, "studio")
    assert server.ask("/static/radio/app.js")[0].headers["Content-Type"].startswith("text/javascript")


def test_every_reply_has_the_security_headers(server):
    for path in ("/", "/healthz", "/docs", "/nothing", "/current.mp3"):
        response, _ = server.ask(path, "HEAD" if path == "/current.mp3" else "GET")
        for name, value in SECURITY_HEADERS.items():
            assert response.headers[name] == value
    assert "unsafe" not in SECURITY_HEADERS["Content-Security-Policy"]


def test_only_the_small_player_may_be_framed(server):
    def policy(path: str) -> dict[str, str]:
        response, _ = server.ask(path)
        [given] = response.headers.get_all("Content-Security-Policy")
        return dict(part.strip().partition(" ")[::2] for part in given.split(";"))

    response, data = server.ask("/embed/piano")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert data == (web_dir() / "embed.html").read_bytes()
    ours, others = policy("/embed/piano"), policy("/")
    assert (ours["frame-ancestors"], others["frame-ancestors"]) == ("*", "'none'")
    assert ours["form-action"] == "'none'"
    assert {key for key in ours if ours[key] != others[key]} == {"frame-ancestors", "form-action"}
    for path in ("/embed.html", "/static/embed.html", "/embed/attic"):
        assert policy(path)["frame-ancestors"] == "'none'"
    assert server.ask("/embed/attic")[0].status == 404
    for name in re.findall(rb'(?:src|href)="\.\./(static/[^"]+)"', data):
        assert server.ask("/" + name.decode())[0].status == 200


def test_a_reply_to_a_fault_of_ours_has_them_too(server, monkeypatch):
    monkeypatch.setattr(server.app.state.services.channels.audience, "connections", lambda station: 1 / 0)
    response, data = server.ask("/status-json.xsl")
    assert response.status == 500
    assert "log" in json.loads(data)["error"]["message"]
    for name, value in SECURITY_HEADERS.items():
        assert response.headers.get_all(name) == [value]


def test_the_documentation_needs_nothing_from_elsewhere(server):
    _, page = server.ask("/docs")
    assert not re.search(rb"(src|href)=\"https?:", page)
    for name in re.findall(rb'(?:src|href)="(docs/[^"]+)"', page):
        assert server.ask("/" + name.decode())[0].status == 200
    document = server.json("/openapi.json")
    assert document["paths"]["/api/generate"]["post"]["requestBody"]["required"]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation.get("description"), path


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/static/",
        "/static/../settings.py",
        "/static/%2e%2e/settings.py",
        "/static/..%2fsettings.py",
        "/static/player/..%5c..%5csettings.py",
        "/static/%00",
        "/static//etc/passwd",
        "/static/%2fetc/passwd",
        "/docs/../app.py",
        "/docs/%2e%2e",
        "/stations/piano/other.mp3",
        "/stations/%2e%2e/stream.mp3",
        "/stations/PIANO/stream.mp3",
        "/api/stations/nope",
        "/api/events?station=nope",
        "/" + "x" * 3000,
    ],
)
def test_wrong_addresses_are_404_in_json(server, path):
    response, data = server.ask(path)
    assert response.status == 404
    assert set(json.loads(data)["error"]) == {"field", "message", "allowed"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/stream.mp3", {"GET", "HEAD"}),
        ("DELETE", "/current.mp3", {"GET", "HEAD"}),
        ("GET", "/api/generate", {"POST"}),
        ("PUT", "/api/stations", {"GET", "POST"}),
    ],
)
def test_wrong_methods_say_which_are_right(server, method, path, allowed):
    response, data = server.ask(path, method)
    assert response.status == 405
    error = json.loads(data)["error"]
    assert error["field"] == "method"
    assert set(re.findall(r"\w+", error["allowed"])) == allowed


@pytest.mark.parametrize("query", ["listener=", "listener=a%20b", "listener=" + "x" * 65, "listener=..%2f"])
def test_wrong_listener_ids_are_refused(server, query):
    for path in ("/stream.mp3", "/api/events", "/stations/piano/stream.mp3"):
        response, data = server.ask(f"{path}?{query}")
        assert response.status == 422
        assert json.loads(data)["error"]["field"] == "listener"
