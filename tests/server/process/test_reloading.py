"""Certificates are read again while the server runs, and SIGHUP does not end it."""

import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from certificates import make_certificate
from radio_server import serving

from lullwave.server.process.reloading import Certificate

TIMEOUT_S = 60


def number_of(port: int) -> int:
    """The serial number of the certificate that a server shows."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        return hash(secured.getpeercert(binary_form=True))


def test_a_renewed_certificate_is_shown_to_new_connections(tmp_path):
    cert, key = make_certificate(tmp_path / "live")
    new_cert, new_key = make_certificate(tmp_path / "new")
    with serving(tmp_path, tls_cert=cert, tls_key=key) as served:
        before, certificate = number_of(served.port), served.server.certificate
        assert not served.on_loop(certificate.reload_if_changed)

        cert.write_bytes(new_cert.read_bytes())  # half of it: the key does not belong to it
        assert not served.on_loop(certificate.reload_if_changed)
        assert number_of(served.port) == before
        cert.unlink()
        assert not served.on_loop(certificate.reload_if_changed)
        assert number_of(served.port) == before

        os.replace(new_cert, cert)
        os.replace(new_key, key)
        assert served.on_loop(certificate.reload_if_changed)
        assert number_of(served.port) != before
        assert not served.on_loop(certificate.reload_if_changed)


def test_a_link_to_another_certificate_is_a_change(tmp_path):
    first, second = (make_certificate(tmp_path / name) for name in ("1", "2"))
    live = [tmp_path / "cert.pem", tmp_path / "key.pem"]
    for link, target in zip(live, first, strict=True):
        link.symlink_to(target)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*live)
    certificate = Certificate(context, *live)
    for link, target in zip(live, second, strict=True):
        link.unlink()
        link.symlink_to(target)
    assert certificate.reload_if_changed()
    assert not certificate.reload_if_changed()


@pytest.mark.parametrize("command", ["serve", "inference"])
@pytest.mark.parametrize("secure", [True, False])
def test_sighup_ends_no_server(tmp_path: Path, command, secure):
    cert, key = make_certificate(tmp_path)
    flags = ["--tls-cert", str(cert), "--tls-key", str(key)] if secure else []
    flags += ["--data-dir", str(tmp_path / "data"), "--clip-s", "5", "--max-awake", "8"] if command == "serve" else []
    with subprocess.Popen(
        [sys.executable, "-m", "lullwave", command, "--port", "0", "--log-level", "info", *flags],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert "Lullwave" in process.stdout.readline()
            process.send_signal(signal.SIGHUP)
            expected = "was read again" if secure else "no TLS certificate to read again"
            assert any(expected in line for line in process.stderr)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=TIMEOUT_S)
            assert process.returncode in (0, -signal.SIGTERM)
        finally:
            process.kill()
