"""Addresses that can be listened on, and clear words for those that cannot."""

import errno
import os
import socket

import pytest

from lullwave.server.process.sockets import AddressTaken, address_of, listening_socket


def refusing(monkeypatch, number):
    def bind(_socket, _address):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket.socket, "bind", bind)


@pytest.mark.parametrize(
    ("host", "port", "number", "words"),
    [
        ("127.0.0.1", 80, errno.EACCES, "127.0.0.1:80: Permission denied; ports below 1024 are root's: choose --port"),
        ("::1", 443, errno.EPERM, "cannot listen on [::1]:443"),
        ("0.0.0.0", 80, errno.EACCES, "CAP_NET_BIND_SERVICE"),
        ("127.0.0.1", 8000, errno.EADDRINUSE, "another program listens there"),
        ("192.0.2.1", 8000, errno.EADDRNOTAVAIL, "no interface of this machine has it"),
        ("::1", 8000, errno.EAFNOSUPPORT, "this machine has no IPv6"),
    ],
)
def test_an_address_that_cannot_be_bound_is_told_with_the_remedy(monkeypatch, host, port, number, words):
    refusing(monkeypatch, number)
    with pytest.raises(AddressTaken) as told:
        listening_socket(host, port)
    assert words in str(told.value)
    assert "Errno" not in str(told.value)


def test_a_user_s_port_is_not_called_root_s(monkeypatch):
    refusing(monkeypatch, errno.EACCES)
    with pytest.raises(AddressTaken) as told:
        listening_socket("127.0.0.1", 8000)
    assert "root" not in str(told.value)


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("0.0.0.0", "localhost")])
def test_the_address_that_is_printed_can_be_opened(host, shown):
    try:
        bound = listening_socket(host, 0)
    except AddressTaken as told:
        pytest.skip(str(told))
    with bound:
        port = bound.getsockname()[1]
        assert address_of(bound) == f"http://{shown}:{port}/"
        socket.create_connection((shown.strip("[]"), port), 5).close()
