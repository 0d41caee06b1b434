"""The owner sees who uses the server and drops an address: streams, events and sockets end, and none comes back."""

import socket

import pytest
from radio_server import TIMEOUT_S, read_exactly, serving
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

MINE = {"Authorization": "Bearer secret"}
STRANGER = "127.0.0.2"
HEAD = b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture
def radio(tmp_path):
    with serving(tmp_path, token="secret", trusted_proxies="192.0.2.1") as served, served.listening() as stream:
        yield served
        served.clock.advance(8)
        read_exactly(stream, 180_000)  # the owner's own address hears on


def stranger(served, path: str) -> socket.socket:
    one = socket.create_connection(("127.0.0.1", served.port), TIMEOUT_S, (STRANGER, 0))
    one.sendall(b"GET " + path.encode() + HEAD)
    return one


def test_only_the_owner_sees_and_drops(radio):
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        assert radio.ask("/api/clients", headers=headers)[0].status == 403
        assert radio.ask("/api/clients/drop", "POST", {"address": "127.0.0.1"}, headers)[0].status == 401
    assert radio.ask("/api/clients/drop", "POST", {"address": STRANGER, "for_s": -1}, MINE)[0].status == 422


def test_an_address_is_dropped_with_all_that_it_has_open(radio):
    held = [stranger(radio, path) for path in ("/stream.mp3", "/stations/organic/stream.mp3", "/api/events")]
    for one in held:
        assert one.recv(100).startswith(b"HTTP/1.1 200")
    with connect(f"ws://127.0.0.1:{radio.port}/ws", source_address=(STRANGER, 0)) as counts:
        assert counts.recv(timeout=TIMEOUT_S)
        listed = {one["address"]: one for one in radio.json("/api/clients", headers=MINE)["clients"]}
        assert (listed[STRANGER]["audio"], listed[STRANGER]["requests"]) == (2, 4)
        assert listed["127.0.0.1"]["audio"] == 1
        reply = radio.json("/api/clients/drop", "POST", {"address": STRANGER}, MINE)
        assert reply == {"address": STRANGER, "dropped": 4}
        with pytest.raises(ConnectionClosed):
            list(counts)  # every message until it is closed
    for one in held:
        try:
            while one.recv(65536):
                pass
        except ConnectionError:
            pass
        one.close()
    with stranger(radio, "/stream.mp3") as again:
        said = again.recv(4096)
        assert said.startswith(b"HTTP/1.1 503")
        while b"shut out" not in said:
            said += (part := again.recv(4096))
            assert part
    with pytest.raises(InvalidStatus), connect(f"ws://127.0.0.1:{radio.port}/ws", source_address=(STRANGER, 0)):
        pass
    assert {c["address"]: c for c in radio.json("/api/clients", headers=MINE)["clients"]}[STRANGER]["shut_out_s"] > 500
    radio.ask("/api/clients/drop", "POST", {"address": STRANGER, "for_s": 0}, MINE)
    with stranger(radio, "/stream.mp3") as again:
        assert again.recv(100).startswith(b"HTTP/1.1 200")
