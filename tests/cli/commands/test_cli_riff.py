"""``lullwave riff`` from its arguments to its files, on a tiny checkpoint."""

import json
import shutil

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

from PIL import Image
from typer.testing import CliRunner

from lullwave import Audio, __version__
from lullwave.cli.app import app as whole
from lullwave.cli.commands.riff import app
from lullwave.codecs import decode, read_tags, write
from lullwave.engines.riffusion.model.random_checkpoint import make_random
from lullwave.errors import InvalidInput, LullwaveError


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    folder = make_random(tmp_path_factory.mktemp("riff") / "tiny")
    return ["--checkpoint", str(folder), "--device", "cpu"]


def riff(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def said_in(path):
    """The title of a file and the fields of its comment."""
    tags = read_tags(path)
    return tags.title, json.loads(tags.comment)


def test_text(load, tmp_path):
    out = tmp_path / "a.wav"
    riff("text", "warm piano", "-o", out, "-s", 2.56, "--seed", 3, "--steps", 2, "--image", *load)
    assert decode(out).duration_s == pytest.approx(2.55)
    said = {"generated": True, "prompt": "warm piano", "seed": 3, "engine": "riffusion", "version": __version__}
    assert said_in(out) == ("warm piano", said)
    # the spectrogram beside it says the same, and so does its sound
    with Image.open(out.with_suffix(".png")) as image:
        assert (image.getexif()[11000], image.text["Title"]) == (44100, "warm piano")
    back = tmp_path / "back.flac"
    assert (
        CliRunner().invoke(whole, ["image-to-audio", "-i", str(out.with_suffix(".png")), "-a", str(back)]).exit_code
        == 0
    )
    assert said_in(back) == ("warm piano", said)


def test_interpolate(load, tmp_path):
    riff("interpolate", "a", "b", "-o", tmp_path / "b.flac", "--clips", 2, "--steps", 2, *load)
    assert decode(tmp_path / "b.flac").duration_s == pytest.approx(10.24)
    title, said = said_in(tmp_path / "b.flac")
    assert title == "a → b"
    assert (said["generated"], said["prompt"], said["end_prompt"]) == (True, "a", "b")


def test_transform(load, tmp_path):
    noise = np.random.default_rng(0).standard_normal(44100 * 2).astype(np.float32) * 0.1
    write(tmp_path / "in.wav", Audio.of(noise, 44100))
    riff("transform", tmp_path / "in.wav", "a", "-o", tmp_path / "c.wav", "--end", "b", "--steps", 3, *load)
    assert decode(tmp_path / "c.wav").duration_s == pytest.approx(2.0)
    riff("transform", tmp_path / "in.wav", "a", "-o", tmp_path / "d.wav", "--magic-mix", "--steps", 6, *load)


def test_batch_writes_an_index_and_does_not_make_clips_again(load, tmp_path):
    file = tmp_path / "batch.json"
    params = {"num_inference_steps": 2, "width": 256, "name": "x/y"}
    file.write_text(json.dumps({"params": params, "entries": [{"prompt": "a"}, {"prompt": "b", "seed": 5}]}))
    riff("batch", file, tmp_path / "out", "--seeds", 2, "--format", "wav", *load)
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert [(one["prompt"], one["seed"]) for one in index] == [("a", 0), ("a", 1), ("b", 5), ("b", 6)]
    clips = [tmp_path / "out" / one["file"] for one in index]
    before = [clip.stat().st_mtime_ns for clip in clips]
    riff("batch", file, tmp_path / "out", "--seeds", 2, "--format", "wav", *load)
    assert [clip.stat().st_mtime_ns for clip in clips] == before
    # other words are other clips, under whatever name the old ones lie
    file.write_text(json.dumps({"params": params, "entries": [{"prompt": "a"}, {"prompt": "c", "seed": 5}]}))
    riff("batch", file, tmp_path / "out", "--seeds", 2, "--format", "wav", *load)
    after = [clip.stat().st_mtime_ns for clip in clips]
    assert after[:2] == before[:2]
    assert all(new != old for new, old in zip(after[2:], before[2:], strict=True))


def test_a_batch_that_cannot_be_told_apart_or_read_is_refused(tmp_path):
    file = tmp_path / "batch.json"
    for said in (
        json.dumps({"params": [{"name": "x y"}, {"name": "x-y"}], "entries": [{"prompt": "a"}]}).encode(),
        b"\xff\xfe\x00",
    ):
        file.write_bytes(said)
        with pytest.raises(InvalidInput):
            riff("batch", file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_all_of_a_batch_is_checked_before_any_work(load, tmp_path):
    file, out = tmp_path / "batch.json", tmp_path / "out"
    out.mkdir()
    (out / "set0-001-0.png").touch()
    here = {"checkpoint": load[1]}
    for params, second, named in (
        ([here], {"prompt": "b", "seed": 2**63 - 2}, r"entries\[1\]\.seed"),  # the third seed is too large
        ([here], {"prompt": "b"}, r"set0-001-0\.png exists"),
        ([here, {"checkpoint": "no/such"}], {"prompt": "b", "seed": 1}, r"params\[1\]\.checkpoint"),
    ):
        file.write_text(json.dumps({"params": params, "entries": [{"prompt": "a"}, second]}))
        with pytest.raises(LullwaveError, match=named):
            riff("batch", file, out, "--seeds", 3, "--offline")
    assert [path.name for path in out.iterdir()] == ["set0-001-0.png"]
    for wrong in ("drums,lute", "drums:x", "drums:nan"):
        with pytest.raises(InvalidInput, match="--keep"):
            riff("stems", tmp_path / "absent.wav", tmp_path / "parts", "--keep", wrong)


def cut(folder, name):
    file = next(folder.glob(name))
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda folder: shutil.rmtree(folder / "vae"), "no folder 'vae'"),
        (lambda folder: cut(folder, "unet/*.safetensors"), "damaged or cut off"),
        (lambda folder: next(folder.glob("text_encoder/*.safetensors")).unlink(), "holds no weights"),
        (lambda folder: (folder / "unet" / "config.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "scheduler" / "scheduler_config.json").write_text("{}"), "names no scheduler"),
    ],
    ids=["folder", "weights", "no weights", "config", "scheduler"],
)
def test_the_checkpoint_of_every_set_is_looked_into_before_the_first_clip(load, tmp_path, harm, told):
    other = shutil.copytree(load[1], tmp_path / "other")
    harm(other)
    sets = [{"checkpoint": load[1], "name": "a"}, {"checkpoint": str(other), "name": "b"}]
    file = tmp_path / "batch.json"
    file.write_text(json.dumps({"params": sets, "entries": [{"prompt": "a"}]}))
    with pytest.raises(LullwaveError, match=rf"params\[1\]\.checkpoint: .*{told}"):
        riff("batch", file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_wrong_values_are_refused_before_anything_is_loaded(tmp_path):
    for words, named in (
        (["text", "a", "--preset", "magic"], "--preset"),
        (["text", "a", "--scheduler", "magic"], "--scheduler"),
        (["text", "a", "--steps", "0"], "--steps"),
        (["text", "a", "--steps", "100000"], "--steps"),
        (["text", "a", "-o", "a.xyz"], "path"),
        (["text", "a", "-o", str(tmp_path / "no" / "a.mp3")], "--output"),
        (["text", "(a", "--guidance", "1000"], "--guidance"),
    ):
        with pytest.raises(InvalidInput) as refused:
            riff(*words)
        assert refused.value.field == named
