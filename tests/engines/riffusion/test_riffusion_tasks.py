"""Tasks on a tiny checkpoint: lengths, continuity, batches from JSON, stems from a separator that is stood in for."""

import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

import lullwave  # noqa: E402
from lullwave import Audio  # noqa: E402
from lullwave.codecs import decode, write  # noqa: E402
from lullwave.engines.riffusion import stems, tasks  # noqa: E402
from lullwave.engines.riffusion.batch_file import Entry, read_batch  # noqa: E402
from lullwave.engines.riffusion.clip_options import (  # noqa: E402
    DenoisingConfig,
    MagicMix,
    PromptInput,
)
from lullwave.errors import EngineFailed, InvalidInput, MissingExtra  # noqa: E402

FAST = DenoisingConfig(2)
RATE = 44100


@pytest.fixture(scope="module")
def engine(checkpoint):
    with lullwave.load_engine("riffusion", checkpoint=str(checkpoint), device="cpu", dtype="float32") as loaded:
        yield loaded


def tone(seconds, hz=440.0):
    t = np.arange(round(seconds * RATE)) / RATE
    return Audio.of((0.2 * np.sin(2 * np.pi * hz * t)).astype(np.float32), RATE)


def test_text_to_audio_has_the_length_that_was_asked_for(engine):
    seen = []
    made = tasks.text_to_audio(engine, PromptInput("a", 1), 7.0, FAST, seen.append)
    assert made.image.size == (704, 512)
    assert made.audio.frames == 703 * 441
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    with pytest.raises(InvalidInput):
        tasks.text_to_audio(engine, PromptInput("a", 1), 0.1)


def test_a_long_clip_goes_from_one_prompt_to_the_other(engine):
    made = tasks.between_prompts(engine, PromptInput("a", 1), PromptInput("b", 2), 3, 1.0, config=FAST)
    assert made.audio.frames == 3 * 512 * 441
    assert made.image.size == (3 * 512, 512)
    ends = [
        tasks.between_prompts(engine, PromptInput(p, s), PromptInput(p, s), 2, config=FAST).image
        for p, s in (("a", 1), ("b", 2))
    ]
    wide = np.asarray(made.image)
    assert np.array_equal(wide[:, :512], np.asarray(ends[0])[:, :512])
    assert np.array_equal(wide[:, -512:], np.asarray(ends[1])[:, :512])
    for wrong in ({"clips": 1}, {"power": 0.0}):
        with pytest.raises(InvalidInput):
            tasks.between_prompts(engine, PromptInput("a", 1), PromptInput("b", 2), **wrong)


def test_audio_to_audio_keeps_the_length_and_without_repainting_the_picture(engine):
    sound = tone(8.0)
    made = tasks.audio_to_audio(
        engine, sound, PromptInput("a", 1, denoising=0.5), PromptInput("b", 1), 0.5, 7.0, config=FAST
    )
    assert made.audio.frames == 7 * RATE
    mixed = tasks.audio_to_audio(
        engine, sound, PromptInput("a", 1), None, 0.5, 7.0, MagicMix(), replace(FAST, steps=10)
    )
    assert mixed.audio.frames == 7 * RATE
    assert not np.array_equal(np.asarray(mixed.image), np.asarray(made.image))
    for wrong in ({"start_s": 9.0}, {"start_s": 7.5}, {"seconds": 0.1}):
        with pytest.raises(InvalidInput):
            tasks.audio_to_audio(engine, sound, PromptInput("a", 1), config=FAST, **wrong)


def test_batches_are_read_and_their_faults_are_named():
    sets, entries = read_batch(
        '{"params": [{"guidance": 5}, {"width": 1024}], "entries": [{"prompt": "a"}, {"prompt": "b", "seed": 3}]}'
    )
    assert [set(one) for one in sets] == [{"guidance"}, {"width"}]
    assert entries == [Entry("a", None, 0), Entry("b", None, 3)]
    for text, field in (
        ("[]", "entries"),
        ("{", "batch"),
        ('{"entries": [{"seed": 1}]}', "entries"),
        ('{"params": {"speed": 1}, "entries": [{"prompt": "a"}]}', "speed"),
        ('{"entries": [{"prompt": "a"}, {"prompt": "a", "seed": "x"}]}', r"entries\[1\]\.seed"),
        ('{"entries": [{"prompt": "a"}, {"prompt": 5}]}', r"entries\[1\]\.prompt"),
        ('{"entries": [{"prompt": "a"}, {"prompt": "\\ud800"}]}', r"entries\[1\]\.prompt"),
        ('{"entries": [{"prompt": "a"}, "b"]}', r"entries\[1\]"),
        ('{"entries": [{"prompt": "a"}, {"prompt": "b", "negativ": "c"}]}', r"entries\[1\]: unknown.*negative_prompt"),
        ('{"params": [], "entries": [{"prompt": "a"}]}', "params"),
        *(
            (f'{{"params": [{{}}, {{"{name}": {value}}}], "entries": [{{"prompt": "a"}}]}}', rf"params\[1\]\.{name}")
            for name, value in (
                ("num_inference_steps", '"x"'),
                ("num_inference_steps", "0"),
                ("num_inference_steps", "100000"),
                ("num_inference_steps", "2.5"),
                ("scheduler", '"magic"'),
                ("scheduler", "5"),
                ("guidance", '"x"'),
                ("width", '"x"'),
                ("width", "10"),
                ("checkpoint", "5"),
                ("name", "5"),
            )
        ),
    ):
        with pytest.raises(InvalidInput, match=field):
            read_batch(text)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"steps": -2}, {"steps": 10**6}, {"scheduler": "magic"}])
def test_wrong_denoising_configs_are_refused(wrong):
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        DenoisingConfig(**wrong)


@pytest.mark.parametrize("wrong", [(0.6, 0.5), (-1.0, 0.5), (0.3, 2.0), (0.3, 0.5, float("nan"))])
def test_wrong_magic_mixes_are_refused(wrong):
    with pytest.raises(InvalidInput):
        MagicMix(*wrong)


@pytest.fixture
def separator(monkeypatch):
    """The library's face, as its documentation describes it, around files of silence and one of the mix."""
    given = {}

    class Separator:
        def __init__(self, output_dir, output_format):
            self.folder = Path(output_dir)

        def load_model(self, name):
            given["model"] = name

        def separate(self, path, names):
            mix = decode(path)
            made = []
            for stem in names.values():
                if stem not in given.get("without", ()):
                    write(self.folder / f"{stem}.wav", mix if stem == "drums" else mix.gain(-90))
                    made.append(f"{stem}.wav")
            return made

    package, module = types.ModuleType("audio_separator"), types.ModuleType("audio_separator.separator")
    module.Separator = Separator
    monkeypatch.setitem(sys.modules, "audio_separator", package)
    monkeypatch.setitem(sys.modules, "audio_separator.separator", module)
    return given


def test_stems_are_as_long_as_the_mix_and_can_be_mixed_again(separator):
    mix = tone(1.0)
    found = stems.split(mix)
    assert separator["model"] == "htdemucs_6s.yaml"
    assert set(found) == set(stems.STEMS)
    assert all(stem.frames == mix.frames for stem in found.values())
    louder = stems.mix_stems(found, {"drums": 6.0, "bass": 0.0})
    assert louder.rms_dbfs - mix.rms_dbfs == pytest.approx(6.0, abs=0.1)
    for levels in ({}, {"kazoo": 0.0}):
        with pytest.raises(InvalidInput):
            stems.mix_stems(found, levels)


def test_a_stem_that_is_missing_is_named(separator):
    separator["without"] = ("piano",)
    with pytest.raises(EngineFailed, match="no piano"):
        stems.split(tone(1.0))


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "audio_separator", None)
    with pytest.raises(MissingExtra, match=r"lullwave\[stems\]"):
        stems.split(tone(1.0))
