"""MiniMax Music 3, a modular pipeline, beside diffusers' own call: seeds, lyrics, guidance, songs that end early."""

import json
import shutil
from contextlib import contextmanager

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from lullwave import Request, load_engine  # noqa: E402
from lullwave.audio import Audio, crossfade  # noqa: E402
from lullwave.engines.diffusers.pipeline import Clip, derived_seed  # noqa: E402
from lullwave.errors import CheckpointError, EngineFailed, InvalidInput  # noqa: E402
from lullwave.models.check import engine_of  # noqa: E402

NAME, RATE = "MiniMaxMusic3ModularPipeline", 8000
END = 151_670  # the token by which the language model ends a song
VERSE = "[verse]\nlate rain, soft light"


@pytest.fixture(scope="module")
def published(checkpoint):
    """The pipeline as its documentation loads it."""
    pipeline = diffusers.ModularPipeline.from_pretrained(str(checkpoint(NAME)))
    pipeline.load_components(dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def by_diffusers(pipeline, seed, length_s, lyrics="[instrumental]"):
    generator = torch.Generator("cpu").manual_seed(seed)
    arguments = {"lyrics": lyrics, "audio_duration": length_s, "num_inference_steps": 2}
    return pipeline(prompt="calm piano", generator=generator, output="audios", **arguments)[0].T


def made(engine, **changes):
    wanted = {"prompt": "calm piano", "avoid": "", "seed": 5, "length_s": 1.2, "steps": 2, **changes}
    return engine.pipeline.make(Clip(**wanted), lambda done, total: None, lambda: False).samples


@contextmanager
def ending(pipeline, *frames):
    """End the model's songs after ``frames``: the length of the first, of the second, and so on; gives their number."""
    model, state = pipeline.language_model, {"song": -1, "frame": 0}

    def begun(module, args, output):
        prompt_is_read = output.last_hidden_state.shape[1] > 1
        state["song"] += prompt_is_read
        state["frame"] = 0 if prompt_is_read else state["frame"] + 1

    def ended(module, args, output):
        if state["song"] < len(frames) and state["frame"] == frames[state["song"]] + 1:
            output[:] = -1e4
            output[:, END] = 1e4
        return output

    hooks = [model.model.register_forward_hook(begun), model.lm_head.register_forward_hook(ended)]
    try:
        yield lambda: state["song"] + 1
    finally:
        for hook in hooks:
            hook.remove()


def test_songs_are_those_of_diffusers_for_the_same_seed(load, published):
    engine = load(NAME)
    request = Request("calm piano", 7, options={"steps": 2, "clip_s": 2.0, "crossfade_s": 0.5})
    with engine.stream(request) as stream:
        played = stream.read(round(1.5 * RATE)).samples
    assert np.array_equal(played, by_diffusers(published, derived_seed(7, 0), 2.0)[: len(played)])
    assert engine.pipeline.default_clip_s == 60.0


def test_lyrics_and_guidance_are_options(load, published):
    engine = load(NAME)
    sung = made(engine, extra=f"lyrics={VERSE}")
    assert np.array_equal(sung, by_diffusers(published, 5, 1.2, VERSE))
    plain = by_diffusers(published, 5, 1.2)
    assert not np.array_equal(sung, plain)
    own = published.guider
    published.update_components(guider=diffusers.ClassifierFreeGuidance(guidance_scale=9.0))
    guided = by_diffusers(published, 5, 1.2)
    published.update_components(guider=own)
    assert np.array_equal(made(engine, guidance=9.0), guided)
    assert np.array_equal(made(engine), plain)  # the pipeline's own scale again
    assert not np.array_equal(guided, plain)
    with pytest.raises(InvalidInput, match="lyrics"):
        made(engine, extra="lyric=la")
    assert engine.understand("piano, -drums").ignored == ("drums",)


def test_a_song_that_ends_early_goes_over_into_the_next_one(load, published):
    """A clip of 2 s whose first song ends after 1.2 s: the next one has the next seed, and is as long as is needed."""
    engine = load(NAME)
    with ending(engine.pipeline.loaded.pipeline, 3) as songs:
        clip = made(engine, length_s=2.0, crossfade_s=0.4)
        assert songs() == 2
    with ending(published, 3):
        first = Audio(by_diffusers(published, 5, 2.0), RATE)
    assert first.duration_s == pytest.approx(1.2)
    second = Audio(by_diffusers(published, derived_seed(5, 1), 1.2), RATE)
    assert np.array_equal(clip, crossfade(first, second, 0.4).samples)
    assert clip.shape == (2 * RATE, 2)


def test_a_model_that_gives_nothing_fails_soon(load):
    engine = load(NAME)
    with ending(engine.pipeline.loaded.pipeline, *[0] * 50) as songs:
        with pytest.raises(EngineFailed, match="4 songs in a row"):
            made(engine, length_s=60.0)
        assert songs() == 4
    assert len(made(engine)) == 1.2 * RATE  # and can again


def test_steps_are_frames_of_the_language_model_and_steps_of_the_transformer(load):
    engine, told = load(NAME), []
    engine.pipeline.make(
        Clip("calm piano", "", 5, 2.0, 3), lambda done, total: told.append((done, total)), lambda: False
    )
    assert told == [(n, 8) for n in range(1, 9)]  # five frames, three steps of one window
    network = engine.pipeline.loaded.pipeline.transformer
    assert not network._forward_hooks


def test_it_is_checked_against_diffusers(load, checkpoint, monkeypatch):
    monkeypatch.setattr("lullwave.engines.diffusers.engine.COMPARED_S", 2.0)
    found = load(NAME).compare_with_reference()
    assert found.cosine > 0.99999
    assert engine_of(checkpoint(NAME)) == "diffusers"


def test_what_is_damaged_or_brings_its_own_code_is_refused(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint(NAME), tmp_path / "copy")
    weights = folder / "vocoder" / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="vocoder"):
        load_engine("diffusers", model=str(folder), device="cpu")
    weights.write_bytes(whole)
    (folder / "scheduler" / "scheduler_config.json").unlink()
    with pytest.raises(CheckpointError, match="scheduler"):
        load_engine("diffusers", model=str(folder), device="cpu")
    code = {"auto_map": {"ModularPipelineBlocks": "block.Blocks"}}
    (folder / "modular_config.json").write_text(json.dumps(code))
    (folder / "block.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(CheckpointError):
        load_engine("diffusers", model=str(folder), device="cpu")
