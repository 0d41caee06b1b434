"""The list of models to choose from, the measurement behind it, and the check of a model."""

import asyncio
import json
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from radio_server import serving
from sine_engine import SineEngine

from lullwave import Audio, checkpoints, load_engine
from lullwave.cli.app import run
from lullwave.engines.comparison import Comparison, compared
from lullwave.errors import CheckpointError, EngineFailed
from lullwave.models import machine
from lullwave.models.catalogue import CATALOGUE, known
from lullwave.models.check import check, engine_of, judge
from lullwave.models.machine import Machine, available
from lullwave.server.engine_pool import EnginePool
from lullwave.server.routes.models import SharedListing

FAST, SLOW = Machine("cuda:0", 400_000.0, 3000.0, 140.0), Machine("cpu", 300.0, 20.0, 2.0)


def test_speeds_follow_what_was_measured():
    small, large = known("facebook/musicgen-small"), known("facebook/musicgen-large")
    assert SLOW.speed(small) == pytest.approx(20.0 / 21.0)  # 50 times 0.42 GB are read for a second of sound
    assert FAST.speed(large) > 10 > 1 > SLOW.speed(large)
    doubled = replace(SLOW, gflops=2 * SLOW.gflops)
    riffusion = known("riffusion/riffusion-model-v1")
    assert doubled.speed(riffusion) == pytest.approx(2 * SLOW.speed(riffusion))
    assert known("facebook/nothing") is None


def test_every_model_is_told_in_full_and_sizes_follow_from_the_parameters():
    listed = available({model.engine for model in CATALOGUE}, SLOW)
    assert len(listed) == len(CATALOGUE)
    for one in listed:
        assert all(one[name] not in ("", None) for name in one)
        assert min(one["disk_gb"], one["memory_gb"]) > 0.5
    assert next(one for one in listed if one["name"] == "facebook/musicgen-small")["disk_gb"] == pytest.approx(2.4)
    ace_step = next(one for one in listed if one["name"].startswith("ACE-Step"))
    assert ace_step["memory_gb"] == pytest.approx(2 * ace_step["disk_gb"])  # published in halves, computed in full
    assert [one["engine"] for one in available({"riffusion"}, SLOW)] == ["riffusion"]
    fits = {one["name"]: one["fits"] for one in listed}
    assert fits["facebook/musicgen-small"]  # 589 million parameters of 1.6 bytes, in 2 GB
    assert not fits["facebook/musicgen-large"]
    assert FAST.fits(known("facebook/musicgen-large"))


def test_a_machine_is_measured_once():
    machine.this_machine.cache_clear()
    measured = machine.this_machine()
    assert measured.gflops > 1
    assert measured.gb_s > 0.1
    assert measured.memory_gb > 0.5
    assert machine.this_machine() is measured


def test_the_list_over_http_and_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(machine, "this_machine", lambda: SLOW)
    monkeypatch.setattr("lullwave.server.routes.models.this_machine", lambda: SLOW)
    with serving(tmp_path, engines={"synth": SineEngine, "musicgen": SineEngine}) as served:
        listed = served.json("/api/models")["models"]
    assert {one["engine"] for one in listed} == {"musicgen"}
    monkeypatch.setattr(sys, "argv", ["lullwave", "models", "list", "--available", "--json"])
    with pytest.raises(SystemExit):
        run()
    told = json.loads(capsys.readouterr().out)
    assert [one for one in told if one["engine"] == "musicgen"] == listed
    monkeypatch.setattr(sys, "argv", ["lullwave", "models", "list", "--available"])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        run()
    assert "no commercial use" in " ".join(capsys.readouterr().out.split())


def test_requests_share_one_measurement_and_leave_threads_to_others(monkeypatch):
    measured, go_on = [], threading.Event()

    def measure():
        measured.append(threading.get_ident())
        assert go_on.wait(60)
        return SLOW

    monkeypatch.setattr("lullwave.server.routes.models.this_machine", measure)

    async def ask():
        listing = SharedListing(EnginePool({"musicgen": object}))
        requests = [asyncio.create_task(listing.get()) for _ in range(100)]
        await asyncio.sleep(0)
        requests[0].cancel()  # the first client leaves
        await asyncio.to_thread(go_on.set)  # gets a thread while the measurement runs
        return await asyncio.gather(*requests, return_exceptions=True), await listing.get()

    (left, *answers), later = asyncio.run(ask())
    assert isinstance(left, asyncio.CancelledError)
    assert {one["engine"] for one in answers[0]} == {"musicgen"}
    assert all(answer == answers[0] == later for answer in answers)
    assert len(measured) == 2  # one for the hundred, one for the last


def test_without_an_engine_of_models_nothing_is_measured(monkeypatch):
    monkeypatch.setattr("lullwave.server.routes.models.this_machine", lambda: pytest.fail("measured"))
    assert asyncio.run(SharedListing(EnginePool({"synth": object})).get()) == []


@pytest.mark.parametrize("status", [401, 403])
def test_gated_models_tell_the_three_steps(monkeypatch, tmp_path, status):
    pytest.importorskip("huggingface_hub")
    import huggingface_hub

    class Info:
        siblings = [type("File", (), {"rfilename": "model.safetensors", "lfs": None, "size": 10})]  # noqa: RUF012
        sha = "abc"

    def refuse(*args, **named):
        raise checkpoints.DownloadFailed("refused", status)

    monkeypatch.setenv("LULLWAVE_MODELS_DIR", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *args, **named: Info)
    monkeypatch.setattr(checkpoints, "fetch", refuse)
    with pytest.raises(CheckpointError) as told:
        checkpoints.pull("some/gated", lambda *progress: None)
    for words in ("https://huggingface.co/some/gated", "make a token", "HF_TOKEN"):
        assert words in str(told.value)


def test_a_clip_is_judged_by_level_silence_clipping_and_likeness():
    rate = 8000
    good = Audio.of(0.1 * np.sin(np.arange(rate) / 5.0), rate)
    same = Comparison("logits", 0.001, 0.9999)

    def faults(clip, comparison=same):
        return judge("x", comparison, "", clip, 0.5, 1.0).faults

    found = judge("x", same, "", good, 0.5, 1.0)
    assert found.faults == ()
    assert found.level_dbfs == pytest.approx(-23.0, abs=0.1)
    assert found.speed == 2.0
    assert "good" in found.verdict
    assert "silent" in faults(Audio.silence(rate, rate))[0]
    assert "clipped" in faults(Audio.of(np.sign(good.samples), rate))[0]
    assert (
        "no numbers" in faults(Audio(np.where(np.arange(rate) == 5, np.nan, 0.1).astype(np.float32)[:, None], rate))[0]
    )
    assert "cosine" in faults(good, Comparison("logits", 1.0, 0.5))[0]
    assert compared("x", np.array([1.0, 0.0]), np.array([0.0, 2.0])) == Comparison("x", 2.0, 0.0)
    with pytest.raises(EngineFailed, match="shape"):
        compared("x", np.zeros(2), np.zeros(3))


def test_memory_is_that_of_a_finite_clip_without_the_reference(monkeypatch):
    done = []

    class Noting(SineEngine):
        def open(self, request, **audio_prompts):
            done.append(("clip", request.duration_s))
            return super().open(request, **audio_prompts)

        def compare_with_reference(self):
            done.append("comparison")
            return Comparison("logits", 0.0, 1.0)

    monkeypatch.setattr("lullwave.models.check._peak_gb", lambda engine: done.append("memory") or 1.5)
    found = check(Noting(), 2.0)
    assert done == [("clip", 2.0), "memory", "comparison"]
    assert (found.memory_gb, found.seconds, found.faults) == (1.5, 2.0, ())


def test_the_engine_of_a_model_is_told_by_its_index(tmp_path):
    for kind, engine in (
        ("StableAudio3Pipeline", "stable-audio"),
        ("StableAudioPipeline", "diffusers"),
        ("StableDiffusionPipeline", "riffusion"),
    ):
        (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": kind}))
        assert engine_of(tmp_path) == engine


def test_models_of_each_engine_are_checked_against_their_library(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    pytest.importorskip("diffusers")
    from lullwave.engines.musicgen.model.random_checkpoint import write_random
    from lullwave.engines.riffusion.model.random_checkpoint import make_random

    folders = {
        "musicgen": write_random("musicgen-tiny", tmp_path / "musicgen"),
        "riffusion": make_random(tmp_path / "riffusion", seed=3),
    }
    for engine, folder in folders.items():
        assert engine_of(folder) == engine
    with load_engine("riffusion", checkpoint=str(folders["riffusion"]), device="cpu", dtype="float32") as loaded:
        found = loaded.compare_with_reference()
        assert found.cosine > 0.99999
        assert found.largest < 1e-3
    arguments = ["--json", "--seconds", "1", "--option", "dtype=float32", "--option", "device=cpu"]
    monkeypatch.setattr(sys, "argv", ["lullwave", "models", "check", str(folders["musicgen"]), *arguments])
    with pytest.raises(SystemExit) as ended:
        run()
    told = json.loads(capsys.readouterr().out)
    assert told["engine"] == "musicgen"
    assert told["comparison"]["cosine"] > 0.99999
    assert told["good"] == (not ended.value.code)
    assert told["speed"] > 0
