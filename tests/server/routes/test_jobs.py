"""Jobs over HTTP: made as the command line and the other routes make them, kept for their visitor alone."""

import io
import json
import re
import time
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from radio_server import serving
from sine_engine import SineEngine
from typer.testing import CliRunner

from lullwave import Audio, Spectrogram
from lullwave.cli.app import app
from lullwave.codecs import decode, encode
from lullwave.engines.base import Understanding
from lullwave.engines.synth.engine import SynthEngine
from lullwave.errors import Cancelled, Unsupported
from lullwave.server.jobs.file_tasks import _sample_clips
from lullwave.server.jobs.work import Work

ENGINES = {"synth": SynthEngine, "sines": SineEngine}
ME = {"X-Lullwave-Visitor": "a" * 22}
YOU = {"X-Lullwave-Visitor": "b" * 22}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("jobs"), engines=ENGINES, engine="sines") as running:
        yield running


def make(served, task, headers=ME, **fields):
    """A finished job; it must not fail."""
    job = served.json("/api/jobs", "POST", {"task": task, "fields": fields}, headers)
    assert "error" in job, job
    for _ in range(3000):
        if job["state"] not in ("waiting", "working"):
            break
        time.sleep(0.01)
        job = served.json(f"/api/jobs/{job['id']}", headers=headers)
    assert job["state"] == "done", job
    return job


def data_of(served, job, name, headers=ME):
    response, data = served.ask(f"/api/jobs/{job['id']}/files/{name}", headers=headers)
    assert response.status == 200, data
    return data


def upload(served, name, data, headers=ME):
    response, body = served.ask(f"/api/jobs/files?name={quote(name)}", "POST", data, headers)
    assert response.status == 201, body
    job = json.loads(body)
    return job, f"{job['id']}/{job['results'][0]['name']}"


def sound(seconds=2.0, hz=440.0):
    n = np.arange(round(seconds * 44100))
    return Audio.of(0.3 * np.sin(2 * np.pi * hz * n / 44100).astype(np.float32), 44100)


def test_every_task_is_listed_with_a_schema_or_a_reason(served):
    tasks = {task["name"]: task for task in served.json("/api/jobs/tasks")["tasks"]}
    makes_music = ["text", "batch", "interpolate", "transform", "repaint"]
    assert list(tasks) == [*makes_music, "image-to-audio", "audio-to-image", "sample-clips", "stems", "moment"]
    assert tasks["text"]["fields"]["properties"]["engine"]["enum"] == ["synth", "sines"]
    assert tasks["text"]["fields"]["properties"]["engine"]["default"] == "sines"
    assert not tasks["interpolate"]["available"]
    assert "riffusion" in tasks["interpolate"]["why"]
    assert tasks["image-to-audio"]["files"] == {"picture": "image"}


def test_a_clip_is_the_file_of_generate_with_its_image_loudness_midi_stems_and_python(served, tmp_path, monkeypatch):
    fields = {"engine": "synth", "prompt": "rainy night piano", "seed": 7, "duration_s": 2, "format": "wav"}
    job = make(served, "text", **fields, midi=True, stems=True, options={"tempo_bpm": 80.0})
    names = [one["name"] for one in job["results"]]
    assert names[:3] == ["clip.wav", "clip.png", "clip.mid"]
    assert all(name.startswith("stem-") for name in names[3:])
    clip = data_of(served, job, "clip.wav")
    body = {**fields, "options": {"tempo_bpm": 80.0}}
    assert served.ask("/api/generate", "POST", body)[1] == clip
    assert job["results"][0]["seconds"] == 2.0
    assert job["results"][0]["lufs"] == pytest.approx(-15.0, abs=1.5)
    assert data_of(served, job, "clip.mid")[:4] == b"MThd"
    image = Image.open(io.BytesIO(data_of(served, job, "clip.png")))
    assert image.height == 512
    assert abs(image.width - 200) <= 2
    monkeypatch.chdir(tmp_path)
    exec(job["python"], {})  # the program that is shown makes the same file
    assert (tmp_path / "clip.wav").read_bytes() == clip


def test_a_seed_is_drawn_and_told(served):
    job = make(served, "text", duration_s=1, image=False)
    assert isinstance(job["fields"]["seed"], int)
    again = make(served, "text", **job["fields"])
    assert data_of(served, job, "clip.mp3") == data_of(served, again, "clip.mp3")


def test_a_loop_is_the_same_by_the_form_by_http_and_by_command_and_has_no_seam(served, tmp_path):
    fields = {"engine": "synth", "prompt": "lofi beat, 120 bpm", "seed": 3, "duration_s": 3.9, "format": "wav"}
    body = {**fields, "options": {"loop": True}}
    by_form = data_of(served, make(served, "text", **body, image=False), "clip.wav")
    by_http = served.ask("/api/generate", "POST", body)[1]
    words = ["generate", fields["prompt"], "-s", "3.9", "--seed", "3", "--loop", "-q", "-o", str(tmp_path / "loop.wav")]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert by_form == by_http == (tmp_path / "loop.wav").read_bytes()
    samples = decode(by_form).samples
    assert len(samples) == 4 * 44100  # two bars
    steps = np.abs(np.diff(np.concatenate([samples, samples]), axis=0)).max(axis=1)
    assert steps[len(samples) - 1] < np.percentile(steps, 99)


def test_every_wrong_field_is_marked(served):
    fields = {"engine": "sines", "duration_s": -1, "kbps": 7, "options": {"hz": 1.0}, "midi": True, "colour": "red"}
    response, body = served.ask("/api/jobs", "POST", {"task": "text", "fields": fields}, ME)
    assert response.status == 422
    told = json.loads(body)
    assert {one["field"] for one in told["errors"]} == {"duration_s", "kbps", "options.hz", "colour"}
    assert told["error"] == told["errors"][0]
    fields = {"engine": "sines", "midi": True}
    told = served.json("/api/jobs", "POST", {"task": "text", "fields": fields}, ME)
    assert told["error"]["field"] == "midi"
    told = served.json("/api/jobs", "POST", {"task": "stems", "fields": {"keep": "tuba"}}, ME)
    assert {one["field"] for one in told.get("errors", [told["error"]])} <= {"audio", "engine"}


def test_a_batch_names_its_faults_and_makes_every_clip(served):
    bad = '{"entries": [{"prompt": "a"}, {"prompt": 5}]}'
    told = served.json("/api/jobs", "POST", {"task": "batch", "fields": {"batch": bad}}, ME)
    assert told["error"]["field"] == "entries[1].prompt"
    good = '{"entries": [{"prompt": "a", "seed": 4}, {"prompt": "b", "negative_prompt": "drums"}]}'
    job = make(served, "batch", batch=good, seeds=2, duration_s=1, format="wav")
    assert [one["name"] for one in job["results"]] == [
        f"set0-{n:03d}-{seed}.wav" for n, seed in ((0, 4), (0, 5), (1, 0), (1, 1))
    ]


def test_a_batch_with_the_longest_name_is_made(served):
    """60 letters of four bytes each are more than a file's name holds, with number and seed."""
    batch = json.dumps({"params": {"name": "\U00020000" * 60}, "entries": [{"prompt": "a", "seed": 123456789}]})
    job = make(served, "batch", batch=batch, seeds=2, duration_s=1, format="wav")
    names = [one["name"] for one in job["results"]]
    assert len(set(names)) == 2
    for name in names:
        assert len(name.encode()) <= 255
        assert name.startswith("\U00020000" * 50)
        assert data_of(served, job, quote(name))[:4] == b"RIFF"


def test_sound_becomes_an_image_and_a_painted_image_becomes_sound(served):
    _, mine = upload(served, "my tone.wav", encode(sound(), "wav"))
    job = make(served, "audio-to-image", audio=mine)
    image = data_of(served, job, "sound.png")
    expected = Spectrogram.from_audio(decode(encode(sound(), "wav"))).to_image()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(image))), np.asarray(expected))
    _, picture = upload(served, "painted.png", image)
    job = make(served, "image-to-audio", picture=picture, format="wav", quality="fast")
    made = decode(data_of(served, job, "sound.wav"))
    spectrum = np.abs(np.fft.rfft(made.samples[:, 0]))
    assert np.argmax(spectrum) * made.rate / made.frames == pytest.approx(440, abs=6)
    # a result is an input, too
    cut = make(served, "sample-clips", audio=f"{job['id']}/sound.wav", count=2, duration_ms=500, seed=3)
    assert [one["seconds"] for one in cut["results"]] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("name", "data", "status", "field"),
    [
        ("notes.txt", b"hello", 422, "name"),
        ("broken.wav", b"RIFF nothing", 422, "file"),
        ("broken.png", b"\x89PNG nothing", 422, "file"),
        ("silence.flac", encode(Audio.silence(1801 * 8000, 8000), "flac"), 422, "file"),
        ("large.png", b"0" * (64 * 1024 * 1024 + 1), 413, "body"),
    ],
)
def test_files_are_checked(served, name, data, status, field):
    response, body = served.ask(f"/api/jobs/files?name={quote(name)}", "POST", data, ME)
    assert (response.status, json.loads(body)["error"]["field"]) == (status, field)
    assert b"upload-" not in body  # no path of the machine


def test_work_beyond_the_limits_is_refused_before_it_begins(served, tmp_path):
    wide = io.BytesIO()
    Image.new("L", (70_000, 30)).save(wide, "PNG")
    response, body = served.ask("/api/jobs/files?name=wide.png", "POST", wide.getvalue(), ME)
    assert (response.status, json.loads(body)["error"]["allowed"]) == (422, "at most 600 seconds of sound")
    batch = json.dumps({"entries": [{"prompt": "a"}]})
    fields = {"batch": batch, "seeds": 100, "duration_s": 600, "format": "wav"}
    told = served.json("/api/jobs", "POST", {"task": "batch", "fields": fields}, ME)
    assert told["error"]["field"] == "batch"
    assert "studio_visitor_mb" in told["error"]["allowed"]
    silence = tmp_path / "silence.flac"
    silence.write_bytes(encode(Audio.silence(600 * 8000, 8000), "flac"))
    work = Work(
        {"count": 60, "duration_ms": 590_000, "mono": False, "format": "wav", "seed": 1},
        {"audio": silence},
        tmp_path / "made",
        lambda name: None,
        lambda share: None,
        500_000_000,
    )
    with pytest.raises(Unsupported, match=r"1132\.8 MB of results, but there is room for 500\.0 MB"):
        _sample_clips(work)
    assert not work.folder.exists()


def test_a_cancelled_task_stops_at_the_next_block(tmp_path):
    sound, reports = tmp_path / "sound.wav", []
    sound.write_bytes(encode(Audio.silence(60 * 8000, 8000), "wav"))

    def report(share):
        reports.append(share)
        if len(reports) == 3:
            raise Cancelled("the job was cancelled")

    made = tmp_path / "made"
    values = {"count": 2, "duration_ms": 50_000, "mono": False, "format": "wav", "seed": 1}
    work = Work(values, {"audio": sound}, made, lambda name: None, report, 10**9)
    with pytest.raises(Cancelled):
        _sample_clips(work)
    assert reports == pytest.approx([0.1, 0.2, 0.3])  # ten seconds each, of a hundred
    assert list(made.iterdir()) == []
    work.made.append(sound)
    reports[:] = [0.0, 0.0]
    with pytest.raises(Cancelled):
        work.results()  # the measuring stops, too


def test_names_of_files_are_made_plain(served):
    for name in ("../../etc/x.wav", "..\\x.wav", "a b\u202e\n.WAV", ".wav.wav"):
        job, _ = upload(served, name, encode(sound(0.5), "wav"))
        assert re.fullmatch(r"[\w-][\w.-]*\.wav", job["results"][0]["name"])


def test_jobs_and_files_are_seen_by_their_visitor_alone(served):
    job = make(served, "text", duration_s=1, image=False)
    address = f"/api/jobs/{job['id']}"
    assert job["id"] in [one["id"] for one in served.json("/api/jobs", headers=ME)["jobs"]]
    assert job["id"] not in [one["id"] for one in served.json("/api/jobs", headers=YOU)["jobs"]]
    for path, method in ((address, "GET"), (f"{address}/files/clip.mp3", "GET"), (address, "DELETE")):
        assert served.ask(path, method, headers=YOU)[0].status == 404
    told = served.json("/api/jobs", "POST", {"task": "sample-clips", "fields": {"audio": f"{job['id']}/clip.mp3"}}, YOU)
    assert told["error"]["field"] == "audio"
    for name in ("job.json", "..%2Fjob.json", "nothing.mp3"):
        assert served.ask(f"{address}/files/{name}", headers=ME)[0].status == 404
    part, data = served.ask(f"{address}/files/clip.mp3", headers={**ME, "Range": "bytes=0-9"})
    assert (part.status, len(data)) == (206, 10)
    assert served.ask(f"{address}/pin", "POST", {"pinned": True}, ME)[0].status == 200
    assert served.ask(address, "DELETE", headers=ME)[0].status == 204
    assert served.ask(address, headers=ME)[0].status == 404


def test_a_browser_gets_a_cookie_that_scripts_and_other_sites_cannot_use(served):
    response, _ = served.ask("/studio")
    assert response.headers["Cache-Control"] == "private, no-cache"  # no cache gives one visitor's key to others
    cookie = response.headers["Set-Cookie"]
    for said in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age="):
        assert said in cookie
    key = cookie.partition(";")[0].partition("=")[2]
    assert response.headers["X-Lullwave-Visitor"] == key
    job = make(served, "text", {"Cookie": f"lullwave_visitor={key}"}, duration_s=1, image=False)
    listed = served.json("/api/jobs", headers={"X-Lullwave-Visitor": key})["jobs"]
    assert [one["id"] for one in listed] == [job["id"]]
    assert served.ask("/api/jobs", headers={"X-Lullwave-Visitor": "short"})[0].status == 422
    kept = [path.read_text() for path in served.settings.paths.studio.glob("*/*/job.json")]
    assert not any(key in text for text in kept)  # only its hash


def test_a_key_comes_with_the_page_or_with_what_is_created_first(served):
    """Two replies that cross never give two keys to one browser, of which one would lose its jobs."""
    page, _ = served.ask("/studio")
    kept = {"If-None-Match": page.headers["ETag"]}
    for method, headers in (("HEAD", {}), ("GET", kept)):  # a browser that deleted its cookies keeps the page
        reply, _ = served.ask("/studio", method, headers=headers)
        assert reply.headers["Set-Cookie"] != page.headers["Set-Cookie"]
    mine = {"Cookie": page.headers["Set-Cookie"].partition(";")[0]}
    assert served.ask("/studio", headers={**mine, **kept})[0].headers["Set-Cookie"] is None
    listed, data = served.ask("/api/jobs")
    assert (listed.headers["Set-Cookie"], json.loads(data)["jobs"]) == (None, [])
    made, _ = served.ask("/api/jobs", "POST", {"task": "text", "fields": {"duration_s": 1, "image": False}})
    program = {"X-Lullwave-Visitor": made.headers["X-Lullwave-Visitor"]}
    brought, data = served.ask("/api/jobs/files?name=a.wav", "POST", encode(sound(0.5), "wav"), program)
    assert brought.headers["Set-Cookie"] is None
    assert json.loads(data)["id"] in [one["id"] for one in served.json("/api/jobs", headers=program)["jobs"]]
    assert len(served.json("/api/jobs", headers=program)["jobs"]) == 2


def test_a_public_server_asks_for_the_token_unless_the_studio_is_open(tmp_path):
    flags = {"trusted_proxies": "192.0.2.1", "token": "secret", "refused_words": "scream", "engine": "sines"}
    body = {"task": "text", "fields": {"duration_s": 1, "image": False}}
    with serving(tmp_path / "closed", engines=ENGINES, **flags) as closed:
        assert closed.ask("/api/jobs", "POST", body, ME)[0].status == 401
        told = closed.json("/api/jobs", headers=ME)
        assert told["may_make"] is False
        assert (told["most_pinned"], told["most_pinned_bytes"]) == (100, told["most_bytes"] // 2)
        owner = {**ME, "Authorization": "Bearer secret"}
        assert closed.ask("/api/jobs", "POST", body, owner)[0].status == 202
    with serving(tmp_path / "open", engines=ENGINES, open_studio=True, **flags) as opened:
        assert opened.json("/api/jobs", headers=ME)["may_make"] is True
        for task, field in (("text", "prompt"), ("batch", "batch")):
            fields = {field: '{"entries": [{"prompt": "scream"}]}' if task == "batch" else "scream"}
            told = opened.json("/api/jobs", "POST", {"task": task, "fields": fields}, ME)
            assert told["error"]["field"].removeprefix("fields.") == field
        assert opened.ask("/api/generate", "POST", {}, ME)[0].status == 401
        statuses = [opened.ask("/api/jobs/files?name=x.txt", "POST", b"x", ME)[0].status for _ in range(12)]
        assert statuses[:9] == [422] * 9
        assert statuses[-1] == 429  # a pace for each address


def test_a_moment_of_a_station_is_kept_as_it_was_heard(served, monkeypatch):
    meant = Understanding("rain", {"ambience": ["rain"], "moods": {"bright": -0.5}})
    monkeypatch.setattr(SineEngine, "understand", lambda engine, prompt: meant)
    with served.listening():
        for _ in range(5):
            served.clock.advance(5)
        served.app.state.services.channels._encoding.submit(lambda: None).result(60)
        at = served.clock.wall() - 12
        job = make(served, "moment", station="piano", at=str(at), seconds=4, format="wav")
        heard = served.ask(f"/api/stations/piano/replay?at={at}&seconds=4&format=wav")[1]
        lossless = served.ask(f"/api/stations/piano/replay?at={at}&seconds=4&format=flac")[1]
    assert [one["seconds"] for one in job["results"]] == [4.0]
    assert data_of(served, job, job["results"][0]["name"]) == heard
    facts = job["facts"]
    assert facts["title"].startswith("Tone")
    assert job["results"][0]["name"] == facts["title"].lower().replace(" ", "-") + ".wav"
    assert (facts["seconds"], facts["exact"], facts["writes"]) == (4.0, True, [])
    assert facts["prompt"]
    # The place is the station's own, the rest is what the engine made of the prompt.
    assert facts["scene"] == {"place": "city", "time": "night", "sounds": ["rain"], "mood": "calm"}
    assert np.array_equal(decode(lossless).samples, decode(heard).samples)
    for part, named in (("midi", "MIDI"), ("stems", "stems")):
        refused, body = served.ask(f"/api/stations/piano/replay/{part}?at={at}&seconds=4")
        assert refused.status == 422
        assert f"the engine 'sines', which played then, cannot write {named}" in body.decode()
    for field, wrong in (("station", "attic"), ("at", str(served.clock.wall() + 1)), ("seconds", 301)):
        fields = {"station": "piano", "at": str(at), "seconds": 4, field: wrong}
        told = served.json("/api/jobs", "POST", {"task": "moment", "fields": fields}, ME)
        assert [one["field"] for one in told["errors"]] == [field]
    gone = {"station": "guitar", "at": str(at), "seconds": 4}
    failed = served.json("/api/jobs", "POST", {"task": "moment", "fields": gone}, ME)
    while failed["state"] in ("waiting", "working"):
        failed = served.json(f"/api/jobs/{failed['id']}", headers=ME)
    assert failed["state"] == "failed"
    assert "guitar" in failed["error"]["message"]
