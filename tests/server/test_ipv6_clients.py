"""An IPv6 client has a whole /64, and one share of every limit; the owner drops addresses and networks."""

import asyncio
import json
from contextlib import ExitStack

import pytest
from radio_server import serving

from lullwave.errors import InvalidInput
from lullwave.server.clients import MAX_SHUT_OUT, Clients
from lullwave.server.process.connection_limits import ConnectionLimits

HOME, NEXT_ROOM, ELSEWHERE = "2001:db8:0:1::1", "2001:db8:0:1:9::2", "2001:db8:0:2::1"
MINE = {"Authorization": "Bearer secret"}
STATIONS = [{"id": "open", "prompts": ["a tone"]}, {"id": "voted", "prompts": ["a tone"], "policy": "vote"}]


def by(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


@pytest.fixture(scope="module")
def radio(tmp_path_factory):
    path = tmp_path_factory.mktemp("ipv6")
    flags = {"votes_per_address": 1, "max_per_address": 2, "open_steering": True, "vote_s": 600.0}
    with serving(path, token="secret", trusted_proxies="127.0.0.1", stations=STATIONS, **flags) as served:
        yield served


def test_votes_of_one_network_are_those_of_one_client(radio):
    def vote(prompt: str, address: str) -> tuple[int, dict[str, int]]:
        response, data = radio.ask("/api/stations/voted/prompt", "POST", {"prompt": prompt}, by(address))
        return response.status, json.loads(data).get("votes")

    assert vote("one", HOME) == (200, {"one": 1})
    assert vote("two", NEXT_ROOM) == (200, {"two": 1})  # instead of the first
    assert vote("two", ELSEWHERE) == (200, {"two": 2})


def test_connections_of_one_network_are_those_of_one_client(radio):
    with ExitStack() as held:
        for address in (HOME, NEXT_ROOM):
            assert held.enter_context(radio.listening(headers=by(address))).status == 200
        response, data = radio.ask("/stream.mp3", headers=by("2001:db8:0:1:5::3"))
        assert (response.status, b"2 audio connections" in data) == (503, True)
        assert held.enter_context(radio.listening(headers=by(ELSEWHERE))).status == 200
        listed = {one["address"]: one["audio"] for one in radio.json("/api/clients", headers=MINE)["clients"]}
        assert listed == {"2001:db8:0:1::/64": 2, "2001:db8:0:2::/64": 1, "127.0.0.1": 0}
        drop = {"address": HOME, "for_s": 60}
        assert radio.json("/api/clients/drop", "POST", drop, MINE) == {"address": "2001:db8:0:1::/64", "dropped": 2}
    assert b"shut out" in radio.ask("/api/stations", headers=by(NEXT_ROOM))[1]
    assert radio.ask("/api/stations", headers=by(ELSEWHERE))[0].status == 200
    back = {"address": "2001:db8::/32", "for_s": 0}
    assert radio.json("/api/clients/drop", "POST", back, MINE) == {"address": "2001:db8::/32", "dropped": 0}
    assert radio.ask("/api/stations", headers=by(NEXT_ROOM))[0].status == 200


@pytest.mark.parametrize("odd", ["radio.example", "10.0.0.1/8", "", "*", "10.0.0.0/40", "1.2.3.4:80"])
def test_what_is_neither_address_nor_network_is_refused(radio, odd):
    response, data = radio.ask("/api/clients/drop", "POST", {"address": odd}, MINE)
    told = json.loads(data)["error"]
    assert (response.status, told["field"], "10.0.0.0/8" in told["message"]) == (422, "address", True)


class Transport:
    def __init__(self) -> None:
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


def test_a_network_is_shut_out_with_all_its_addresses_and_for_no_longer(monkeypatch):
    async def main() -> None:
        clients, now = Clients(), asyncio.get_running_loop().time()
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
        inside, outside = Transport(), Transport()
        with ExitStack() as held:
            for address, transport in (("10.1.2.3", inside), ("::ffff:11.0.0.1", outside)):
                scope = {"client": (address, 1), "path": "/stream.mp3", "lullwave.transport": transport}
                held.enter_context(clients.request(scope))
            assert clients.drop("10.0.0.0/8", 50.0) == ("10.0.0.0/8", 1)
            assert clients.drop("10.1.0.0/16", 20.0)[1] == 1
            shown = {one["address"]: (one["audio"], one["shut_out_s"]) for one in clients.data()}
            both = {"10.0.0.0/8": (0, 50.0), "10.1.0.0/16": (0, 50.0)}
            assert shown == {"10.1.2.3": (1, 50.0), "11.0.0.1": (1, 0.0), **both}
        assert (inside.aborted, outside.aborted) == (True, False)
        assert clients.shut_out_s("10.255.0.1") == clients.shut_out_s("::ffff:10.1.0.1") == 50.0
        assert clients.shut_out_s("11.0.0.1") == clients.shut_out_s("") == 0.0
        now += 51
        assert clients.shut_out_s("10.1.0.1") == 0.0
        assert clients.data() == []
        for n in range(MAX_SHUT_OUT):
            clients.drop(f"192.0.{n // 256}.{n % 256}", 9.0)
        with pytest.raises(InvalidInput, match="at most 1000"):
            clients.drop("203.0.113.9", 9.0)
        clients.drop("0.0.0.0/0", 0.0)
        assert clients.data() == []

    asyncio.run(main())


def test_idle_connections_of_one_network_make_room_for_each_other_and_a_proxys_do_not():
    limits = ConnectionLimits(2, 100, lambda address: address == "2001:db8:0:1::f")
    opened = [Transport() for _ in range(6)]
    for one, address in zip(opened, ["2001:db8:0:1::f"] * 2 + [HOME, NEXT_ROOM, HOME, ELSEWHERE], strict=True):
        limits.add(one, address, lambda: True)
    assert [one.aborted for one in opened] == [False, False, True, False, False, False]
