"""The task that makes a sound anew: what the engine is given, and how it says that no engine can."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from lullwave import Audio
from lullwave.codecs import read, write
from lullwave.engines.base import Engine, Stream
from lullwave.engines.function import FunctionStream
from lullwave.errors import InvalidInput, Unsupported
from lullwave.options import option
from lullwave.server.engine_pool import EnginePool
from lullwave.server.jobs.catalogue import tasks_of
from lullwave.server.jobs.task import InvalidFields, read_fields
from lullwave.server.jobs.work import Work
from lullwave.settings import Settings

RATE = 8000
FIELDS = {"audio": "job/sound.wav", "prompt": "trumpet", "seed": 5, "format": "wav"}


@dataclass(frozen=True)
class MirrorOptions:
    repaint: str | None = option(None, "a passage", max_length=40)
    strength: float = option(0.5, "how far it is changed", low=0.01, high=1)
    steps: int = option(8, "steps", low=1, high=50)


class Mirror(Engine):
    """Plays the source turned upside down."""

    rate = RATE
    channels = 1
    options = MirrorOptions
    audio_prompts: ClassVar[tuple[str, ...]] = ("source", "continue_from")
    given: ClassVar[list[tuple]] = []

    def open(self, request, **audio_prompts) -> Stream:
        self.given.append((request, audio_prompts))
        self.sound = next(iter(audio_prompts.values())).samples
        return FunctionStream(self, request)

    def read(self, request, start):
        return Audio(-self.sound[start : start + RATE], RATE)


class Plain(Mirror):
    """Takes no source."""

    audio_prompts: ClassVar[tuple[str, ...]] = ()


@pytest.fixture
def sound(tmp_path):
    audio = Audio.of(0.2 * np.sin(np.arange(3 * RATE) / 7.0).astype(np.float32), RATE)
    write(tmp_path / "sound.wav", audio)
    return tmp_path / "sound.wav"


def tasks(tmp_path, engines, **settings):
    pool = EnginePool(engines)
    return pool, tasks_of(Settings(data_dir=tmp_path / "data", engine=next(iter(engines)), **settings), pool)


def run(tmp_path, pool, task, values, **inputs):
    folder = tmp_path / "out"
    folder.mkdir(exist_ok=True)
    work = Work(values, inputs, folder, pool.get, lambda share: None, room=10**9)
    task.run(work)
    return work


def test_a_sound_is_made_anew_with_the_passage_the_strength_and_the_engines_own_options(tmp_path, sound, monkeypatch):
    pool, known = tasks(tmp_path, {"plain": Plain, "mirror": Mirror})
    task = known["repaint"]
    assert task.lacking() is None
    assert task.schema()["properties"]["engine"]["default"] == "mirror"
    given = {**FIELDS, "repaint": "0.5:1.5", "strength": 0.9, "options": {"steps": 3}}
    values = read_fields(task, given, pool, lambda name, kind: kind == "audio")
    made = run(tmp_path, pool, task, values, audio=sound)
    request, heard = Mirror.given[-1]
    assert (request.prompt, request.seed, request.duration_s) == ("trumpet", 5, 3.0)
    assert request.options == {"repaint": "0.5:1.5", "strength": 0.9, "steps": 3}
    assert np.array_equal(heard["source"].samples, read(sound).samples)
    assert [path.name for path in made.made] == ["clip.wav", "clip.png"]
    clip = read(made.made[0])
    assert clip.duration_s == 3.0
    assert np.corrcoef(clip.samples[:, 0], read(sound).samples[:, 0])[0, 1] < -0.95  # mastering fades it out
    # the program that is shown makes the same file
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lullwave.load_engine", lambda name: pool.get(name))
    exec(task.python(values), {})
    assert (tmp_path / "clip.wav").read_bytes() == made.made[0].read_bytes()


def test_without_a_passage_all_of_it_is_changed(tmp_path, sound):
    pool, known = tasks(tmp_path, {"mirror": Mirror})
    values = read_fields(known["repaint"], FIELDS, pool, lambda name, kind: True)
    run(tmp_path, pool, known["repaint"], values, audio=sound)
    assert "repaint" not in Mirror.given[-1][0].options


def test_wrong_passages_missing_sounds_and_long_ones_are_refused(tmp_path, sound):
    pool, known = tasks(tmp_path, {"mirror": Mirror}, max_generate_s=2.0)
    task = known["repaint"]
    with pytest.raises(InvalidFields) as told:
        read_fields(task, {**FIELDS, "repaint": "20:10"}, pool, lambda name, kind: True)
    assert told.value.field == "repaint"
    with pytest.raises(InvalidFields) as told:
        read_fields(task, {"prompt": "x"}, pool, lambda name, kind: False)
    assert told.value.field == "audio"
    values = read_fields(task, FIELDS, pool, lambda name, kind: True)
    with pytest.raises(InvalidInput, match="at most 2 seconds"):
        run(tmp_path, pool, task, values, audio=sound)


def test_a_server_without_such_an_engine_says_what_is_missing(tmp_path):
    _, known = tasks(tmp_path, {"plain": Plain})
    told = str(known["repaint"].lacking())
    assert told.startswith("no installed engine can do this: ")
    assert "stable-audio" in told


def test_a_clip_from_words_takes_a_source_too(tmp_path, sound):
    pool, known = tasks(tmp_path, {"mirror": Mirror, "plain": Plain})
    given = {"prompt": "harp", "seed": 1, "duration_s": 2, "source": "job/sound.wav", "options": {"strength": 0.7}}
    values = read_fields(known["text"], {**given, "image": False}, pool, lambda name, kind: True)
    run(tmp_path, pool, known["text"], values, source=sound)
    request, heard = Mirror.given[-1]
    assert (request.duration_s, request.options, list(heard)) == (2.0, {"strength": 0.7}, ["source"])
    with pytest.raises((Unsupported, InvalidFields), match="cannot make music from a sound"):
        read_fields(known["text"], {**given, "engine": "plain"}, pool, lambda name, kind: True)
