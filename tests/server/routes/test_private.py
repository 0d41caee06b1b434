"""Just for me: a private stream goes on with the same music, alone, unlisted, within limits, and ends with its tab."""

import json
import threading
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
from faulty_engine import Fault, faulty
from radio_server import ENGINES, events, read_exactly, serving
from sine_engine import HIGH_HZ, RATE, tone

from lullwave.clock import SimulatedClock
from lullwave.codecs import decode
from lullwave.server.live import private
from lullwave.server.live.prompt_queue import SUBMIT_BURST

STATIONS = [
    {"id": "open", "prompts": ["a tone"]},
    {"id": "owned", "prompts": ["a tone"], "policy": "owner"},
    {"id": "third", "prompts": ["a tone"]},
]
TOKEN = {"Authorization": "Bearer secret"}


@pytest.fixture
def radio(tmp_path):
    with serving(tmp_path, stations=STATIONS, steer_every_s=0.0, token="secret", max_awake=4) as served:
        yield served


@pytest.fixture
def public(tmp_path):
    with serving(tmp_path, host="0.0.0.0", stations=STATIONS, steer_every_s=0.0, token="secret") as served:
        yield served


def fork(served, station="open", **body):
    response, data = served.ask(f"/api/stations/{station}/private", "POST", body or None)
    return response.status, json.loads(data)


def stream_of(reply, listener=""):
    return f"{reply['stream']}?listener={listener}" if listener else reply["stream"]


def alive(served):
    return served.on_loop(lambda: list(served.app.state.services.channels.private))


def until(condition):
    while not condition():
        pass


@contextmanager
def playing(served, station="open", seconds=20):
    """Someone hears a station, and goes on to."""
    with served.listening(f"/stations/{station}/stream.mp3") as stream:
        served.clock.advance(seconds)
        read_exactly(stream, (seconds - 1) * 24000)
        yield stream


def tone_level(sound, hz):
    turn = np.exp(-2j * np.pi * hz * np.arange(len(sound)) / RATE)
    return float(abs(np.mean(sound * turn)))


def test_the_same_music_goes_on_for_one_listener_alone(radio):
    with playing(radio, seconds=30) as shared, radio.listening("/api/events?station=open") as others:
        frame = radio.json("/api/stations/open")["frame"] - 4 * RATE
        status, mine = fork(radio, frame=frame)
        assert (status, mine["continues"], mine["begins"], mine["station"]) == (201, True, frame, "open")
        assert mine["now"]["started_frame"] == -(frame % (20 * RATE))
        with (
            radio.listening(stream_of(mine, "me")) as own,
            radio.listening(f"/api/events?station={mine['id']}&listener=me") as feed,
        ):
            told = events(feed)
            radio.clock.advance(12)
            first, begun = (next(data["frame"] for kind, data in told if kind == k) for k in ("first", "piece"))
            assert (mine["begins"] + begun) % (20 * RATE) == 0
            # The tone's phase tells the frame: this is the station's music from the frame on that was asked for.
            alone = decode(read_exactly(own, 11 * 24000)).samples[RATE : 9 * RATE, 0]
            expected = tone(mine["begins"] + first + RATE, 8 * RATE, 220.0, [])[:, 0]
            for one, other in zip(np.split(alone, 8), np.split(expected, 8), strict=True):
                assert np.corrcoef(one, other)[0, 1] > 0.97  # the master's high-pass turns 220 Hz by 10 degrees
            reply = radio.json(f"/api/stations/{mine['id']}/prompt", "POST", {"prompt": "brighter", "listener": "me"})
            assert reply["state"] == "turning"
            radio.clock.advance(12)
            alone = decode(read_exactly(own, 12 * 24000)).samples[-2 * RATE :, 0]
            together = decode(read_exactly(shared, 23 * 24000)).samples[-2 * RATE :, 0]
            assert tone_level(alone, HIGH_HZ) > 0.01 > 0.001 > tone_level(together, HIGH_HZ)
            assert next(data["prompt"] for kind, data in told if kind == "steer") == "brighter"
        seen = json.dumps([data for _, data in zip(range(60), events(others), strict=False)])
        assert mine["id"] not in seen
        assert "brighter" not in seen


def test_nothing_lists_a_private_stream_and_a_wrong_id_tells_nothing(radio, tmp_path):
    with playing(radio):
        _, mine = fork(radio)
        with radio.listening(stream_of(mine)) as own:
            radio.clock.advance(5)
            read_exactly(own, 4 * 24000)
            public = ("/api/stations", "/metrics", "/readyz", "/healthz", "/listen.m3u", "/listen.pls", "/api/clients")
            for path in (*public, "/status-json.xsl", "/api/stations/open", "/api/stations/open/history"):
                said = radio.ask(path)[1].decode()
                assert mine["id"] not in said, path
            assert "lullwave_private_streams 1.0" in radio.ask("/metrics")[1].decode()
            assert radio.json("/readyz")["private"] == 1
            for path in ("history", "replay?at=0"):
                assert radio.ask(f"/api/stations/{mine['id']}/{path}")[0].status == 404
            for path in ("skip", "freeze", "private"):
                assert radio.ask(f"/api/stations/{mine['id']}/{path}", "POST")[0].status == 404
            wrong = "0" * len(mine["id"])
            for path in (f"/stations/{wrong}/stream.mp3", f"/api/stations/{wrong}", f"/api/events?station={wrong}"):
                response, data = radio.ask(path)
                assert response.status == 404
                assert mine["id"].encode() not in data
            assert len(mine["id"]) == 32
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert mine["id"].encode() not in stored


def test_it_ends_after_its_last_connection_with_its_threads(radio, monkeypatch):
    monkeypatch.setattr(private, "GONE_S", 0.3)
    with playing(radio):
        _, mine = fork(radio)
        with radio.listening(f"/api/events?station={mine['id']}") as feed:
            next(events(feed))
            with radio.listening(stream_of(mine)) as own:
                radio.clock.advance(5)
                read_exactly(own, 20_000)
            assert alive(radio) == [mine["id"]]  # its page is open
        until(lambda: alive(radio) == [])
        assert radio.ask(stream_of(mine))[0].status == 404
        until(lambda: not [thread for thread in threading.enumerate() if mine["id"] in thread.name])


def test_one_that_is_never_heard_or_paused_for_long_ends(radio, monkeypatch):
    monkeypatch.setattr(private, "CLAIM_S", 0.2)
    fork(radio)
    until(lambda: alive(radio) == [])
    monkeypatch.setattr(private, "PAUSED_S", 0.2)
    _, mine = fork(radio)
    with radio.listening(f"/api/events?station={mine['id']}") as feed:
        told = next(data for kind, data in events(feed) if kind == "ended")
        assert (told["station"], told["reason"]) == ("open", "paused")


def test_steering_needs_no_token_where_only_others_would_be_disturbed(public):
    for station in ("open", "owned"):
        assert public.ask(f"/api/stations/{station}/prompt", "POST", {"prompt": "x"})[0].status == 401
    public.json("/api/stations/open/freeze", "POST", headers=TOKEN)
    public.json("/api/refused-words", "POST", {"words": ["drums"]}, TOKEN)
    status, mine = fork(public, "owned")
    assert status == 201
    steering = f"/api/stations/{mine['id']}/prompt"
    assert public.json(f"/api/stations/{mine['id']}")["may_steer"]
    assert not public.json("/api/stations/open")["may_steer"]
    assert public.json(f"/api/stations/{mine['id']}/understand", "POST", {"prompt": "tonne"})["recognised"] is False
    assert public.json(f"/api/stations/{mine['id']}/vocabulary") == {"vocabulary": {}}
    assert public.json(steering, "POST", {"prompt": "brighter"})["state"] == "turning"
    assert public.ask(steering, "POST", {"prompt": "loud drums"})[0].status == 422
    assert public.ask(steering, "POST", {"prompt": "x"}, {"Origin": "https://evil.example"})[0].status == 403
    for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/skip")):
        assert public.ask(f"/api/stations/{mine['id']}{path}", method, {})[0].status == 403
    statuses = [public.ask(steering, "POST", {"prompt": "(open"})[0].status for _ in range(SUBMIT_BURST + 20)]
    assert set(statuses) == {422, 429}


def test_words_that_are_refused_later_are_refused_there_too(radio):
    _, mine = fork(radio)
    radio.json("/api/refused-words", "POST", {"words": ["drums"]})
    queue = radio.app.state.services.channels.private[mine["id"]].queue
    assert queue.refused.words == ("drums",)


def test_an_address_has_as_many_as_it_may_have_clips_and_the_owner_more(public):
    assert [fork(public)[0] for _ in range(3)] == [201, 201, 429]
    response, _ = public.ask("/api/stations/open/private", "POST", headers=TOKEN)
    assert response.status == 201


@pytest.mark.parametrize(("most", "statuses"), [(0, [503, 503]), (1, [201, 503])])
def test_a_server_has_as_many_as_the_setting_says(tmp_path, most, statuses):
    with serving(tmp_path, stations=STATIONS, max_private=most) as served:
        assert served.json("/api/stations")["private"] == (most > 0)
        assert [fork(served)[0] for _ in statuses] == statuses


def test_stations_come_first(radio):
    with ExitStack() as stack:
        stack.enter_context(playing(radio, seconds=5))
        forks = [fork(radio)[1] for _ in range(3)]  # with the default station, as many as may be awake
        own = [stack.enter_context(radio.listening(stream_of(mine))) for mine in forks]
        feeds = [stack.enter_context(radio.listening(f"/api/events?station={mine['id']}")) for mine in forks]
        response, data = radio.ask("/api/stations/open/private", "POST")
        assert (response.status, b"the stations come first" in data) == (503, True)
        assert not [one for one in radio.json("/api/stations")["stations"] if one["busy"]]
        third = stack.enter_context(radio.listening("/stations/third/stream.mp3"))
        assert third.status == 200
        told = next(data for kind, data in events(feeds[2]) if kind == "ended")
        assert (told["station"], told["reason"]) == ("open", "busy")
        assert alive(radio) == [mine["id"] for mine in forks[:2]]
        radio.clock.advance(5)
        for stream in (third, *own[:2]):
            read_exactly(stream, 4 * 24000)
        assert radio.json("/readyz")["awake"] == ["open", "third"]


def test_an_engine_that_cannot_fork_begins_a_new_stream_and_says_so(tmp_path):
    fault = Fault(clock := SimulatedClock(), snapshots=False)
    with (
        serving(tmp_path, clock, {**ENGINES, "faulty": faulty(fault)}, engine="faulty", stations=STATIONS) as served,
        playing(served, seconds=10),
    ):
        served.json("/api/stations/open/prompt", "POST", {"prompt": "brighter"})
        served.clock.advance(5)
        status, mine = fork(served)
        assert (status, mine["continues"], mine["prompt"]) == (201, False, "brighter")
        with served.listening(stream_of(mine)) as own:
            served.clock.advance(5)
            read_exactly(own, 4 * 24000)
