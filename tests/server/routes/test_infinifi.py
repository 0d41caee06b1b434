"""infinifi's pages of 2024: those that say ``playing``, and the one that reads the count as server-sent events."""

import json

import pytest
from radio_server import TIMEOUT_S, serving
from websockets.sync.client import connect


@pytest.fixture(scope="module")
def radio(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("infinifi"), token="secret", host="0.0.0.0") as served:
        yield served


def until(socket, wanted: int) -> None:
    while int(socket.recv(timeout=TIMEOUT_S)) != wanted:
        pass


def counts(feed):
    """The numbers in the events, as ``EventSource`` reads them by ``onmessage``."""
    while line := feed.readline():
        assert not line.startswith(b"event:")
        if line.startswith(b"data:"):
            yield json.loads(line[5:])["listeners"]


def say(radio, listening):
    body = {"isListening": listening}
    reply, data = radio.ask("/client-status", "POST", body=body)
    return reply.status, json.loads(data)


def test_pages_of_before_november_2024_say_playing(radio):
    with connect(f"ws://127.0.0.1:{radio.port}/ws") as watcher, connect(f"ws://127.0.0.1:{radio.port}/ws") as page:
        until(watcher, 0)
        page.send("playing")
        until(watcher, 1)
        page.send("playing")
        page.send("paused")
        until(watcher, 0)
        page.send("playing")
        until(watcher, 1)
        page.close()
        until(watcher, 0)


def test_the_count_as_events_and_who_listens_by_post(radio):
    with connect(f"ws://127.0.0.1:{radio.port}/ws") as watcher:
        until(watcher, 0)
        assert say(radio, True) == (200, {"isListening": True})  # without a page that is open, it counts for nobody
        with radio.listening("/status") as feed:
            assert feed.headers["Content-Type"].startswith("text/event-stream")
            told = counts(feed)
            assert next(told) == 0
            say(radio, True)  # no token: it is what others say over the websocket
            say(radio, True)
            assert next(told) == 1
            until(watcher, 1)
            say(radio, False)
            assert next(told) == 0
            say(radio, True)
            assert next(told) == 1
        until(watcher, 0)  # the page is gone


def test_wrong_words_and_foreign_pages_are_refused(radio):
    for body in ({}, {"isListening": "yes"}, {"isListening": 1}, [], b"playing"):
        reply, _ = radio.ask("/client-status", "POST", body=body)
        assert reply.status == 422, body
    headers = {"Origin": "https://elsewhere.example"}
    assert radio.ask("/client-status", "POST", {"isListening": True}, headers)[0].status == 403


def test_open_counts_end_with_the_server(tmp_path):
    with serving(tmp_path) as served, served.listening("/status") as feed:
        told = counts(feed)
        assert next(told) == 0
        served.stop()
        assert list(told) == []
