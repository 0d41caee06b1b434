"""Refused words are refused on every route that takes a prompt, in every field, and in bodies of any type."""

import asyncio
import json

import pytest
from radio_server import serving
from sine_engine import SineEngine
from starlette.requests import Request

from lullwave.errors import PromptError
from lullwave.refused_words import RefusedWords
from lullwave.server.errors import TooLarge
from lullwave.server.refused_prompts import MAX_CHARS, MAX_PARSED, MAX_TEXTS, PROMPT_FIELDS, refuse_words

MINE = {"Authorization": "Bearer secret"}
END = {"prompt": "calm", "seed": 1}


@pytest.fixture(scope="module")
def radio(tmp_path_factory):
    flags = {"refused_words": "scream", "max_generate_s": 1.0, "token": "secret", "steer_every_s": 0.0}
    engines = {"synth": SineEngine, "sines": SineEngine}
    with serving(tmp_path_factory.mktemp("refused"), engines=engines, **flags) as served:
        yield served


def said(radio, method, path, body, **headers):
    response, data = radio.ask(path, method, body, {**MINE, **headers})
    told = json.loads(data)["error"] if response.status != 200 or data[:1] == b"{" else {}
    return response.status, told


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/api/stations/piano/prompt", {"prompt": "a Scream"}, "prompt"),
        ("POST", "/api/generate", {"prompt": "soft (scream:1.3)", "duration_s": 1}, "prompt"),
        (
            "POST",
            "/api/generate",
            {"prompt": "soft", "duration_s": 1, "options": {"ambience": "scream"}},
            "options.ambience",
        ),
        ("POST", "/run_inference/", {"start": {**END, "prompt": "scream"}, "end": END, "alpha": 0.5}, "start.prompt"),
        ("POST", "/run_inference", {"start": END, "end": {**END, "prompt": "[scream]"}, "alpha": 0.5}, "end.prompt"),
        ("POST", "/run_inference", {"worklet_input": {"start": {"prompt": "scream"}}}, "worklet_input.start.prompt"),
        ("POST", "/api/riffusion/clips", {"start": {**END, "negative_prompt": "scream"}}, "start.negative_prompt"),
        ("POST", "/api/stations", {"id": "new", "prompts": ["calm", "scream"]}, "prompts"),
        ("PATCH", "/api/stations/piano", {"hours": {"22-6": "quiet scream"}}, "hours.22-6"),
        ("PATCH", "/api/stations/piano", {"ambience": ["rain", "scream"]}, "ambience"),
    ],
)
def test_a_refused_word_comes_in_on_no_route(radio, method, path, body, field):
    for kind, encoding in (("application/json", "utf-8"), ("text/plain", "utf-8"), ("application/json", "utf-16")):
        data = json.dumps(body).encode(encoding)
        status, told = said(radio, method, path, data, **{"Content-Type": kind})
        assert (status, told["field"]) == (422, field)
        assert "'scream'" in told["message"]
    clean = json.dumps(body).lower().replace("scream", "stream").encode()
    assert "refused" not in said(radio, method, path, clean)[1].get("message", "")


def test_pages_of_other_origins_can_read_the_refusal(radio):
    body = json.dumps({"start": {**END, "prompt": "scream"}, "end": END, "alpha": 0.5}).encode()
    for data, status in ((body, 422), (b"x" * 300_000, 413)):
        response, _ = radio.ask("/run_inference/", "POST", data, {**MINE, "Origin": "https://page.example"})
        assert (response.status, response.headers.get_all("Access-Control-Allow-Origin")) == (status, ["*"])


def test_every_field_for_prompts_is_known_to_the_check(radio):
    """A route's new field with words for the music must be named in ``PROMPT_FIELDS``."""
    found, seen = set(), radio.json("/openapi.json")
    waiting = [seen]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            found |= set(node.get("properties", {})) if isinstance(node.get("properties"), dict) else set()
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    assert {name for name in found if "prompt" in name} <= PROMPT_FIELDS
    assert found >= PROMPT_FIELDS


def test_giant_bodies_are_refused_before_they_cost_much(radio):
    for prompts in (["a"] * (MAX_TEXTS + 1), ["a" * (MAX_CHARS // 2 + 1)] * 2):
        status, told = said(radio, "POST", "/run_inference", {"prompts": prompts})
        assert (status, told["field"]) == (422, "prompts")
        assert "at most" in told["allowed"]
    deep = b'{"prompt": ' * 9000 + b'"scream"' + b"}" * 9000
    assert said(radio, "POST", "/run_inference", deep)[0] == 422


def test_files_are_not_read_and_large_bodies_are_not_parsed():
    check = refuse_words(lambda: RefusedWords(["scream"]), ("/api/jobs/files",))

    def asked(path, body):
        async def receive():
            received.append(path)
            return {"type": "http.request", "body": body, "more_body": False}

        received = []
        request = Request({"type": "http", "method": "POST", "path": path, "headers": []}, receive)
        asyncio.run(check(request))
        return received

    words = json.dumps({"prompt": "scream"}).encode()
    assert asked("/api/jobs/files", words) == []  # left for the route, which streams it
    with pytest.raises(PromptError):
        asked("/api/jobs", words)
    assert asked("/api/jobs", b" " * MAX_PARSED) == ["/api/jobs"]
    with pytest.raises(TooLarge):
        asked("/api/jobs", b"[" + b"[]," * (MAX_PARSED // 3) + b"[]]")


def test_a_file_of_json_is_refused_by_the_route_that_takes_files(radio):
    body = json.dumps({"prompt": "scream"}).encode()
    status, told = said(radio, "POST", "/api/jobs/files?name=a.wav", body)
    assert (status, told["field"]) == (422, "file")
