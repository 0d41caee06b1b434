"""Riffusion over HTTP: the web application's sequence of requests, every fault by name, clips that are watched."""

import base64
import io
import json
import threading
import time
from concurrent.futures import CancelledError
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request as UrlRequest
from urllib.request import urlopen

import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

import numpy as np
from PIL import Image
from radio_server import events, serving
from sine_engine import SineEngine

import lullwave
from lullwave.codecs import decode, read_tags
from lullwave.engines.riffusion.engine import RiffusionEngine
from lullwave.engines.riffusion.model.random_checkpoint import make_random
from lullwave.server import streaming

STEPS = 2
TAGS = {11000: 44100, 11005: False, 11010: 10, 11020: 100, 11030: 400, 11040: 512, 11050: 0, 11060: 10000}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("riffusion")
    checkpoint = make_random(folder / "tiny", seed=5)

    made = []

    class Tiny(RiffusionEngine):
        def __init__(self):
            made.append(self)
            super().__init__(str(checkpoint), "cpu", "float32", seed_images=str(folder / "mine"), max_waiting=2)

    with serving(folder / "data", engines={"synth": SineEngine, "riffusion": Tiny}) as running:
        running.engines = made
        yield running


def body(alpha=0.25, **changes):
    return {
        "alpha": alpha,
        "num_inference_steps": STEPS,
        "seed_image_id": "og_beat",
        "mask_image_id": "",
        "start": {"prompt": "church bells", "seed": 42, "denoising": 0.75, "guidance": 7},
        "end": {"prompt": "jazz (piano:1.2)", "seed": 43, "denoising": 0.75, "guidance": 7},
        **changes,
    }


def post(served, sent, path="/run_inference/", **headers):
    response, data = served.ask(path, "POST", sent, headers)
    return response, json.loads(data)


def opened(reply):
    """The image and the audio of a reply."""
    head, image = reply["image"].split(",")
    assert head == "data:image/jpeg;base64"
    mime, audio = reply["audio"].split(",")
    assert mime == "data:audio/mpeg;base64"
    picture = Image.open(io.BytesIO(base64.b64decode(image)))
    assert picture.format == "JPEG"
    return picture, decode(base64.b64decode(audio))


def test_the_web_application_s_walk_is_answered_clip_by_clip(served):
    """alpha by 0.25 between two prompts, then on between seeds of one prompt, as the old page asked."""
    now, then = {"prompt": "a", "seed": 7}, {"prompt": "b", "seed": 7}
    previous = None
    for alpha, start, end in [
        (0, now, then),
        (0.25, now, then),
        (0.5, now, then),
        (1, now, then),
        (0.25, then, {**then, "seed": 8}),
    ]:
        ends = {"denoising": 0.75, "guidance": 7.0}
        sent = body(alpha, start={**start, **ends}, end={**end, **ends})
        response, reply = post(served, sent)
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json"
        assert set(reply) == {"image", "audio", "duration_s"}
        assert reply["duration_s"] == 5.11
        picture, audio = opened(reply)
        assert picture.size == (512, 512)
        exif = picture.getexif()
        assert {tag: exif[tag] for tag in TAGS} == TAGS
        assert exif[11070] == pytest.approx(0.25)
        assert exif[11080] == pytest.approx(30e6)
        assert (audio.rate, audio.channels, audio.frames) == (44100, 1, 511 * 441)
        assert audio.rms_dbfs > -60
        assert reply["image"] != previous
        previous = reply["image"]


class OldProxy(BaseHTTPRequestHandler):
    """The old web app's ``/api/server``: passes its page's JSON text on, and wraps the reply."""

    target = ""

    def do_POST(self):
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        with urlopen(UrlRequest(self.target, sent, {"Content-Type": "text/plain;charset=UTF-8"}), timeout=60) as reply:
            wrapped = json.dumps({"data": json.loads(reply.read())}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(wrapped)))
        self.end_headers()
        self.wfile.write(wrapped)

    def log_message(self, *said):
        pass


def test_the_old_web_app_plays_through_its_proxy(served):
    """Its requests, letter by letter: numbers as it writes them, an empty mask, a trailing slash."""
    OldProxy.target = f"http://127.0.0.1:{served.port}/run_inference/"
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), OldProxy)
    thread = threading.Thread(target=proxy.serve_forever)
    thread.start()
    try:
        for alpha, end in (
            ("0", ("jamaican rap", 51209)),
            ("0.25", ("jamaican rap", 51210)),
            ("1", ("funk bass", 51209)),
        ):
            sent = (
                f'{{"alpha":{alpha},"num_inference_steps":{STEPS},"seed_image_id":"og_beat","mask_image_id":"",'
                '"start":{"prompt":"jamaican rap","seed":51209,"denoising":0.75,"guidance":7},'
                f'"end":{{"prompt":"{end[0]}","seed":{end[1]},"denoising":0.75,"guidance":7}}}}'
            )
            asked = UrlRequest(f"http://127.0.0.1:{proxy.server_port}/api/server", sent.encode())
            with urlopen(asked, timeout=60) as reply:
                told = json.loads(reply.read())
            assert set(told) == {"data"}
            assert opened(told["data"])[1].frames == 511 * 441
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()


def test_the_end_of_one_leg_sounds_like_the_beginning_of_the_next(served):
    one = post(served, body(1))[1]
    following = body(0, start=body()["end"], end={"prompt": "something else, much longer " * 20, "seed": 3})
    assert post(served, following)[1] == one


def test_the_files_of_a_reply_say_what_they_are(served, tmp_path):
    reply = post(served, body(0.25))[1]
    for name in ("image", "audio"):
        (tmp_path / name).write_bytes(base64.b64decode(reply[name].split(",")[1]))
    comment = read_tags(tmp_path / "audio").comment
    assert json.loads(comment) == {
        "generated": True,
        "prompt": "church bells",
        "seed": 42,
        "end_prompt": "jazz (piano:1.2)",
        "end_seed": 43,
        "alpha": 0.25,
        "engine": "riffusion",
        "version": lullwave.__version__,
    }
    assert Image.open(tmp_path / "image").info["comment"].decode() == comment


def test_the_same_request_gives_the_same_bytes(served):
    assert post(served, body(0.5))[1] == post(served, body(0.5))[1]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_any_content_type_with_or_without_the_slash(served, kind):
    response, reply = post(
        served, json.dumps(body(unknown={"is": "ignored"})).encode(), "/run_inference", **{"Content-Type": kind}
    )
    assert response.status == 200
    assert "audio" in reply
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_baseten_wraps_both_ways(served):
    assert post(served, {"worklet_input": body()})[1] == {"output": post(served, body())[1]}


def test_every_origin_may_ask(served):
    response, _ = served.ask(
        "/run_inference/",
        "OPTIONS",
        headers={"Origin": "https://example.org", "Access-Control-Request-Method": "POST"},
    )
    assert response.status == 204
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in response.headers["Access-Control-Allow-Methods"]


def start(**changes):
    return body(start={**body()["start"], **changes})


WITHOUT = {name: {k: v for k, v in body().items() if k != name} for name in ("start", "end", "alpha")}


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        (WITHOUT["start"], "start"),
        (WITHOUT["end"], "end"),
        (WITHOUT["alpha"], "alpha"),
        (body("0.5"), "alpha"),
        (body(1.5), "alpha"),
        (body(-0.1), "alpha"),
        (body(None), "alpha"),
        (body(start="jazz"), "start"),
        (body(start={"prompt": "x"}), "start.seed"),
        (body(start={"seed": 1}), "start.prompt"),
        (start(prompt=5), "start.prompt"),
        (start(prompt="\ud800"), "start.prompt"),
        (start(prompt="x" * 10001), "start.prompt"),
        (start(prompt="(loud:99)"), "prompt"),
        (start(seed="42"), "start.seed"),
        (start(seed=1.5), "start.seed"),
        (start(seed=True), "start.seed"),
        (start(seed=2**64), "start.seed"),
        (start(denoising=2), "start.denoising"),
        (start(denoising=None), "start.denoising"),
        (start(guidance="7"), "start.guidance"),
        (start(guidance=float("nan")), "start.guidance"),
        (start(negative_prompt=[]), "start.negative_prompt"),
        (body(num_inference_steps=0), "num_inference_steps"),
        (body(num_inference_steps=10**9), "num_inference_steps"),
        (body(num_inference_steps=2.5), "num_inference_steps"),
        (body(seed_image_id="nowhere"), "seed image"),
        (body(seed_image_id="../og_beat"), "seed_image_id"),
        (body(seed_image_id="/etc/passwd"), "seed_image_id"),
        (body(seed_image_id=3), "seed_image_id"),
        (body(mask_image_id="nowhere"), "mask image"),
        (body(mask_image_id="..\\x"), "mask_image_id"),
        ({"worklet_input": 3}, "worklet_input"),
        (b"{", "body"),
        (b"", "body"),
        (b"[]", "body"),
        (b"[" * 100000, "body"),
        (b"\xff\xfe", "body"),
        (b'{"start": ' + b"1" * 5000 + b"}", "body"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else "",
)
def test_what_is_wrong_is_named(served, sent, named):
    response, reply = post(served, sent)
    assert 400 <= response.status < 500
    assert reply["error"]["field"] == named
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_silence_and_long_prompts_and_masks_are_answered(served):
    """What crashed the old server: over 75 tokens, two lengths, guidance of none, no repainting at all."""
    for sent in (
        start(prompt="many words " * 60),
        start(negative_prompt="noise " * 60),
        start(guidance=0),
        start(prompt=""),
        body(mask_image_id="mask_beat_lines_80"),
        body(mask_image_id=None),
        {**start(denoising=0), "end": {**body()["end"], "denoising": 0}},
    ):
        response, reply = post(served, sent)
        assert response.status == 200
        assert np.isfinite(opened(reply)[1].samples).all()


def test_without_a_checkpoint_the_reply_says_what_to_do(tmp_path):
    class None_(RiffusionEngine):
        def __init__(self):
            super().__init__(offline=True)

    with serving(tmp_path, engines={"synth": SineEngine, "riffusion": None_}) as served:
        response, reply = post(served, body())
        assert response.status == 503
        assert "lullwave models pull riffusion/riffusion-model-v1" in reply["error"]["message"]
        about = served.json("/api/riffusion")
        assert about["available"] is False
        assert {image["name"] for image in served.json("/api/riffusion/seed-images")["images"]} >= {"og_beat"}


def wait_for(served, clip):
    """Read the events of a clip to its end."""
    with served.listening(f"/api/riffusion/clips/{clip['id']}/events") as reply:
        return list(events(reply))


def test_a_clip_is_watched_and_fetched_in_every_format(served):
    sent = {"start": {"prompt": "a", "seed": 1}, "num_inference_steps": 3, "scheduler": "dpm++", "loop": True}
    response, data = served.ask("/api/riffusion/clips", "POST", sent)
    clip = json.loads(data)
    assert response.status == 202
    assert response.headers["Location"].endswith(clip["id"])
    told = wait_for(served, clip)
    assert told[-1][0] == "done"
    assert told[-1][1]["step"] == told[-1][1]["steps"] > 0
    steps = [data["step"] for _, data in told]
    assert steps == sorted(steps)
    base = f"/api/riffusion/clips/{clip['id']}"
    for format in ("wav", "flac", "mp3", "ogg", "opus"):
        response, audio = served.ask(f"{base}/audio.{format}")
        assert response.status == 200
        assert decode(audio).duration_s == pytest.approx(5.11, abs=0.001)
    for format, name in (("png", "PNG"), ("jpg", "JPEG")):
        response, image = served.ask(f"{base}/image.{format}")
        assert Image.open(io.BytesIO(image)).format == name
    assert served.ask(f"{base}/audio.xyz")[0].status == 422
    assert served.ask("/api/riffusion/clips/none")[0].status == 404


def test_text_alone_makes_a_clip_of_any_width(served):
    sent = {"start": {"prompt": "a", "seed": 1}, "num_inference_steps": 2, "seed_image_id": None, "width": 768}
    clip = served.json("/api/riffusion/clips", "POST", sent)
    assert wait_for(served, clip)[-1][1]["duration_s"] == 7.67


def test_unknown_fields_of_our_own_route_are_named(served):
    response, data = served.ask("/api/riffusion/clips", "POST", {"start": {"prompt": "a", "seed": 1}, "speed": 2})
    assert response.status == 422
    assert json.loads(data)["error"]["field"] == "speed"


def long_clip(served):
    sent = {"start": {"prompt": "a", "seed": 1}, "num_inference_steps": 200}
    return served.ask("/api/riffusion/clips", "POST", sent)


def test_the_queue_is_bounded_and_places_come_free(served):
    replies = [long_clip(served) for _ in range(12)]
    busy = [response for response, _ in replies if response.status == 429]
    assert busy
    assert int(busy[0].headers["Retry-After"]) >= 1
    clips = [json.loads(data) for response, data in replies if response.status == 202]
    for clip in clips:
        assert served.json(f"/api/riffusion/clips/{clip['id']}", "DELETE")["state"] == "cancelled"
    assert served.json("/api/riffusion")["waiting"] == 0
    assert post(served, body())[0].status == 200


def test_a_client_that_goes_frees_its_place(served):
    slow = json.dumps(body(num_inference_steps=200)).encode()
    blocker = json.loads(long_clip(served)[1])
    leaving = HTTPConnection("127.0.0.1", served.port)
    leaving.request("POST", "/run_inference/", slow)
    with served.listening(f"/api/riffusion/clips/{blocker['id']}/events") as reply:
        told = events(reply)
        next(kind for kind, _ in told if kind == "working" and served.json("/api/riffusion")["waiting"] == 1)
        leaving.close()
        freed = next(kind for kind, _ in told if served.json("/api/riffusion")["waiting"] == 0)
        assert freed == "working"  # while the clip before it was still being made
    served.json(f"/api/riffusion/clips/{blocker['id']}", "DELETE")


def test_a_client_that_goes_before_it_has_a_place_takes_none(served, monkeypatch):
    """Words are embedded before a place is taken; whoever goes meanwhile is not made a clip."""
    served.json("/api/riffusion")  # loads the engine
    (engine,) = served.engines
    asked, noticed, go_on, taken = threading.Event(), threading.Event(), threading.Event(), []
    submit = engine.submit

    def slow(*request):
        asked.set()
        assert go_on.wait(30)
        taken.append(submit(*request))
        return taken[0]

    async def until_gone(receive):
        await riffusion_until_gone(receive)
        noticed.set()

    riffusion_until_gone = streaming.until_gone
    monkeypatch.setattr(engine, "submit", slow)
    monkeypatch.setattr(streaming, "until_gone", until_gone)
    leaving = HTTPConnection("127.0.0.1", served.port)
    leaving.request("POST", "/run_inference/", json.dumps(body(num_inference_steps=200)).encode())
    assert asked.wait(30)
    leaving.close()
    assert noticed.wait(30)
    go_on.set()
    while not taken:
        time.sleep(0.01)
    with pytest.raises(CancelledError):
        taken[0].result.result(30)


def test_neighbours_of_equal_shape_are_made_in_one_pass(served, monkeypatch):
    (engine,) = served.engines
    passes, make = [], engine.pipeline.make
    monkeypatch.setattr(
        engine.pipeline, "make", lambda requests, *rest: passes.append(len(requests)) or make(requests, *rest)
    )
    blocker = json.loads(long_clip(served)[1])
    with served.listening(f"/api/riffusion/clips/{blocker['id']}/events") as reply:
        told = events(reply)
        next(kind for kind, _ in told if kind == "working")
        replies = []
        threads = [
            threading.Thread(target=lambda alpha=alpha: replies.append(post(served, body(alpha))))
            for alpha in (0.25, 0.5)
        ]
        for thread in threads:
            thread.start()
        next(kind for kind, _ in told if served.json("/api/riffusion")["waiting"] == 2)
    served.json(f"/api/riffusion/clips/{blocker['id']}", "DELETE")
    for thread in threads:
        thread.join()
    assert [response.status for response, _ in replies] == [200, 200]
    assert passes == [1, 2]


def test_a_user_s_image_is_kept_encoded_anew(served):
    picture = Image.fromarray(np.full((128, 256, 3), 90, np.uint8))
    data = io.BytesIO()
    picture.save(data, "PNG")
    response, reply = served.ask("/api/riffusion/seed-images/mine", "PUT", data.getvalue() + b"tail")
    assert response.status == 200
    assert json.loads(reply)["source"] == "yours"
    _, back = served.ask("/api/riffusion/seed-images/mine")
    assert Image.open(io.BytesIO(back)).size == (256, 128)
    assert b"tail" not in back
    for name, sent in (("mine", b"no image"), ("mine", b""), ("..%2Fx", data.getvalue()), (".x", data.getvalue())):
        assert 400 <= served.ask(f"/api/riffusion/seed-images/{name}", "PUT", sent)[0].status < 500
    huge = io.BytesIO()
    Image.new("L", (8000, 8000)).save(huge, "PNG")
    assert served.ask("/api/riffusion/seed-images/huge", "PUT", huge.getvalue())[0].status == 422
    assert served.ask("/api/riffusion/seed-images/huge", "PUT", bytes(9 * 2**20))[0].status == 413
    response, reply = post(served, body(seed_image_id="mine"))
    assert response.status == 200
    assert reply["duration_s"] == 2.55
