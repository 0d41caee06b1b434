"""Listeners who do not read are dropped and freed, others hear on, and the count is right throughout."""

import socket

import pytest
from radio_server import read_exactly, serving

from lullwave.clock import SystemClock


def stalled_reader(port: int) -> socket.socket:
    """Asks for the stream, with a tiny buffer, and never reads."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(("127.0.0.1", port))
    reader.sendall(b"GET /stream.mp3 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    return reader


@pytest.fixture
def radio(tmp_path):
    with serving(tmp_path, clock=SystemClock(), stall_s=1.0) as served:
        yield served


def test_stalled_readers_are_dropped_while_others_hear_on(radio):
    with radio.listening() as stream:
        read_exactly(stream, 1000)
        readers = [stalled_reader(radio.port) for _ in range(50)]
        audience = radio.app.state.services.channels.audience
        while radio.on_loop(lambda: audience.connections("piano")) < 51:
            read_exactly(stream, 1000)
        assert radio.json("/api/stations")["stations"][0]["listeners"] == 51
        while radio.on_loop(lambda: audience.connections("piano")) > 1:
            read_exactly(stream, 1000)
        assert radio.app.state.services.channels.default.dropped == 50
        assert radio.on_loop(lambda: len(radio.app.state.services.channels.default.main.fanout._connections)) == 1
        assert b'lullwave_dropped_listeners_total{station="piano"} 50.0' in radio.ask("/metrics")[1]
        read_exactly(stream, 30_000)
        for reader in readers:
            reader.close()


def test_a_listener_who_leaves_is_not_counted(radio):
    audience = radio.app.state.services.channels.audience
    with radio.listening() as stream:
        read_exactly(stream, 1000)
        for _ in range(20):
            with radio.listening() as other:
                read_exactly(other, 1000)
        while radio.on_loop(lambda: audience.connections("piano")) > 1:
            pass
    while radio.on_loop(lambda: audience.connections("piano")):
        pass


def test_a_full_station_and_a_greedy_address_get_503(tmp_path):
    with serving(tmp_path, max_listeners=2, max_per_address=3) as served:
        with served.listening(), served.listening():
            response, _ = served.ask("/stream.mp3")
            assert response.status == 503
            assert int(response.headers["Retry-After"]) > 0
            with served.listening("/stations/guitar/stream.mp3"):
                assert served.ask("/stations/organic/stream.mp3")[0].status == 503
        assert served.ask("/stream.mp3", "HEAD")[0].status == 200
