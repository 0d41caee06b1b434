"""The owner skips pieces, freezes steering and refuses words while the radio plays; a restart keeps it."""

import json
from contextlib import ExitStack

import pytest
from radio_server import events, read_exactly, serving

MINE = {"Authorization": "Bearer secret"}
STATIONS = [{"id": "open", "prompts": ["a tone"]}, {"id": "voted", "prompts": ["a tone"], "policy": "vote"}]
FLAGS = {"stations": STATIONS, "token": "secret", "steer_every_s": 0.0}


@pytest.fixture
def radio(tmp_path):
    with serving(tmp_path, **FLAGS) as served:
        yield served


def post(served, path, body=None, headers=MINE):
    response, data = served.ask(path, "POST", body, headers)
    return response.status, json.loads(data)


def steer(served, prompt, station="open"):
    return post(served, f"/api/stations/{station}/prompt", {"prompt": prompt})


@pytest.mark.parametrize("flags", [{"trusted_proxies": "192.0.2.1"}, {"trusted_proxies": "::1", "open_steering": True}])
def test_only_the_owner_may(tmp_path, flags):
    with serving(tmp_path, **FLAGS, **flags) as served:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            for path, body in (
                ("/api/stations/open/skip", None),
                ("/api/stations/open/freeze", {"frozen": True}),
                ("/api/refused-words", {"words": ["tone"]}),
            ):
                assert post(served, path, body, headers)[0] in (401, 403)
            assert served.ask("/api/refused-words", headers=headers)[0].status == 403
        assert served.json("/api/stations/open")["frozen"] is False
        assert steer(served, "tone")[0] == 200
        for path in ("/api/stations/nowhere/skip", "/api/stations/nowhere/freeze"):
            assert post(served, path)[0] == 404


def test_a_piece_is_skipped_within_seconds(radio):
    assert post(radio, "/api/stations/open/skip")[0] == 409  # nothing is on air
    with radio.listening() as stream, radio.listening("/api/events") as feed:
        radio.clock.advance(8)
        read_exactly(stream, 8 * 24000)
        edge = radio.json("/api/stations/open")["frame"]
        assert post(radio, "/api/stations/open/skip") == (200, {"station": "open", "state": "skipping"})
        radio.clock.advance(8)
        read_exactly(stream, 7 * 24000)
        second = [data for kind, data in zip_until(feed, 2) if kind == "piece"][1]
    assert 1.5 <= (second["frame"] - edge) / 44100 <= 6


def zip_until(feed, pieces):
    """Events up to the piece of that number."""
    found = []
    for kind, data in events(feed):
        found.append((kind, data))
        if sum(one == "piece" for one, _ in found) == pieces:
            return found
    raise AssertionError("the events ended")


def test_frozen_steering_is_told_to_all_and_opened_again(tmp_path):
    with serving(tmp_path, **FLAGS, vote_s=600.0) as served:
        assert steer(served, "one")[0] == 200
        assert steer(served, "rain", "voted")[1]["state"] == "voted"
        for station in ("open", "voted"):
            assert post(served, f"/api/stations/{station}/freeze")[1] == {
                "station": station,
                "frozen": True,
                "kept": True,
            }
        assert served.json("/api/stations/voted")["votes"] == {}
        for path, body in (("prompt", {"prompt": "two"}), ("undo", None), ("own-programme", None)):
            status, told = post(served, f"/api/stations/open/{path}", body)
            assert status == 423
            assert "frozen" in told["error"]["message"]
        assert served.json("/api/stations/open")["prompt"] == "one"
    with serving(tmp_path, **FLAGS) as served:  # a restart opens nothing
        told = served.json("/api/stations/open")
        assert (told["prompt"], told["frozen"]) == ("one", True)
        assert post(served, "/api/stations/open/freeze", {"frozen": False})[1]["frozen"] is False
        assert steer(served, "two")[0] == 200
        assert steer(served, "two", "voted")[0] == 423


def test_a_refused_word_is_named_and_changes_nothing(radio):
    assert steer(radio, "a scream")[0] == 200
    assert steer(radio, "calm")[0] == 200
    assert post(radio, "/api/refused-words", {"words": ["Scream", "death metal"]}) == (
        200,
        {"words": ["Scream", "death metal"], "kept": True},
    )
    assert radio.json("/api/refused-words", headers=MINE) == {"words": ["Scream", "death metal"]}
    for station in ("open", "voted"):
        status, told = steer(radio, "slow SCREAM", station)
        assert (status, told["error"]["field"]) == (422, "prompt")
        assert "'Scream'" in told["error"]["message"]
    assert post(radio, "/api/stations/open/undo")[0] == 422  # the prompt before has it, too
    told = radio.json("/api/stations/open")
    assert (told["prompt"], told["waiting"], radio.json("/api/stations/voted")["votes"]) == ("calm", [], {})
    assert steer(radio, "screaming streams")[0] == 200
    for odd in ({"words": ["!"]}, {"words": "scream"}, {}, {"words": [""]}, {"words": ["x"] * 1001}):
        assert post(radio, "/api/refused-words", odd)[0] == 422


def test_what_waits_with_a_refused_word_is_dropped(tmp_path):
    with serving(tmp_path, **{**FLAGS, "steer_every_s": 600.0}, vote_s=600.0) as served, ExitStack() as stack:
        for who in "ab":
            stack.enter_context(served.listening(f"/stream.mp3?listener={who}"))
        steer(served, "now")
        for who, prompt in (("a", "scream"), ("b", "calm")):
            for station in ("open", "voted"):
                body = {"prompt": prompt, "listener": who}
                assert post(served, f"/api/stations/{station}/prompt", body)[0] == 200
        post(served, "/api/refused-words", {"words": ["scream"]})
        assert [one["prompt"] for one in served.json("/api/stations/open")["waiting"]] == ["calm"]
        assert served.json("/api/stations/voted")["votes"] == {"calm": 1}


def test_the_list_survives_a_restart_until_the_setting_is_changed(tmp_path):
    def words(**flags):
        with serving(tmp_path, **FLAGS, **flags) as served:
            told = served.json("/api/stations/open")
            return served.json("/api/refused-words", headers=MINE)["words"], told["prompt"]

    with serving(tmp_path, **FLAGS, refused_words="noise") as served:
        assert steer(served, "noise")[0] == 422
        assert steer(served, "a scream")[0] == 200
        post(served, "/api/refused-words", {"words": ["noise", "scream"]})
    assert words(refused_words="noise") == (["noise", "scream"], "a tone")  # nor is such a prompt played again
    assert words(refused_words="other") == (["other"], "a scream")
    (tmp_path / "changes.json").write_text('{"version": 1, "frozen": 7}')
    assert words(refused_words="noise")[0] == ["noise"]
