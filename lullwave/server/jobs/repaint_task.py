"""The task that makes a sound anew, a passage of it or all, by engines that make clips from audio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...blocks import ClipFormat
from ...codecs import format_named, read
from ...engines.base import EngineFacts
from ...engines.stable_audio.options import StableAudioFacts, StableAudioOptions
from ...errors import EngineError, InvalidInput, LullwaveError
from ...options import describe, option
from ...request import Request, random_seed
from ...settings import Settings
from ..engine_pool import EnginePool
from .file_tasks import SoundField
from .music_tasks import SOUND_SHARE, make_clip
from .task import Task, call, fields_of
from .work import Work, draw

CHANGE = ("repaint", "strength")  # the options of an engine that can do this


def repaint_task(settings: Settings, engines: EnginePool) -> Task:
    """Repaint: the sound of a file with a passage made anew, or changed as a whole."""
    names = [name for name in engines.names() if _can(_facts(engines, name))] or [StableAudioFacts.name]

    @dataclass(frozen=True)
    class RepaintEngine:
        engine: str = option(names[0], "which engine makes the music", choices=tuple(names))

    def lacking() -> LullwaveError | None:
        reason = f"the engine {StableAudioFacts.name} is not here"
        for name in names:
            try:
                engines.check_installed(name)
            except LullwaveError as error:
                reason = str(error)
            else:
                return None
        return EngineError(f"no installed engine can do this: {reason}")

    def check(values: dict[str, Any]) -> None:
        if values["seed"] is None:
            values["seed"] = random_seed()
        StableAudioOptions(**{name: values[name] for name in CHANGE})
        _request(values, 1.0)

    def run(work: Work) -> None:
        values = work.values
        source = read(work.inputs["audio"])
        if source.duration_s > settings.max_generate_s:
            raise InvalidInput("audio", f"{source.duration_s:.1f} s", f"at most {settings.max_generate_s:g} seconds")
        delivery = ClipFormat(values["format"], values["kbps"], values["lufs"], settings.ceiling_dbtp)
        sound = work.add(f"clip{format_named(values['format']).suffix}")
        loaded, request = work.engine(values["engine"]), _request(values, source.duration_s)
        make_clip(work, loaded, request, delivery, sound, 0.0, SOUND_SHARE, {"source": source})
        draw(sound, work.add("clip.png"), work.report)

    seed = {"default": None, "optional": True, "doc": "random seed; leave empty for a new one"}
    passage = "passage to make anew, in seconds, such as 10:20; the rest stays. Empty: all of it is changed"
    strength = "how far all of it is changed, without a passage; 1: nothing of it stays"
    return Task(
        "repaint",
        "a passage of a sound is made anew towards a prompt, or all of it is changed",
        [
            *fields_of(SoundField),
            *fields_of(Request, "prompt"),
            *fields_of(StableAudioOptions, *CHANGE, repaint={"doc": passage}, strength={"doc": strength}),
            *fields_of(RepaintEngine),
            *fields_of(Request, "seed", seed=seed),
            *fields_of(ClipFormat, "format", "kbps", "lufs", lufs={"default": settings.loudness_lufs}),
        ],
        run,
        _python,
        files={"audio": "audio"},
        check=check,
        lacking=lacking,
        takes_engine=True,
    )


def _facts(engines: EnginePool, name: str) -> type[EngineFacts] | None:
    try:
        return engines.facts_of(name)
    except LullwaveError:
        return None


def _can(facts: type[EngineFacts] | None) -> bool:
    return facts is not None and "source" in facts.audio_prompts and set(CHANGE) <= {
        info.name for info in describe(facts.options)
    }  # fmt: skip


def _request(values: Mapping[str, Any], seconds: float) -> Request:
    return Request(values["prompt"], values["seed"], seconds, _options(values))


def _options(values: Mapping[str, Any]) -> dict[str, Any]:
    """The engine's options, with those that are fields of the task."""
    own = {name: values[name] for name in CHANGE if values[name] is not None}
    return {**values["options"], **own}


def _python(values: Mapping[str, Any]) -> str:
    delivery = call("ClipFormat", values["format"], values["kbps"], values["lufs"])
    return f"""from lullwave import Audio, Request, load_engine
from lullwave.blocks import ClipFormat, ClipMaker

source = Audio.load("sound.wav")
request = Request({values["prompt"]!r}, {values["seed"]}, source.duration_s, {_options(values)!r})
with load_engine({values["engine"]!r}) as engine, engine.stream(request, source=source) as stream:
    clip = ClipMaker(stream, engine.made_by, {delivery})
    with open("clip.{values["format"]}", "wb") as file:
        for data in clip.file():
            file.write(data)
"""
