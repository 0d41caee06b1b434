"""Each documented pipeline of diffusers from a tiny random checkpoint: plays a station, steers, cancels, reproduces."""

import json
import threading

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from tiny_pipelines import PIPELINES  # noqa: E402

from lullwave import Request, load_engine  # noqa: E402
from lullwave.engines.diffusers.index import Weights  # noqa: E402
from lullwave.engines.diffusers.placement import OffloadNeeds, place  # noqa: E402
from lullwave.errors import CheckpointError, EngineError, InvalidInput, SnapshotError, StreamClosed  # noqa: E402
from lullwave.testing import EngineContract  # noqa: E402

FORMATS = {
    "StableAudioPipeline": (8000, 2),
    "AceStepPipeline": (8000, 2),
    "AudioLDMPipeline": (8000, 1),
    "AudioLDM2Pipeline": (16000, 1),
    "MusicLDMPipeline": (16000, 1),
    "MiniMaxMusic3ModularPipeline": (8000, 2),
}
OPTIONS = {"steps": 2, "clip_s": 2.0, "crossfade_s": 0.5}


@pytest.mark.parametrize("name", PIPELINES)
def test_it_plays_a_station_steers_and_reproduces(name, load, checkpoint):
    engine = load(name)
    assert (engine.rate, engine.channels) == FORMATS[name]
    request = Request("calm piano", 7, options=OPTIONS)
    with engine.stream(request) as stream:
        played = stream.read(4 * engine.rate).samples  # two clips and the joins between three
        assert stream.progress[0] >= 2
        stream.steer("fast drums", over_s=0.5)
        steered = stream.read(engine.rate).samples
        stored = stream.snapshot(3 * engine.rate)
    again = load_engine("diffusers", model=str(checkpoint(name)), device="cpu")
    with again.restore(stored) as restored, again.stream(request) as same:
        assert np.array_equal(restored.read(engine.rate).samples, played[3 * engine.rate :])
        assert np.array_equal(same.read(4 * engine.rate).samples, played)
        assert not np.array_equal(same.read(engine.rate).samples, steered)


@pytest.mark.parametrize("name", PIPELINES)
def test_closing_stops_a_clip_between_two_steps(name, load):
    engine = load(name)
    stream = engine.stream(Request("calm", 9, options={**OPTIONS, "steps": 500}))
    ended = []
    begun = threading.Event()
    note = stream._note
    stream._engine._progress = lambda done, total: (note(done, total), begun.set())

    def read():
        try:
            with pytest.raises(StreamClosed):
                stream.read(100)
            ended.append(stream.progress[0])
        finally:
            begun.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert begun.wait(60)
    stream.close()
    reader.join(60)
    assert 0 < ended[0] < 500


def test_clips_are_those_of_the_pipeline_joined_by_equal_power(load):
    from lullwave.engines.diffusers.pipeline import derived_seed

    engine, rate = load("StableAudioPipeline"), 8000
    played = engine.stream(Request("calm piano", 7, options=OPTIONS)).read(3 * rate).samples
    clips = []
    for number in (0, 1):
        made = engine.pipeline.loaded.pipeline(
            prompt="calm piano",
            audio_end_in_s=2.0,
            num_inference_steps=2,
            generator=torch.Generator("cpu").manual_seed(derived_seed(7, number)),
        )
        clips.append(made.audios[0].numpy().T)
    assert np.array_equal(played[:12000], clips[0][:12000])
    assert np.array_equal(played[16000:24000], clips[1][4000:12000])
    middle = played[14000] / (clips[0][14000] + clips[1][2000])
    assert np.allclose(middle, np.sqrt(0.5), atol=0.02)


def test_options_come_from_the_signature(load):
    engine = load("AceStepPipeline")
    signature = engine.pipeline.signature
    assert signature.parse_extra("bpm=80, lyrics=la, la, shift=2") == {"bpm": 80, "lyrics": "la, la", "shift": 2.0}
    with pytest.raises(InvalidInput, match="bpmm"):
        engine.stream(Request("x", options={"extra": "bpmm=80"}))
    with pytest.raises(InvalidInput, match="bpm: got 'fast'"):
        engine.stream(Request("x", options={"extra": "bpm=fast"}))
    plain, fast = (
        engine.stream(Request("x", 3, options={**OPTIONS, "extra": extra})).read(800).samples
        for extra in ("", "bpm=170, lyrics=la la")
    )
    assert not np.array_equal(plain, fast)
    assert engine.understand("piano, -drums").ignored == ("drums",)
    assert "avoids: drums" in load("StableAudioPipeline").understand("piano, -drums").text


def test_a_short_request_is_one_clip_of_its_length(load):
    engine = load("StableAudioPipeline")
    with engine.stream(Request("calm", 1, 1.0, {"steps": 2, "crossfade_s": 0.0})) as stream:
        samples = stream.read(10**6).samples
    assert len(samples) == 8000
    assert np.abs(samples[-4:]).max() < 0.01


def test_precision_offload_and_tiling_follow_the_memory(monkeypatch):
    from lullwave.engines.diffusers import placement

    weights = {"unet": Weights(8 * 10**9, 2 * 10**9, False), "vae": Weights(2 * 10**9, 5 * 10**8, False)}
    cpu, gpu = torch.device("cpu"), torch.device("cuda:0")

    def placed(free, device, dtype="auto", offload="auto", host=10**12):
        monkeypatch.setattr(placement, "free_bytes", lambda asked: free if asked == device else host)
        return place(weights, device, dtype, offload, OffloadNeeds())

    assert placed(64e9, cpu).dtype == torch.float32
    assert placed(8e9, cpu).dtype == torch.bfloat16
    assert placed(64e9, gpu) == placement.Placement(torch.float16, "none", False)
    assert placed(8e9, gpu).tiled
    assert placed(64e9, cpu, offload="model").offload == "none"  # a CPU has nothing to move networks to
    assert placed(5.5e9, gpu).offload == "model"
    assert placed(2e9, gpu).offload == "sequential"
    for free, device in ((4e9, cpu), (2e9, gpu)):
        with pytest.raises(EngineError, match=r"need 6\.2 GB .*10\.0 GB on disk.* GB are free"):
            placed(free, device, host=1e9)


def test_what_is_no_pipeline_is_refused(checkpoint, tmp_path):
    with pytest.raises(CheckpointError, match=r"model_index\.json"):
        load_engine("diffusers", model=str(tmp_path), device="cpu")
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "StableAudioPipeline"}))
    with pytest.raises(CheckpointError, match="no weights"):
        load_engine("diffusers", model=str(tmp_path), device="cpu")
    (tmp_path / "model_index.json").write_text("[]")
    with pytest.raises(CheckpointError, match=r"model_index\.json is damaged"):
        load_engine("diffusers", model=str(tmp_path), device="cpu")
    stored = load_engine("diffusers", model=str(checkpoint("MusicLDMPipeline")), device="cpu").stream("x").snapshot()
    other = load_engine("diffusers", model=str(checkpoint("StableAudioPipeline")), device="cpu")
    with pytest.raises(SnapshotError, match="model"):
        other.restore(stored)


class TestContract(EngineContract):
    """A pipeline of the same code for all."""

    options = OPTIONS
    directory: str

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _checkpoint(cls, checkpoint):
        cls.directory = str(checkpoint("StableAudioPipeline"))

    def load(self):
        return load_engine("diffusers", model=self.directory, device="cpu")
