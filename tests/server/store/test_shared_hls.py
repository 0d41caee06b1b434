"""HLS from several servers of one store: the same segments under the same names, whichever server is asked."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime

import m3u8
import numpy as np
import pytest
from pyav_decoder import decoded
from radio_server import Served
from shared_servers import Shared, channels, programme

from lullwave.segments.reader import SegmentReader
from lullwave.server.hls.feed import KBPS
from lullwave.server.hls.playlists import LISTED, SEGMENT_FRAMES
from lullwave.station import RATE

pytest.importorskip("av")
HLS = "/stations/piano/hls"


@pytest.fixture
def shared(tmp_path):
    with ExitStack() as stack:
        yield Shared(stack, tmp_path)


def asked(shared: Shared, served: Served, name: str, waking: bool = False) -> tuple[int, bytes]:
    """Status and body of a file of HLS; time passes only while a station is woken."""
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(served.ask, f"{HLS}/{name}")
        if waking:
            shared.until(asking.done, 0.05)
        response, data = asking.result()
        return response.status, data


class Player:
    """Asks another server with each request."""

    def __init__(self, shared: Shared, servers: list[Served], kbps: int) -> None:
        self.shared, self.servers, self.kbps = shared, servers, kbps
        self._requests = 0
        self.files: dict[str, bytes] = {}
        self.dates: dict[str, datetime] = {}
        self.numbers: dict[str, int] = {}
        self.playlists: list[m3u8.M3U8] = []

    def ask(self, name: str) -> bytes:
        self._requests += 1
        server = self.servers[self._requests % len(self.servers)]
        status, data = asked(self.shared, server, name, waking=not self.files)
        assert status == 200, (name, data)
        return data

    def poll(self) -> None:
        playlist = m3u8.loads(self.ask(f"{self.kbps}.m3u8?listener=ann").decode())
        self.playlists.append(playlist)
        for at, one in enumerate(playlist.segments):
            assert self.dates.setdefault(one.uri, one.current_program_date_time) == one.current_program_date_time
            assert self.numbers.setdefault(one.uri, playlist.media_sequence + at) == playlist.media_sequence + at
            for uri in (one.init_section.uri, one.uri):
                if uri not in self.files:
                    self.files[uri] = self.ask(uri)

    def heard(self) -> np.ndarray:
        return decoded(b"".join(self.files.values()))


def assert_programme(player: Player, shared: Shared, server: Served) -> None:
    """What a player has heard is the programme: all samples, in their places."""
    numbers = list(player.numbers.values())
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    manifest = SegmentReader(channels(server).store, "piano").manifest()
    first = min(player.dates.values()).timestamp()
    begin = manifest.frame_at(first + 1e-3) - round(1e-3 * RATE)  # dates are rounded to microseconds
    assert abs(begin - round(begin / SEGMENT_FRAMES) * SEGMENT_FRAMES) <= 1
    begin = round(begin / SEGMENT_FRAMES) * SEGMENT_FRAMES
    heard = player.heard()
    assert len(heard) == len(numbers) * SEGMENT_FRAMES
    made = programme((begin + len(heard)) / RATE + 1)[begin:][: len(heard)]
    error = np.abs(heard - made)[1024:].max(axis=1)  # the first packet lacks the one before it
    assert error.max() < 0.02, f"{error.max():.3f} at {error.argmax()}"
    joins = np.arange(1, len(numbers)) * SEGMENT_FRAMES - 1024
    around = max(error[at - 1024 : at + 1024].max() for at in joins)
    assert around <= error.max()
    packets = np.square(heard - made)[1024:].mean(axis=1).reshape(-1, 1024).mean(axis=1)
    places = np.arange(1, len(packets) + 1) % 86
    at_joins = np.isin(places, (85, 0))
    assert packets[at_joins].mean() < 1.2 * packets[~at_joins].mean()


def test_a_listener_may_ask_any_server_each_time(shared):
    shared.add(produce=True)
    second = ExitStack()
    servers = [shared.add(), shared.add(stack=second)]
    shared.run(2.0)
    players = [Player(shared, servers, kbps) for kbps in KBPS]

    def listen(times: int) -> None:
        for _ in range(times):
            shared.run(6.0)
            for player in players:
                player.poll()

    listen(6)
    second.close()  # one server goes, and is started anew
    del servers[1]
    listen(1)
    servers.append(shared.add())
    listen(5)
    for player in players:
        assert len(player.numbers) >= 30
        assert_programme(player, shared, servers[0])
        for name, data in list(player.files.items())[-4:]:
            assert [asked(shared, one, name) for one in servers] == [(200, data)] * 2
        ends = [len(one.segments) for one in player.playlists[4:]]
        assert ends == [LISTED] * len(ends)  # also right after a server has started
        (piece, *_) = player.playlists[-1].segments[0].dateranges
        texts = [asked(shared, one, f"{player.kbps}.m3u8?listener=ann")[1].decode() for one in servers]
        titles = [[line for line in text.splitlines() if "DATERANGE" in line] for text in texts]
        assert titles[0] == titles[1]
        assert piece.x_client_attrs[0][1].startswith('"Tone ')


def test_what_one_server_announced_another_one_gives_and_what_is_to_come_none(shared):
    shared.add(produce=True)
    first, second = shared.add(), shared.add()
    shared.run(2.0)
    player = Player(shared, [first], 160)
    for _ in range(3):
        player.poll()
        shared.run(8.0)
    names = list(player.numbers)
    stem, _, number = names[-1].removesuffix(".m4s").rpartition("-")
    # the second server has never been asked: it makes them from the store
    for name in (names[0], names[len(names) // 2], names[-1]):
        assert asked(shared, second, name) == (200, player.files[name])
    init = next(name for name in player.files if name.endswith("init.mp4"))
    assert asked(shared, second, init) == (200, player.files[init])
    low = names[-1].replace("-160-", "-64-")
    assert asked(shared, second, low) == asked(shared, first, low)
    for served in (first, second):
        for name in (
            f"{stem}-{int(number) + 8}.m4s",  # written, but not on air yet
            f"{stem}-{int(number) + 1000}.m4s",
            f"{stem}-0.m4s",
            f"{stem.replace('-160', '-96')}-{number}.m4s",
            f"0123456789ab-160-{number}.m4s",
            "0123456789ab-160-init.mp4",
        ):
            assert asked(shared, served, name)[0] == 404, name
