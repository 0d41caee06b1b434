"""The proxy of the fault bench does to a connection what it is told, and nothing else."""

import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest

from bench.radio.wires import OPEN, SILENT, Way, Wire, garbled, replaced


@pytest.fixture
def wire():
    """A wire to a server that answers everything with the same."""
    bound = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                one, _ = bound.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(one,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    between = Wire(bound.getsockname()[1])
    yield between
    between.close()
    bound.shutdown(socket.SHUT_RDWR)
    bound.close()
    thread.join(10)


def echo(one: socket.socket) -> None:
    with one:
        try:
            while data := one.recv(65536):
                one.sendall(data)
        except OSError:
            return


@contextmanager
def joined(wire: Wire, timeout_s: float = 30.0):
    with socket.create_connection(("127.0.0.1", wire.port), timeout_s) as one:
        yield one


def answer(one: socket.socket, said: bytes) -> bytes:
    one.sendall(said)
    return exactly(one, len(said))


def exactly(one: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size and (part := one.recv(65536)):
        got += part
    return got


def test_an_open_way_changes_nothing(wire):
    with joined(wire) as one:
        data = bytes(range(256)) * 1000
        assert answer(one, data) == data


def test_a_silent_way_keeps_bytes_and_connection(wire):
    with joined(wire, 0.3) as one:
        assert answer(one, b"before") == b"before"
        wire.way = SILENT
        one.sendall(b"meanwhile")
        with pytest.raises(TimeoutError):
            one.recv(1)
        wire.way = OPEN
        one.settimeout(30)
        assert exactly(one, 9) == b"meanwhile"


def test_half_open_is_for_ever_and_for_those_alone_that_are_there(wire):
    with joined(wire, 0.3) as old:
        assert answer(old, b"x") == b"x"
        wire.forget()
        with joined(wire) as new:
            assert answer(new, b"new") == b"new"
        old.sendall(b"y")
        with pytest.raises(TimeoutError):
            old.recv(1)


def test_a_cut_closes(wire):
    with joined(wire) as one:
        assert answer(one, b"x") == b"x"
        wire.cut()
        with suppress(ConnectionResetError):
            assert one.recv(1) == b""


def test_late_and_narrow(wire):
    with joined(wire) as one:
        wire.way = Way(delay_s=0.1)
        began = time.monotonic()
        answer(one, b"x")
        assert time.monotonic() - began >= 0.2
        wire.way = Way(bytes_per_s=20_000)
        began = time.monotonic()
        assert answer(one, bytes(6000)) == bytes(6000)
        assert time.monotonic() - began >= 0.25


def test_a_connection_ends_in_the_midst(wire):
    wire.way = Way(ends_after=1000)
    with joined(wire) as one:
        one.sendall(bytes(5000))
        assert len(exactly(one, 5000)) <= 1000


def test_words_and_bytes_are_replaced():
    assert replaced(b"v1", b"v9")(b"lullwave.v1 v1") == b"lullwave.v9 v9"
    spoil = garbled(3)
    spoilt = [spoil(bytes(1000)) for _ in range(400)]
    assert {len(part) for part in spoilt} == {1000}
    assert 50 < sum(part != bytes(1000) for part in spoilt) < 150
    assert max(1000 - part.count(0) for part in spoilt) <= 8
