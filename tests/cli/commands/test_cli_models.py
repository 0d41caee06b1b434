"""``lullwave models``: the list, wrong names, JSON."""

import json

import pytest
from typer.testing import CliRunner

from lullwave.cli.app import app


def test_models_are_listed_and_wrong_names_explained(lullwave):
    assert b"lullwave models pull" in lullwave("models", "list").stdout
    assert b"neither a directory" in lullwave("models", "path", "nonsense").stderr
    done = lullwave("models", "remove", "some/model")
    assert done.returncode == 2
    assert b"no installed model" in done.stderr
    assert b"make-random" in lullwave("models", "--help").stdout


def test_json_lists_what_is_installed(lullwave, tmp_path):
    note = {"name": "some/model", "bytes": 12, "licence": "mit", "revision": "abc"}
    place = tmp_path / "models" / "some--model"
    place.mkdir(parents=True)
    (place / "lullwave-model.json").write_text(json.dumps(note))
    listed = lullwave("models", "list", "--json", LULLWAVE_MODELS_DIR=str(tmp_path / "models")).stdout
    assert lullwave("models", "--json", LULLWAVE_MODELS_DIR=str(tmp_path / "models")).stdout == listed
    found = json.loads(listed)
    assert found == [{**note, "path": str(place)}]


@pytest.mark.parametrize("name", ["musicgen-tiny", "riffusion-tiny"])
def test_a_random_model_that_is_interrupted_leaves_nothing(tmp_path, monkeypatch, name):
    torch = pytest.importorskip("torch")
    pytest.importorskip("diffusers")
    seen = []

    def stopped(self, folder, *args, **more):
        seen.append(list(tmp_path.iterdir()))
        raise KeyboardInterrupt

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    for kind in (PreTrainedModel, PreTrainedTokenizerBase):
        monkeypatch.setattr(kind, "save_pretrained", stopped)
    assert torch
    done = CliRunner().invoke(app, ["models", "make-random", name, str(tmp_path / "made")])
    assert done.exit_code != 0
    assert seen, "nothing was written yet"
    assert list(tmp_path.iterdir()) == []
