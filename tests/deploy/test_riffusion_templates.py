"""The Truss model and the Cog predictor, loaded as their platforms load them, with a tiny checkpoint."""

import importlib.util
import io
import sys
import types
from base64 import b64decode
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

from PIL import Image
from pydantic import BaseModel

from lullwave.codecs import decode
from lullwave.engines.riffusion.model.random_checkpoint import make_random

DEPLOY = Path(__file__).parents[2] / "deploy"
REQUEST = {
    "start": {"prompt": "a", "seed": 1},
    "end": {"prompt": "b", "seed": 2},
    "alpha": 0.5,
    "num_inference_steps": 2,
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return make_random(tmp_path_factory.mktemp("deploy") / "tiny")


def loaded(path):
    spec = importlib.util.spec_from_file_location(f"deployed_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_truss(checkpoint):
    yaml = pytest.importorskip("yaml")
    config = yaml.safe_load((DEPLOY / "truss" / "config.yaml").read_text())
    assert config["model_metadata"]["checkpoint"] == "riffusion/riffusion-model-v1"
    config["model_metadata"] = {**config["model_metadata"], "checkpoint": str(checkpoint), "device": "cpu"}
    # Baseten's server: Model(config=, data_dir=, secrets=, environment=), load(), predict(body)
    model = loaded(DEPLOY / "truss" / "model" / "model.py").Model(
        config=config, data_dir=DEPLOY / "truss" / "data", secrets={}, environment=None
    )
    model.load()
    reply = model.predict(REQUEST)
    assert decode(b64decode(reply["audio"].split(",")[1])).frames == 511 * 441
    assert Image.open(io.BytesIO(b64decode(reply["image"].split(",")[1]))).size == (512, 512)
    assert model.predict({"worklet_input": REQUEST}) == {"output": reply}
    assert "alpha" in model.predict({**REQUEST, "alpha": 3})["error"]


@pytest.fixture
def cog(monkeypatch):
    """Cog's own package where it is installed, else its names as its documentation describes them."""
    try:
        import cog as installed

        return installed
    except ImportError:
        stand_in = types.ModuleType("cog")
        stand_in.BaseModel = BaseModel
        stand_in.BasePredictor = object
        stand_in.Path = type(Path())
        stand_in.Input = lambda default=None, **limits: default
        monkeypatch.setitem(sys.modules, "cog", stand_in)
        return stand_in


def test_cog(checkpoint, cog, monkeypatch):
    yaml = pytest.importorskip("yaml")
    file, _, name = yaml.safe_load((DEPLOY / "cog" / "cog.yaml").read_text())["predict"].partition(":")
    monkeypatch.setenv("RIFFUSION_CHECKPOINT", str(checkpoint))
    monkeypatch.setenv("RIFFUSION_DEVICE", "cpu")
    predictor = getattr(loaded(DEPLOY / "cog" / file), name)()
    predictor.setup()
    inputs = {"prompt_a": "a", "denoising": 0.75, "prompt_b": "b", "alpha": 0.5, "num_inference_steps": 2}
    made = predictor.predict(**inputs, seed_image_id="vibes")
    assert made.error is None
    assert decode(Path(made.audio)).frames == 511 * 441
    assert Image.open(made.spectrogram).getexif()[11080] == pytest.approx(30e6)
    alone = predictor.predict(**{**inputs, "prompt_b": ""}, seed_image_id="vibes")
    assert alone.error is None
    assert "nowhere" in predictor.predict(**inputs, seed_image_id="nowhere").error
