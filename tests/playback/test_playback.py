"""``lullwave play``: blocks made ahead, speakers behind sounddevice's interface, a small Icecast server."""

import base64
import socket
import sys
import threading
import types
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from lullwave import Audio
from lullwave.cli.app import run
from lullwave.clock import SimulatedClock
from lullwave.codecs import decode
from lullwave.errors import EngineFailed, InvalidInput
from lullwave.playback.ahead import ReadAhead
from lullwave.playback.icecast import EARLY_S, IcecastAddress, IcecastRefused, IcecastSource, Part, WrongPassword, push

TIMEOUT_S = 60


def block(value, seconds=1.0):
    return Audio.of(np.full(round(100 * seconds), value), 100)


def test_blocks_are_made_ahead_in_order_and_not_further_than_asked():
    made = []
    limit = threading.Event()

    def blocks():
        for n in range(20):
            made.append(n)
            if n == 4:
                limit.set()
            yield block(n / 100)

    ahead = ReadAhead(blocks(), ahead_s=5.0)
    assert limit.wait(TIMEOUT_S)
    assert made == [0, 1, 2, 3, 4]
    heard = [round(100 * float(one.samples[0, 0])) for one in ahead]
    assert heard == list(range(20))


def test_an_error_of_the_engine_comes_after_what_was_made():
    def blocks():
        yield block(0.1)
        raise EngineFailed("broke")

    heard = iter(ReadAhead(blocks()))
    assert next(heard).frames == 100
    with pytest.raises(EngineFailed, match="broke"):
        next(heard)


@pytest.fixture
def sounddevice(monkeypatch):
    """A module with the part of sounddevice's interface that is used; it keeps what it is given."""
    fake = types.ModuleType("sounddevice")
    fake.opened = []
    fake.devices = [{"name": "Desk speakers", "max_output_channels": 2}, {"name": "Mic", "max_output_channels": 0}]

    class PortAudioError(Exception):
        pass

    class OutputStream:
        def __init__(self, **options):
            self.options, self.written, self.state = options, [], ["opened"]
            fake.opened.append(self)

        def start(self):
            self.state.append("started")

        def write(self, samples):
            assert samples.dtype == np.float32
            assert samples.shape[1] == self.options["channels"]
            self.written.append(samples)
            return False

        def stop(self):
            self.state.append("stopped")

        def close(self):
            self.state.append("closed")

    def query_devices(device=None, kind=None):
        if device is None:
            return fake.devices
        found = [one for one in fake.devices if str(device).lower() in one["name"].lower()]
        if not found:
            raise ValueError(f"No output device matching {device!r}")
        return found[0]

    fake.PortAudioError, fake.OutputStream, fake.query_devices = PortAudioError, OutputStream, query_devices
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


@pytest.fixture
def lullwave(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["lullwave", *arguments])
        with pytest.raises(SystemExit) as ended:
            run()
        return ended.value.code or 0, capsys.readouterr().err

    return call


def test_words_are_played_on_the_speakers(lullwave, sounddevice):
    status, said = lullwave("play", "calm", "piano", "--seed", "3", "--seconds", "2", "--speakers", "desk")
    assert status == 0, said
    assert "Title: " in said
    (stream,) = sounddevice.opened
    assert stream.options == {
        "samplerate": 44100, "channels": 2, "dtype": "float32", "device": "desk", "latency": "high",
    }  # fmt: skip
    assert stream.state == ["opened", "started", "stopped", "closed"]
    heard = np.concatenate(stream.written)
    assert len(heard) == 2 * 44100
    from lullwave import generate

    assert np.array_equal(heard, generate("calm piano", seconds=2, seed=3).samples.clip(-1, 1))


def test_missing_devices_and_packages_are_told(lullwave, sounddevice, monkeypatch):
    status, said = lullwave("play", "x", "--seconds", "1", "--speakers", "attic")
    assert (status, "Desk speakers" in said) == (2, True)
    sounddevice.devices.clear()
    status, said = lullwave("play", "x", "--seconds", "1")
    assert (status, "no sound output" in said, "icecast://" in said) == (1, True, True)
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    status, said = lullwave("play", "x", "--seconds", "1")
    assert (status, "pip install 'lullwave[play]'" in said) == (1, True)


class IcecastLike:
    """The part of Icecast that sources talk to: PUT with a password, and titles."""

    def __init__(self, password="secret"):
        self.sources, self.titles, self.heads = [], [], []
        self.cut_after = None  # bytes after which the first source's connection is cut
        self._password = password
        self._bound = socket.create_server(("127.0.0.1", 0))
        self.url = f"icecast://source:secret@127.0.0.1:{self._bound.getsockname()[1]}/lofi.mp3"
        self._threads = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self):
        self._bound.shutdown(socket.SHUT_RDWR)
        self._bound.close()
        for thread in [self._accepting, *self._threads]:
            thread.join(TIMEOUT_S)

    def _accept(self):
        while True:
            try:
                connection, _ = self._bound.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as file:
            first = file.readline().decode()
            head = {}
            while (line := file.readline().decode().strip()) != "":
                name, _, value = line.partition(": ")
                head[name.lower()] = value
            right = "Basic " + base64.b64encode(f"source:{self._password}".encode()).decode()
            if head.get("authorization") != right:
                connection.sendall(b"HTTP/1.0 401 Authentication Required\r\n\r\n")
                return
            method, path, _ = first.split()
            if method == "GET":
                self.titles.append(parse_qs(urlsplit(path).query)["song"][0])
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")
                return
            assert (method, path) == ("PUT", "/lofi.mp3")
            self.heads.append(head)
            received = bytearray()
            self.sources.append(received)
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            cut, self.cut_after = self.cut_after, None
            while data := file.read1(4096):
                received += data
                if cut is not None and len(received) > cut:
                    return


@pytest.fixture
def icecast():
    server = IcecastLike()
    yield server
    server.close()


def test_a_station_is_pushed_to_a_mount(lullwave, icecast):
    status, said = lullwave("play", "calm", "piano", "--seed", "3", "--seconds", "3", "--to", icecast.url)
    assert status == 0, said
    (head,) = icecast.heads
    assert (head["content-type"], head["ice-name"], head["ice-bitrate"]) == ("audio/mpeg", "calm piano", "192")
    for thread in icecast._threads:
        thread.join(TIMEOUT_S)
    heard = decode(bytes(icecast.sources[0]), 60)
    assert heard.duration_s == pytest.approx(3.0, abs=0.15)
    assert heard.rms_dbfs > -40
    assert len(icecast.titles) == 1
    assert icecast.titles[0] in said
    assert "secret" not in said


def test_wrong_passwords_and_addresses_are_told_without_the_password(icecast, lullwave):
    status, said = lullwave("play", "x", "--seconds", "1", "--to", icecast.url.replace("secret", "hidden"))
    assert (status, "wrong user or password" in said, "hidden" in said) == (1, True, False)
    for wrong in (
        "http://host/x",
        "icecast://host:8000/mount",
        "icecast://a:hidden@host:8000/",
        "icecast://a:hidden@h:x/m",
        "icecast://a:hidden@h:0/m",
        "icecast://a:hidden@h:70000/m",
        f"icecast://a:hidden@{'h' * 70}/m",
        "icecast://a:hidden@h/m#part",
        "icecast://source:12/hidden@h/m",
        "icecast://source:12@34/hidden@h/m",
        "icecast://source:a?hidden@h/m",
        "icecast://source:a#hidden@h/m",
        "icecast://source:a@hidden@h/m",
        "icecast://source:hidden@/m",
        "icecast://source:hidden%0a@h/m",
        "source:hidden@127.0.0.1:18795/m",
        "hidden@h/m",
    ):
        with pytest.raises(InvalidInput, match="icecast://source") as told:
            IcecastAddress.parse(wrong)
        assert "hidden" not in str(told.value)
    parsed = IcecastAddress.parse("icecasts://me:p%40ss@host/a.mp3")
    assert (parsed.user, parsed.password, parsed.port, parsed.tls) == ("me", "p@ss", 8000, True)


@pytest.mark.parametrize(
    ("place", "target", "authority", "mount"),
    [
        ("h/a.mp3", "/a.mp3", "h:8000", "/a.mp3"),
        ("h/r%20ä", "/r%20%C3%A4", "h:8000", "/r ä"),
        ("h/r%2520", "/r%2520", "h:8000", "/r%20"),
        ("h:1/m?x=1&y=%20ä", "/m?x=1&y=%20%C3%A4", "h:1", "/m"),
        ("[::1]:65535/m", "/m", "[::1]:65535", "/m"),
        ("münchen.example/m", "/m", "xn--mnchen-3ya.example:8000", "/m"),
        ("h/a%0d%0ab", "/a%0D%0Ab", "h:8000", "/a\r\nb"),
    ],
)
def test_mounts_are_escaped_once_and_hosts_are_as_http_has_them(place, target, authority, mount):
    parsed = IcecastAddress.parse(f"icecast://:hidden@{place}")
    assert (parsed.target, parsed.authority, parsed.mount, parsed.user) == (target, authority, mount, "source")
    assert str(parsed) == f"icecast://{authority}{target.partition('?')[0]}"


def test_names_and_titles_are_utf8_and_cannot_end_a_header(icecast):
    address = IcecastAddress.parse(icecast.url)
    names = ["雨の音 piano ☕", "a\r\nIce-Public: 1\x00\ud800", "雨" * 100]
    for name in names:
        source = IcecastSource(address, name, 128)
        source.title(name[:9].replace("\r", ""))
        source.close()
    sent = [(head["ice-name"], head["ice-public"]) for head in icecast.heads]
    assert sent == [(names[0], "0"), ("a Ice-Public: 1", "0"), ("雨" * 66, "0")]  # 66 letters are 198 bytes
    assert icecast.titles[0] == names[0][:9]


class Recorder:
    """A source that keeps what it was sent and when; fails when told to."""

    def __init__(self, clock, log, fails=()):
        self.clock, self.log, self.fails = clock, log, list(fails)

    def send(self, data):
        if self.fails and data in self.fails:
            raise IcecastRefused("lost")
        self.log.append((self.clock.now(), data))

    def title(self, text):
        self.log.append((self.clock.now(), text))

    def close(self):
        self.log.append((self.clock.now(), "closed"))


def test_the_pace_is_that_of_the_music_and_lost_connections_are_made_again():
    clock, log, told = SimulatedClock(), [], []
    begun = clock.now()
    connections = []

    def connect():
        connections.append(clock.now() - begun)
        if len(connections) == 2:
            raise IcecastRefused("still away")
        return Recorder(clock, log, fails=[b"5"] if len(connections) == 1 else [])

    parts = [Part(str(n).encode(), 1.0, "One" if n < 3 else "Two") for n in range(10)]
    pushing = threading.Thread(target=push, args=(parts, connect, clock, told.append))
    pushing.start()
    for _ in range(40):
        clock.advance(0.5)
    pushing.join(TIMEOUT_S)
    assert not pushing.is_alive()
    sent = {data: at - begun for at, data in log if isinstance(data, bytes)}
    assert list(sent) == [str(n).encode() for n in range(10) if n != 5]
    assert [sent[str(n).encode()] for n in range(5)] == [max(0.0, n - EARLY_S) for n in range(5)]
    assert connections == [0.0, 4.0, 6.0]  # lost at 3 s, tried after 1 s and 2 s more
    assert [data for _, data in log if isinstance(data, str)] == ["One", "Two", "closed", "Two", "closed"]
    assert told == ["lost; trying again", "still away"]


def test_a_password_that_is_refused_later_ends_it_too():
    clock, log, connections = SimulatedClock(), [], []

    def connect():
        connections.append(clock.now())
        if len(connections) == 2:
            raise WrongPassword("changed")
        return Recorder(clock, log, fails=[b"0"])

    ended = []

    def pushing():
        try:
            push([Part(b"0", 1.0)], connect, clock)
        except WrongPassword as error:
            ended.append(str(error))

    thread = threading.Thread(target=pushing)
    thread.start()
    while thread.is_alive():
        clock.advance(0.5)
    assert ended == ["changed"]
