"""The radio behind real nginx and Caddy: open to nobody by accident, and whole with the printed examples.

Slow, because they need software: ``apt-get install nginx caddy``.
"""

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
from radio_server import read_exactly, serving
from websockets.sync.client import connect

PROMPT = ("POST", "/api/stations/piano/prompt", b'{"prompt": "brighter"}')
DOCS = Path(__file__).parents[3] / "docs" / "run" / "reverse-proxy.md"
START_S = 30
COMMON = (  # what most published examples for nginx set
    "proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr; proxy_http_version 1.1;"
    "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;"
    "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_buffering off;"
)
pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


@contextmanager
def running(command: list[str], port: int) -> Iterator[int]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    process = subprocess.Popen(command)
    try:
        until = time.monotonic() + START_S
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < until
        assert process.poll() is None
        yield port
    finally:
        process.kill()  # at the signal to stop, Caddy waits for open streams
        process.wait(START_S)


@contextmanager
def nginx(folder: Path, location: str, beside: str = "") -> Iterator[int]:
    """nginx with one server on a free port; ``location`` is the body of ``location /``."""
    port = free_port()
    paths = "".join(f"{kind}_temp_path {folder}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {paths}\n{beside}\n"
        f"server {{ listen 127.0.0.1:{port}; server_name radio.example.com; location / {{ {location} }} }} }}"
    )
    with running(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"], port):
        yield port


@contextmanager
def caddy(folder: Path, body: str) -> Iterator[int]:
    port = free_port()
    (folder / "Caddyfile").write_text(
        f"{{\n\tadmin off\n\tauto_https off\n\tstorage file_system {folder}\n}}\nhttp://:{port} {{\n{body}\n}}\n"
    )
    with running(["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"], port):
        yield port


def printed(language: str) -> str:
    """The example of the documentation in a language."""
    return re.search(rf"```{language}\n(.*?)```", DOCS.read_text(), re.S)[1]


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str):
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, {"Content-Type": "application/json", **named})
    response = connection.getresponse()
    return response, (b"" if path.endswith("stream.mp3") else response.read())


def test_a_bare_proxy_opens_nothing(tmp_path):
    with serving(tmp_path) as served:
        backend = f"http://127.0.0.1:{served.port}"
        for started in (
            nginx(tmp_path, f"proxy_pass {backend};"),
            nginx(tmp_path, f"{COMMON} proxy_pass {backend};".replace("$host", "127.0.0.1")),
            caddy(tmp_path, f"\treverse_proxy {backend} {{\n\t\theader_up Host 127.0.0.1\n\t}}"),
        ):
            with started as port:
                response, data = ask(port, *PROMPT)
                assert (response.status, b"trusted_proxies" in data) == (401, True)
                assert ask(port, "POST", "/api/generate", b'{"prompt": "x"}')[0].status == 401
                assert ask(port, "GET", "/stream.mp3")[0].status == 200


@pytest.mark.parametrize("kind", ["nginx", "caddy", "common"])
def test_everything_works_behind_the_printed_examples(tmp_path, kind):
    flags = {"trusted_proxies": "127.0.0.1", "allowed_hosts": "radio.example.com", "token": "secret"}
    with serving(tmp_path, **flags) as served:
        backend = f"127.0.0.1:{served.port}"
        if kind == "caddy":
            inside = printed("caddyfile").split("{", 1)[1].rsplit("}", 1)[0]
            started = caddy(tmp_path, inside.replace("127.0.0.1:8000", backend))
        elif kind == "nginx":
            example = printed("nginx")
            inside = re.search(r"location / \{(.*?)\n    \}", example, re.S)[1].replace("127.0.0.1:8000", backend)
            started = nginx(tmp_path, inside, example.split("server {")[0])
        else:
            started = nginx(tmp_path, f"{COMMON} proxy_pass http://{backend};")
        with started as port:
            host = f"radio.example.com:{port}"
            page = {"Host": host, "Origin": f"http://{host}"}
            assert ask(port, *PROMPT, **page)[0].status == 401
            assert ask(port, *PROMPT, **page, Authorization="Bearer secret")[0].status == 200
            assert ask(port, *PROMPT, Host=host, Origin="https://evil.example")[0].status == 403
            assert ask(port, "GET", "/", Host="evil.example")[0].status == 403
            playlist = ask(port, "GET", "/listen.m3u", Host=host)[1].decode()
            named = "radio.example.com" if kind == "common" else host  # $host drops the port
            assert f"http://{named}/stations/piano/stream.mp3" in playlist
            told = json.loads(ask(port, "GET", "/status-json.xsl", Host=host)[1])
            assert told["icestats"]["host"] == "radio.example.com"
            stream, _ = ask(port, "GET", "/stream.mp3", Host=host)
            served.clock.advance(5)
            assert len(read_exactly(stream, 100_000)) == 100_000
            plain = socket.create_connection(("127.0.0.1", port), 60)
            with connect(f"ws://{host}/ws", origin=f"http://{host}", sock=plain, proxy=None) as counts:
                assert counts.recv(timeout=60)
