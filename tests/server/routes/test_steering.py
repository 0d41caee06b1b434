"""Requests over HTTP: heard by everybody within seconds, queued in sight of all, voted on, undone, refused."""

import json
import threading
import time
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
from faulty_engine import Fault, faulty
from radio_server import ENGINES, events, read_exactly, serving
from sine_engine import HIGH_HZ, RATE

from lullwave.clock import SimulatedClock
from lullwave.codecs import decode
from lullwave.server.live import prompt_queue
from lullwave.station import Station

STATIONS = [
    {"id": "open", "prompts": ["a tone"]},
    {"id": "owned", "prompts": ["a tone"], "policy": "owner"},
    {"id": "voted", "prompts": ["a tone"], "policy": "vote"},
]


FLAGS = {"stations": STATIONS, "steer_every_s": 0.0, "vote_s": 1.0, "token": "secret"}


@pytest.fixture
def radio(tmp_path):
    with serving(tmp_path, **FLAGS) as served:
        yield served


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    """One server for all requests that change nothing."""
    with serving(tmp_path_factory.mktemp("unchanged"), **FLAGS) as served:
        yield served


def steer(served, prompt, station="open", **more):
    headers = more.pop("headers", None)
    return served.ask(f"/api/stations/{station}/prompt", "POST", {"prompt": prompt, **more}, headers)


@contextmanager
def tuned_in(served, *listeners):
    """These listeners have an audio connection."""
    with ExitStack() as stack:
        for who in listeners:
            stack.enter_context(served.listening(f"/stream.mp3?listener={who}"))
        yield


def told(feed, kind):
    return next(data for k, data in events(feed) if k == kind)


def test_a_request_is_understood_and_heard_within_four_seconds(radio):
    with radio.listening() as stream, radio.listening("/api/events?listener=a") as feed:
        radio.clock.advance(30)
        data = read_exactly(stream, 30 * 24000)
        reply = radio.json("/api/stations/open/prompt", "POST", {"prompt": "brighter gibberish", "listener": "a"})
        assert reply["state"] == "turning"
        assert "brighter" in reply["understood"]["text"]
        assert reply["understood"]["data"] == {"hz": HIGH_HZ}
        assert reply["understood"]["ignored"] == ["gibberish"]
        assert 0.7 <= reply["heard_in_s"] <= 1.9
        asked_at = len(data)
        radio.clock.advance(15)
        data += read_exactly(stream, 14 * 24000)
        steer = told(feed, "steer")
        assert (steer["prompt"], steer["frame"]) == ("brighter gibberish", reply["frame"])
        assert radio.json("/api/stations/open")["now"]["prompt"] == "brighter gibberish"
    sound = decode(data).samples[:, 0]
    turn = np.exp(-2j * np.pi * HIGH_HZ * np.arange(len(sound)) / RATE)
    part = RATE // 4
    high = np.abs((sound * turn)[: len(sound) // part * part].reshape(-1, part).mean(axis=1))
    first = int(np.argmax(high > 0.002)) * part / RATE
    assert first - asked_at / 24000 <= 5.0  # three of them are the burst that a listener is behind


def test_a_prompt_of_which_nothing_is_understood_changes_nothing(radio):
    for station in ("open", "voted"):
        response, reply = steer(radio, "tonne", station)
        assert response.status == 200
        reply = json.loads(reply)
        assert (reply["state"], reply["frame"], reply["votes"]) == ("ignored", None, {})
        assert reply["understood"]["suggestions"] == {"tonne": ["tone"]}
        told = radio.json(f"/api/stations/{station}")
        assert (told["prompt"], told["waiting"], told["votes"]) == ("a tone", [], {})
    assert radio.ask("/api/stations/open/undo", "POST")[0].status == 429


def test_undo_goes_back_step_by_step(radio):
    assert radio.ask("/api/stations/open/undo", "POST")[0].status == 429
    for prompt in ("one", "two"):
        assert steer(radio, prompt)[0].status == 200
    undone = radio.json("/api/stations/open/undo", "POST")
    assert "one" in undone["understood"]["text"]
    assert undone["prompt"] == "one"
    assert "a tone" in radio.json("/api/stations/open/undo", "POST", {"listener": "x"})["understood"]["text"]
    assert radio.json("/api/stations/open")["prompt"] == "a tone"


def test_a_station_returns_to_its_own_programme(radio):
    for prompt in ("one", "two"):
        assert steer(radio, prompt)[0].status == 200
    assert radio.json("/api/stations/open/own-programme", "POST")["prompt"] == "a tone"
    assert radio.json("/api/stations/open")["prompt"] == "a tone"
    assert radio.ask("/api/stations/owned/own-programme", "POST")[0].status == 403
    assert radio.ask("/api/stations/nowhere/own-programme", "POST")[0].status == 404


def test_a_slow_engine_does_not_hold_the_answer_back(tmp_path, monkeypatch):
    monkeypatch.setattr(prompt_queue, "ANSWER_S", 0.3)
    fault = Fault(SimulatedClock())
    engines = {**ENGINES, "faulty": faulty(fault)}
    stations = [{"id": "open", "prompts": ["a tone"], "engine": "faulty"}]
    with serving(tmp_path, fault.clock, engines, stations=stations, steer_every_s=0.0) as served:
        with served.listening() as stream:
            served.clock.advance(30)
            read_exactly(stream, 20 * 24000)
            fault.speed = 0.4
            reply = served.json("/api/stations/open/prompt", "POST", {"prompt": "brighter"})
            assert (reply["state"], reply["frame"]) == ("queued", None)
            assert reply["heard_in_s"] > 0
            assert [one["prompt"] for one in served.json("/api/stations/open")["waiting"]] == ["brighter"]
            for _ in range(40):
                served.clock.advance(0.5)
            assert served.json("/api/stations/open")["now"]["prompt"] == "brighter"
            assert served.json("/api/stations/open")["waiting"] == []
        told = threading.Event()  # not even what the engine understands is told
        monkeypatch.setattr(Station, "understand", lambda self, prompt: told.wait(60))
        reply = served.json("/api/stations/open/prompt", "POST", {"prompt": "calmer"})
        told.set()
        assert reply["understood"]["text"] in ("calmer", "a tone for 'calmer'")


def test_an_undo_that_waited_goes_back_from_what_is_played_then(tmp_path):
    with serving(tmp_path, stations=STATIONS, steer_every_s=0.5) as served, tuned_in(served, *"abc"):
        assert steer(served, "one")[0].status == 200
        for who in "abc":  # two too many
            served.ask("/api/stations/open/undo", "POST", {"listener": who})
        assert steer(served, "two")[0].status == 200
        while served.json("/api/stations/open")["prompt"] != "two":
            served.clock.settle()
        queue = served.app.state.services.prompt_queues["open"]
        while served.on_loop(queue._steering.locked):
            pass
        assert list(queue._earlier) == ["a tone"]


def test_an_id_that_nobody_listens_with_is_no_vote_and_no_place_in_the_queue(tmp_path):
    with serving(tmp_path, stations=STATIONS, steer_every_s=600.0, vote_s=600.0) as served:
        for n in range(5):
            steer(served, f"prompt {n}", "voted", listener=f"made-up-{n}")
            steer(served, f"prompt {n}", listener=f"made-up-{n}")
        assert served.json("/api/stations/voted")["votes"] == {"prompt 4": 1}
        assert [w["prompt"] for w in served.json("/api/stations/open")["waiting"]] == ["prompt 4"]


def test_where_votes_decide_an_undo_is_a_vote(radio):
    with tuned_in(radio, "a", "b"):
        steer(radio, "rain", "voted", listener="a")
        while radio.json("/api/stations/voted")["prompt"] != "rain":
            radio.clock.settle()
        while radio.on_loop(radio.app.state.services.prompt_queues["voted"]._steering.locked):
            pass
        reply = radio.json("/api/stations/voted/undo", "POST", {"listener": "b"})
        assert (reply["state"], reply["votes"]) == ("voted", {"a tone": 1})
        assert radio.json("/api/stations/voted")["prompt"] == "rain"


def test_only_the_owner_steers_an_owners_station(radio):
    assert steer(radio, "mine", "owned")[0].status == 403
    assert steer(radio, "mine", "owned", headers={"Authorization": "Bearer wrong"})[0].status == 403
    assert steer(radio, "mine", "owned", headers={"Authorization": "Bearer secret"})[0].status == 200
    assert radio.ask("/api/stations/owned/undo", "POST")[0].status == 403


def test_a_station_of_the_owners_has_a_token_without_the_setting(tmp_path):
    with serving(tmp_path, stations=STATIONS) as served:
        shown = {"Authorization": f"Bearer {served.app.state.services.owner_token.made}"}
        assert steer(served, "mine", "owned")[0].status == 403
        assert steer(served, "mine", "owned", headers=shown)[0].status == 200
        assert steer(served, "anybody's")[0].status == 200
    with serving(tmp_path) as served:
        assert not served.app.state.services.owner_token.made


def test_the_prompt_with_most_votes_wins(radio):
    with tuned_in(radio, *"abcd"), radio.listening("/api/events?station=voted") as feed:
        for who, prompt in (("a", "rain"), ("b", "snow"), ("c", "rain"), ("b", "rain"), ("d", "snow")):
            response, _ = steer(radio, prompt, "voted", listener=who)
            assert response.status == 200
        assert radio.json("/api/stations/voted")["votes"] == {"rain": 3, "snow": 1}
        feed_events = events(feed)
        while next(feed_events)[1].get("votes") != {"rain": 3, "snow": 1}:
            pass
        while True:
            kind, data = next(feed_events)
            if kind == "queue" and not data["waiting"] and not data["votes"]:
                break
    with radio.listening("/stations/voted/stream.mp3") as stream:
        radio.clock.advance(12)
        read_exactly(stream, 10 * 24000)
    assert radio.json("/api/stations/voted")["prompt"] == "rain"


def test_requests_that_come_too_fast_wait_in_sight_of_all_and_the_queue_has_an_end(tmp_path):
    with (
        serving(tmp_path, stations=STATIONS, steer_every_s=600.0, max_wishes=2) as served,
        tuned_in(served, *"abc"),
    ):
        assert served.json("/api/stations/open/prompt", "POST", {"prompt": "now"})["state"] == "turning"
        for n, who in enumerate(("a", "b", "a")):
            reply = served.json("/api/stations/open/prompt", "POST", {"prompt": f"later {n}", "listener": who})
            assert reply["state"] == "queued"
            assert reply["heard_in_s"] > 500
        waiting = served.json("/api/stations/open")["waiting"]
        assert [w["prompt"] for w in waiting] == ["later 1", "later 2"]
        response, _ = steer(served, "too many", listener="c")
        assert response.status == 429
        assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "body", [{"prompt": "(open"}, {"prompt": "x" * 1001}, {"prompt": 5}, {}, {"prompt": "x", "loud": 1}, []]
)
def test_wrong_requests_are_refused_and_the_music_goes_on(unchanged, body):
    response, data = unchanged.ask("/api/stations/open/prompt", "POST", body)
    assert response.status == 422
    assert b'"allowed"' in data
    assert unchanged.json("/api/stations/open")["prompt"] == "a tone"
    assert unchanged.ask("/api/stations/nowhere/prompt", "POST", {"prompt": "x"})[0].status == 404


def test_bands_follow_the_sound(radio):
    with radio.listening("/api/events") as feed, radio.listening() as stream:
        radio.clock.advance(5)
        read_exactly(stream, 4 * 24000)
        found = [data for _, data in zip(range(40), (d for k, d in events(feed) if k == "bands"), strict=False)]
    assert all(len(data["levels"]) == 16 for data in found)
    spacing = np.diff([data["frame"] for data in found]) / RATE
    assert np.all((spacing > 0.08) & (spacing < 0.12))
    assert int(np.argmax(found[-1]["levels"])) == 4  # 220 Hz, of sixteen bands from 40 Hz to 16 kHz


def test_foreign_pages_and_names_are_kept_out(radio):
    own = f"http://127.0.0.1:{radio.port}"
    assert steer(radio, "x", headers={"Origin": own})[0].status == 200
    for origin in ("https://evil.example", "null", f"{own}0"):
        assert steer(radio, "x", headers={"Origin": origin})[0].status == 403
        assert radio.ask("/api/generate", "POST", {}, {"Origin": origin})[0].status == 403
        for path in ("/run_inference", "/run_inference/"):  # open to pages: only the missing fields are wrong
            assert radio.ask(path, "POST", {}, {"Origin": origin})[0].status == 422
            assert radio.ask(path, "POST", {}, {"Origin": origin, "Host": "evil.example"})[0].status == 403
    assert radio.ask("/api/stations", headers={"Host": "evil.example"})[0].status == 403
    assert radio.ask("/api/stations", headers={"Host": f"localhost:{radio.port}"})[0].status == 200


def test_a_public_address_needs_the_token(tmp_path):
    with serving(tmp_path, host="0.0.0.0", token="secret", stations=STATIONS) as served:
        assert steer(served, "x")[0].status == 401
        assert served.ask("/api/generate", "POST", {"engine": "sines", "duration_s": 1})[0].status == 401
        for headers in ({}, {"Origin": "https://example.org"}):
            assert served.ask("/run_inference", "POST", {}, headers)[0].status == 401
        assert steer(served, "x", headers={"Authorization": "Bearer secret"})[0].status == 200
        assert served.ask("/api/stations", headers={"Host": "radio.example"})[0].status == 200
    with serving(tmp_path, host="0.0.0.0", open_steering=True, legacy_open=True, stations=STATIONS) as served:
        assert steer(served, "x")[0].status == 200
        assert served.app.state.services.owner_token.made
        assert served.ask("/run_inference", "POST", {})[0].status == 422
        assert served.ask("/api/generate", "POST", {})[0].status == 401


def test_one_address_has_few_votes_whatever_ids_it_makes_up(tmp_path, monkeypatch):
    monkeypatch.setattr("lullwave.server.live.audience.AWAY_S", 0.5)
    with serving(tmp_path, stations=STATIONS, vote_s=600.0) as served:
        for n in range(12):  # one after the other: each listens, votes and leaves
            with tuned_in(served, f"id-{n}"):
                steer(served, "mine", "voted", listener=f"id-{n}")
            assert served.json("/api/stations/voted")["votes"].get("mine", 0) <= 4
        late = time.monotonic() + 30.0
        while served.json("/api/stations/voted")["votes"] != {}:  # a vote leaves with its listener
            assert time.monotonic() < late
            time.sleep(0.05)
        many = [f"id-{n}" for n in range(12)]
        with tuned_in(served, *many):
            statuses = [steer(served, "mine", "voted", listener=who)[0].status for who in many]
            assert statuses == [200] * 4 + [429] * 8
            assert served.json("/api/stations/voted")["votes"] == {"mine": 4}
            assert steer(served, "another", "voted", listener="id-0")[0].status == 200  # a listener may change its vote
            assert served.json("/api/stations/voted")["votes"] == {"mine": 3, "another": 1}


def test_one_address_has_few_places_in_the_queue(tmp_path):
    many = [f"id-{n}" for n in range(8)]
    with serving(tmp_path, stations=STATIONS, steer_every_s=600.0) as served, tuned_in(served, *many):
        assert steer(served, "now")[0].status == 200
        statuses = [steer(served, f"later {who}", listener=who)[0].status for who in many]
        assert statuses == [200] * 4 + [429] * 4
        assert len(served.json("/api/stations/open")["waiting"]) == 4
