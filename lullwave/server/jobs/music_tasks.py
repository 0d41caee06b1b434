"""Tasks that every engine can do: a clip from text, and a batch of clips from a JSON file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...audio import Audio
from ...blocks import ClipFormat, ClipMaker
from ...codecs import FORMATS, format_named, read
from ...conversions.stem_files import stem_files
from ...engines.base import Engine
from ...engines.riffusion.batch_file import Entry, clips_of, read_batch, set_names
from ...errors import InvalidInput, Unsupported
from ...generation import DEFAULT_SECONDS
from ...options import option
from ...request import MAX_SEED, Request, random_seed
from ...settings import Settings
from ...storage.atomic_files import replacing
from ..engine_config import published_name
from ..engine_pool import EnginePool
from .task import Task, call, fields_of
from .work import Work, draw

SOUND_SHARE = 0.9  # of the work of a clip: the rest is drawing and the files beside it
RIFFUSION = "riffusion"
MAX_BATCH = 200  # clips of one batch
HEARD = ("continue_from", "melody", "source")  # fields that hold sounds which engines may take

EXAMPLE = """{
  "params": {},
  "entries": [
    {"prompt": "rainy night piano", "seed": 1},
    {"prompt": "warm synthwave", "negative_prompt": "drums", "seed": 2}
  ]
}"""


@dataclass(frozen=True)
class ClipExtras:
    """What a clip may come with."""

    image: bool = option(True, "also draw the spectrogram, as an image that turns back into sound")
    midi: bool = option(False, "also write the notes as a MIDI file, if the engine can")
    stems: bool = option(False, "also write each part as a file of its own, if the engine can")
    continue_from: str = option("", "the music continues this sound, if the engine can", max_length=400)
    melody: str = option("", "the music follows the melody of this sound, if the engine can", max_length=400)
    source: str = option("", "the clip is made from this sound, if the engine can", max_length=400)


@dataclass(frozen=True)
class BatchFields:
    """A batch and how often each of its prompts is made."""

    batch: str = option(
        EXAMPLE, 'JSON: {"params": {…} or […], "entries": [{"prompt", "negative_prompt", "seed"}]}', max_length=200_000
    )
    seeds: int = option(1, "clips per entry, each with the next seed", low=1, high=100)


def music_tasks(settings: Settings, engines: EnginePool) -> list[Task]:
    """Text to audio, and batches of it."""
    longest = settings.max_generate_s
    default = published_name(settings, settings.engine)
    names = tuple(engines.names())

    @dataclass(frozen=True)
    class EngineField:
        engine: str = option(default, "which engine makes the music", choices=names)

    length = {
        "default": min(DEFAULT_SECONDS, longest),
        "optional": False,
        "high": longest,
        "doc": "length of the music",
    }
    seed = {"default": None, "optional": True, "doc": "random seed; leave empty for a new one"}
    lufs = {"default": settings.loudness_lufs}

    def check_clip(values: dict[str, Any]) -> None:
        if values["seed"] is None:
            values["seed"] = random_seed()
        _request(values)
        facts = engines.facts_of(values["engine"])
        for name, can, what in (
            ("midi", facts.writes_midi, "cannot write MIDI"),
            ("stems", facts.writes_stems, "cannot write stems"),
            ("continue_from", "continue_from" in facts.audio_prompts, "cannot continue from a sound"),
            ("melody", "melody" in facts.audio_prompts, "cannot follow a melody"),
            ("source", "source" in facts.audio_prompts, "cannot make music from a sound"),
        ):
            if values[name] and not can:
                raise Unsupported(name, values[name], f"the engine {values['engine']!r} {what}")

    def run_clip(work: Work) -> None:
        values = work.values
        loaded = work.engine(values["engine"])
        request = _request(values)
        heard = {name: read(work.inputs[name]) for name in HEARD if name in work.inputs}
        delivery = ClipFormat(values["format"], values["kbps"], values["lufs"], settings.ceiling_dbtp)
        named = format_named(values["format"])
        sound = work.add(f"clip{named.suffix}")
        make_clip(work, loaded, request, delivery, sound, 0.0, SOUND_SHARE, heard)
        if values["image"]:
            draw(sound, work.add("clip.png"), work.report)
        if values["midi"]:
            work.add("clip.mid", loaded.midi(request))
        if values["stems"]:
            lossless = FORMATS["flac"] if named.lossy else named
            for name, data in stem_files(loaded, request, lossless)[0].items():
                work.add(f"stem-{name}{lossless.suffix}", data)

    def check_batch(values: Mapping[str, Any]) -> None:
        planned = _plan(values, settings.max_generate_s)
        needed, room = sum(_bytes(one, values) for one in planned), settings.studio_visitor_mb * 1e6
        if needed > room:
            made = f"{len(planned)} clips of together {needed / 1e6:.0f} MB"
            raise InvalidInput("batch", made, f"at most {room / 1e6:g} MB (setting studio_visitor_mb)")

    def run_batch(work: Work) -> None:
        values = work.values
        loaded = work.engine(values["engine"])
        delivery = ClipFormat(values["format"], values["kbps"], values["lufs"], settings.ceiling_dbtp)
        clips = _plan(values, settings.max_generate_s)
        for n, one in enumerate(clips):
            sound = work.add(f"{one.name}{format_named(values['format']).suffix}")
            begin, size = n / len(clips), 1 / len(clips)
            if values["engine"] == RIFFUSION:
                from .riffusion_tasks import make_batch_clip

                make_batch_clip(work.part(begin, size), loaded, one.entry, one.seed, one.params, sound)
            else:
                make_clip(work, loaded, _entry_request(one, values), delivery, sound, begin, size, {})

    return [
        Task(
            "text",
            "text to audio, by any engine",
            [
                *fields_of(EngineField),
                *fields_of(Request, "prompt", "duration_s", "seed", duration_s=length, seed=seed),
                *fields_of(ClipFormat, "format", "kbps", "lufs", lufs=lufs),
                *fields_of(ClipExtras),
            ],
            run_clip,
            _python_clip,
            files=dict.fromkeys(HEARD, "audio"),
            optional_files=frozenset(HEARD),
            check=check_clip,
            takes_engine=True,
        ),
        Task(
            "batch",
            "clips of many prompts, from JSON",
            [
                *fields_of(EngineField),
                *fields_of(BatchFields),
                *fields_of(Request, "duration_s", duration_s={**length, "default": min(10.0, longest)}),
                *fields_of(ClipFormat, "format", "kbps", "lufs", lufs=lufs),
            ],
            run_batch,
            _python_batch,
            check=check_batch,
            takes_engine=True,
        ),
    ]


@dataclass(frozen=True)
class Planned:
    """One clip of a batch, and the set of parameters that it belongs to."""

    name: str
    entry: Entry
    seed: int
    params: Mapping[str, Any]
    set_name: str


def _plan(values: Mapping[str, Any], longest_s: float) -> list[Planned]:
    """The clips of a batch.

    Raises:
        InvalidInput: names the entry or parameter that is wrong.
    """
    sets, entries = read_batch(values["batch"])
    number = len(sets) * len(entries) * values["seeds"]
    if number > MAX_BATCH:
        raise InvalidInput("batch", f"{number} clips", f"at most {MAX_BATCH} clips")
    planned = []
    for n, (params, name) in enumerate(zip(sets, set_names(sets), strict=True)):
        unused = [] if values["engine"] == RIFFUSION else sorted(set(params) - {"name"})
        if unused:
            field = f"params[{n}].{unused[0]}"
            raise InvalidInput(field, params[unused[0]], "only a name, with an engine other than riffusion")
        if "checkpoint" in params:
            raise InvalidInput(f"params[{n}].checkpoint", params["checkpoint"], "none: the server has loaded its own")
        for clip in clips_of(params, name, entries, values["seeds"]):
            if not 0 <= clip.end.seed <= MAX_SEED:
                raise InvalidInput("entries.seed", clip.end.seed, f"a whole number from 0 to {MAX_SEED}")
            if values["engine"] == RIFFUSION and clip.seconds > longest_s:
                raise InvalidInput(f"params[{n}].width", params["width"], f"at most {round(longest_s * 100)}")
            one = Planned(clip.name, clip.entry, clip.end.seed, params, name)
            if values["engine"] != RIFFUSION:
                _entry_request(one, values)
            planned.append(one)
    return planned


def _bytes(one: Planned, values: Mapping[str, Any]) -> float:
    """The least that a clip takes, where its format tells: without loss and compressed, it may be anything."""
    seconds = one.params.get("width", 512) / 100 if values["engine"] == RIFFUSION else values["duration_s"]
    if values["format"] == "wav":
        return float(seconds * Engine.rate * 2)  # one channel of 16 bits
    return float(seconds * values["kbps"] * 125) if values["format"] == "mp3" else 0.0


def _request(values: Mapping[str, Any]) -> Request:
    return Request(values["prompt"], values["seed"], values["duration_s"], values["options"])


def _entry_request(one: Planned, values: Mapping[str, Any]) -> Request:
    avoid = one.entry.negative_prompt
    prompt = f"{one.entry.prompt}, negative prompt: {avoid}" if avoid else one.entry.prompt
    return Request(prompt, one.seed, values["duration_s"], values["options"])


def make_clip(
    work: Work,
    engine: Engine,
    request: Request,
    delivery: ClipFormat,
    path: Path,
    begin: float,
    size: float,
    heard: Mapping[str, Audio],
) -> None:
    """Write a clip, as ``lullwave generate`` and ``POST /api/generate`` do; it is a part of the work."""
    work.report(begin)
    with engine.stream(request, **heard) as stream, replacing(path) as file:
        seconds = (stream.total_frames or 0) / stream.rate
        for data in ClipMaker(stream, engine.made_by, delivery, work.watched(seconds, begin, size)).file():
            file.write(data)


def _python_clip(values: Mapping[str, Any]) -> str:
    made = call(
        "lullwave.generate",
        values["prompt"],
        seconds=values["duration_s"],
        seed=values["seed"],
        engine=values["engine"],
        lufs=values["lufs"],
        options=values["options"] or None,
    )
    return f'import lullwave\n\n{made}.save("clip.{values["format"]}", kbps={values["kbps"]})\n'


def _python_batch(values: Mapping[str, Any]) -> str:
    made = call(
        "lullwave.generate",
        seconds=values["duration_s"],
        engine=values["engine"],
        lufs=values["lufs"],
        options=values["options"] or None,
    )
    if values["engine"] == RIFFUSION:
        return f"# a shell command: lullwave riff batch batch.json clips --seeds {values['seeds']}\n"
    return f"""import json, lullwave

for n, entry in enumerate(json.loads({values["batch"]!r})["entries"]):
    prompt, avoid = entry["prompt"], entry.get("negative_prompt")
    prompt = f"{{prompt}}, negative prompt: {{avoid}}" if avoid else prompt
    for seed in range(entry.get("seed", 0), entry.get("seed", 0) + {values["seeds"]}):
        clip = {made.replace("lullwave.generate(", "lullwave.generate(prompt, seed=seed, ")}
        clip.save(f"clip-{{n:03d}}-{{seed}}.{values["format"]}", kbps={values["kbps"]})
"""
