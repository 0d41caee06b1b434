"""Loading and closing the engine; wrong options and broken checkpoints are refused by name."""

import json
import os
import shutil
import threading
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from songs import EXACT, RATE

from lullwave.audio import Audio
from lullwave.engines import load_engine
from lullwave.engines.musicgen.engine import MusicGenEngine
from lullwave.errors import CheckpointError, InvalidInput, PromptError, SnapshotError, StreamClosed
from lullwave.request import Request


def test_closing_the_engine_ends_its_streams(tiny):
    engine = MusicGenEngine(model=str(tiny), dtype=EXACT, device="cpu", threads=1, max_songs=1)
    stream = engine.stream(Request("calm"))
    stream.read(100)
    engine.close()
    with pytest.raises(StreamClosed):
        stream.read(RATE)
    assert not any(thread.name == "musicgen" and thread is engine.scheduler._thread for thread in threading.enumerate())


def test_wrong_values_are_refused_by_name(tiny, engine):
    for options, field in (
        ({"temperature": -1}, "temperature"),
        ({"top_k": 5000}, "top_k"),
        ({"top_p": 0}, "top_p"),
        ({"window_s": 31}, "window_s"),
        ({"overlap_s": 0.5}, "overlap_s"),
        ({"overlap_s": 16}, "overlap_s"),
        ({"guidance": float("nan")}, "guidance"),
        ({"speed": 2}, "speed"),
    ):
        with pytest.raises(InvalidInput, match=field):
            engine.stream(Request("calm", options=options))
    with pytest.raises(PromptError, match="tokens"):
        engine.stream(Request("zq" * 400))
    with pytest.raises(InvalidInput, match="melody"):
        engine.stream(Request("calm"), melody=Audio.silence(RATE, RATE))
    with pytest.raises(InvalidInput, match=r"0\.5 s"):
        engine.stream(Request("calm"), continue_from=Audio.silence(100, RATE))
    for options, field in (({"device": "toaster"}, "device"), ({"dtype": "int3"}, "dtype"), ({"max_songs": 0}, "max_")):
        with pytest.raises(InvalidInput, match=field):
            load_engine("musicgen", model=str(tiny), **options)
    with pytest.raises(SnapshotError):
        engine.restore(b"nonsense")


def test_broken_checkpoints_name_the_fault_and_the_remedy(tiny, tmp_path, monkeypatch):
    def broken(name):
        place = tmp_path / name
        shutil.copytree(tiny, place)
        return place

    def fault(place):
        with pytest.raises(CheckpointError) as raised:
            load_engine("musicgen", model=str(place), device="cpu")
        return str(raised.value)

    place = broken("cut")
    file = place / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    assert "lullwave models pull" in fault(place)
    place = broken("nonsense")
    (place / "model.safetensors").write_bytes(b"\0" * 5000)
    assert "damaged" in fault(place)
    place = broken("no-weights")
    (place / "model.safetensors").unlink()
    assert "no weights" in fault(place)
    place = broken("architecture")
    (place / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    assert "'gpt2'" in fault(place)
    place = broken("shape")
    config = json.loads((place / "config.json").read_text())
    config["decoder"]["hidden_size"] = 128
    (place / "config.json").write_text(json.dumps(config))
    assert "shape" in fault(place)
    place = broken("tokenizer")
    (place / "tokenizer.json").write_text("{")
    assert "tokenizer" in fault(place)
    place = broken("of another user")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "model.safetensors")
    assert "not readable" in fault(place)
    (tmp_path / "empty").mkdir()
    assert "config.json" in fault(tmp_path / "empty")
    assert "neither a directory" in fault(tmp_path / "absent")
    with pytest.raises(CheckpointError, match="lullwave models pull facebook/musicgen-small"):
        load_engine("musicgen", model="facebook/musicgen-small", offline=True)


@pytest.mark.parametrize(
    ("part", "name", "value", "told"),
    [
        ("audio_encoder", "sampling_rate", 24000, "frame rate"),
        ("audio_encoder", "target_bandwidths", [1.1], "number of codebooks"),
        ("decoder", "num_codebooks", 2, "number of codebooks"),
        ("decoder", "num_attention_heads", 0, "heads"),
        ("decoder", "hidden_size", "wide", "hidden_size"),
        ("text_encoder", "d_model", 32, "text encoder"),
        ("text_encoder", "vocab_size", 64, "text encoder"),
        ("text_encoder", "num_layers", 4, "lacks the weight"),
        ("audio_encoder", "num_lstm_layers", 3, "lacks the weight"),
    ],
)
def test_a_configuration_that_is_not_of_its_weights_is_refused_when_it_is_loaded(
    tiny, tmp_path, part, name, value, told
):
    shutil.copytree(tiny, tmp_path / "other")
    config = json.loads((tmp_path / "other" / "config.json").read_text())
    config[part][name] = value
    (tmp_path / "other" / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=told) as raised:
        load_engine("musicgen", model=str(tmp_path / "other"), device="cpu")
    assert "pull" in str(raised.value)
