"""What the pages ask at their start is answered without importing the packages of neural engines."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lullwave import checkpoints
from lullwave.engines.riffusion.options import RiffusionFacts
from lullwave.errors import CheckpointError
from lullwave.server import engine_pool
from lullwave.server.engine_config import load_options
from lullwave.server.engine_pool import EnginePool
from lullwave.settings import load

PATHS = (
    "/riff",
    "/studio",
    "/api/stations",
    "/api/stations/piano",
    "/api/stations/piano/vocabulary",
    "/api/engines",
    "/api/riffusion",
    "/api/riffusion/seed-images",
    "/api/jobs",
    "/api/jobs/tasks",
)
HEAVY = ("torch", "transformers", "diffusers", "audio_separator", "openvino", "ray")
ASK = """
import json, sys
from pathlib import Path
from radio_server import serving
from lullwave.server.engine_pool import EnginePool
from lullwave.server.engine_config import load_options
from lullwave.settings import load

folder, paths, heavy = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
with serving(folder, engines=EnginePool(options=load_options(load({"data_dir": folder})))) as served:
    replies = {path: served.ask(path) for path in paths}
    riffusion = json.loads(replies["/api/riffusion"][1])
    told = {path: reply[0].status for path, reply in replies.items()}
    print(json.dumps([told, riffusion["available"], riffusion["why"], [name for name in heavy if name in sys.modules]]))
"""


def test_pages_begin_without_heavy_packages(tmp_path):
    helpers = Path(__file__).parents[1] / "helpers"
    environment = {
        "PYTHONPATH": f"{helpers}:{Path(checkpoints.__file__).parents[1]}",
        "LULLWAVE_MODELS_DIR": str(tmp_path / "models"),
        "HF_HOME": str(tmp_path / "hub"),
        "HOME": str(tmp_path),
    }
    command = [sys.executable, "-c", ASK, str(tmp_path), json.dumps(PATHS), json.dumps(HEAVY)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    told, available, why, imported = json.loads(done.stdout.splitlines()[-1])
    assert told == dict.fromkeys(PATHS, 200)
    assert imported == []
    assert not available
    assert "lullwave models pull riffusion/riffusion-model-v1" in why or "extra" in why


def test_an_engine_that_may_not_download_is_imported_only_with_its_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("LULLWAVE_MODELS_DIR", str(tmp_path / "none"))
    monkeypatch.setattr(checkpoints, "_in_hub_cache", lambda model: None)
    monkeypatch.setattr(engine_pool, "engine_facts", lambda name: RiffusionFacts)
    asked = []

    def imported(name):
        asked.append(name)
        raise ImportError("now it would be imported")

    monkeypatch.setattr(engine_pool, "engine_class", imported)
    missing = EnginePool(options=load_options(load({"data_dir": tmp_path})))
    with pytest.raises(CheckpointError, match="is not installed"):
        missing.get("riffusion")
    assert asked == []
    (tmp_path / "weights").mkdir()
    there = EnginePool(options=load_options(load({"data_dir": tmp_path, "checkpoint": str(tmp_path / "weights")})))
    there.check_installed("riffusion")
    assert asked == []
    with pytest.raises(ImportError):
        there.get("riffusion")
    assert asked == ["riffusion"]
