"""Whole pieces of work with one engine: long clips from text, between prompts, from other sound; knows no files.

Each function gives audio and the spectrograms that it was made of, and tells ``progress`` how far it is (0 to 1).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ...audio import Audio
from ...errors import InvalidInput
from ...options import build, check, option
from ...request import Request
from ..base import Understanding
from . import emphasis
from .denoising import Mix, Plan
from .interpolation import End, Interpolation
from .options import DEFAULT_CHECKPOINT
from .pipeline import Leg
from .schedule import Chance
from .schedulers import MAX_STEPS, short_name
from .sound import HOP, RATE
from .stream import Grey, RiffusionStream

if TYPE_CHECKING:
    from .engine import RiffusionEngine

Report = Callable[[float], None]

MAX_SECONDS = 600.0
COLUMN_S = HOP / RATE


@dataclass(frozen=True)
class Piece:
    """A finished piece and its spectrogram."""

    audio: Audio
    image: Image.Image


@dataclass(frozen=True)
class Entry:
    """One line of a batch."""

    prompt: str
    negative_prompt: str | None
    seed: int


@dataclass(frozen=True)
class BatchParams:
    """What a batch may set for all of its entries."""

    checkpoint: str = option(
        DEFAULT_CHECKPOINT, "a directory in diffusers format, or a name on the hub", max_length=1000
    )
    scheduler: str | None = option(None, "a scheduler by name; nothing is the checkpoint's own", max_length=60)
    num_inference_steps: int = option(50, "denoising steps", low=1, high=MAX_STEPS)
    guidance: float = option(7.0, "how closely the prompt is followed", low=0, high=100)
    width: int = option(512, "columns of a clip, 100 a second", low=100, high=round(100 * MAX_SECONDS))
    name: str = option("", "what its files are called", max_length=60)

    def __post_init__(self) -> None:
        check(self)
        if self.scheduler is not None:
            short_name(self.scheduler)


def text_to_audio(
    engine: RiffusionEngine,
    end: End,
    seconds: float = 5.12,
    plan: Plan | None = None,
    progress: Report | None = None,
) -> Piece:
    """A clip from words alone, of any length: no seed image."""
    width = _columns(seconds)
    leg = engine.pipeline.leg(Interpolation(end, end, 0.0), None, width=width)
    image = engine.pipeline.make([leg], plan or Plan(), _steps(progress))[0]
    return Piece(engine.sound.audio(image), image)


def between_prompts(
    engine: RiffusionEngine,
    start: End,
    end: End,
    clips: int = 5,
    power: float = 1.0,
    seed_image: str = "og_beat",
    mask_image: str | None = None,
    plan: Plan | None = None,
    progress: Report | None = None,
) -> Piece:
    """One long clip that goes from ``start`` to ``end`` in ``clips`` tiles: alpha is (n / (clips - 1)) ** ``power``.

    Tiles are loops of one seed image and are joined like those of the endless stream.
    """
    if not 2 <= clips <= 100:
        raise InvalidInput("clips", clips, "a whole number from 2 to 100")
    if not 0.05 <= power <= 20:
        raise InvalidInput("power", power, "a number from 0.05 to 20")
    image, mask = engine.seed_images(seed_image), engine.seed_images(mask_image, "mask") if mask_image else None
    plan = replace(plan or Plan(), loop=True)
    tiles = []
    for n in range(clips):
        wish = Interpolation(start, end, (n / (clips - 1)) ** power)
        leg = engine.pipeline.leg(wish, image, mask)
        tiles += engine.pipeline.make([leg], plan, _steps(progress, n / clips, 1 / clips))
    return joined(engine, tiles)


def joined(engine: RiffusionEngine, tiles: Sequence[Image.Image]) -> Piece:
    """Looping tiles of one size, one after the other, with matched phase."""
    greys = [np.asarray(tile)[:, :, 0].copy() for tile in tiles]
    rack = _Rack(engine, greys)

    def never(snapshot: bytes) -> RiffusionStream:
        raise AssertionError("this stream is not forked")

    stream = RiffusionStream(Request(), rack, Understanding, never)
    audio = stream.read(len(greys) * rack.tile * HOP)
    wide = np.concatenate(greys, axis=1)
    return Piece(audio, Image.fromarray(np.repeat(wide[:, :, None], 3, axis=2)))


def audio_to_audio(
    engine: RiffusionEngine,
    audio: Audio,
    start: End,
    end: End | None = None,
    start_s: float = 0.0,
    seconds: float | None = None,
    mix: Mix | None = None,
    plan: Plan | None = None,
    progress: Report | None = None,
) -> Piece:
    """The same music in other clothes: the whole track repainted in overlapping windows that agree at every step.

    With ``end``, the prompt changes along the track. ``mix`` is Magic Mix instead of plain repainting.
    """
    if not 0 <= start_s < audio.duration_s:
        raise InvalidInput("start_s", start_s, f"a number from 0 to {audio.duration_s:g}")
    stop = audio.duration_s if seconds is None else min(audio.duration_s, start_s + seconds)
    if not 1 <= stop - start_s <= MAX_SECONDS:
        raise InvalidInput("seconds", round(stop - start_s, 2), f"from 1 to {MAX_SECONDS:g} seconds of sound")
    part = audio[round(start_s * audio.rate) : round(stop * audio.rate)].to_channels(1).resample(RATE)
    # a whole number of windows' columns: silence is added, and cut off afterwards
    columns = -(-(part.frames // HOP + 1) // 32) * 32
    padded = np.zeros((columns * HOP, 1), np.float32)
    padded[: part.frames] = part.samples[: len(padded)]
    image = engine.sound.image(Audio(padded, RATE)).convert("RGB").crop((0, 0, columns, 512))
    text = engine.pipeline.text
    leg = Leg(
        chance=Chance(start.seed, start.seed, 0.0),
        strength=start.denoising,
        guidance=start.guidance,
        condition=text.embed(emphasis.parse(start.prompt)),
        avoid=text.embed(emphasis.parse(start.negative_prompt or "")),
        condition_end=None if end is None else text.embed(emphasis.parse(end.prompt)),
        image=image,
    )
    made = engine.pipeline.make([leg], replace(plan or Plan(), mix=mix), _steps(progress))[0]
    return Piece(engine.sound.audio(made)[: part.frames], made)


def read_batch(text: str) -> tuple[list[Mapping[str, Any]], list[Entry]]:
    """Parameter sets and entries of ``{"params": {…} or [{…}, …], "entries": [{"prompt": …}, …]}``.

    Raises:
        InvalidInput: names the entry and the field.
    """
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise InvalidInput("batch", text[:40], f"a JSON object ({error})") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("entries"), list) or not raw["entries"]:
        raise InvalidInput("entries", type(raw).__name__, 'an object with "params" and a list of "entries"')
    params = raw.get("params", {})
    sets = params if isinstance(params, list) else [params]
    if not sets:
        raise InvalidInput("params", sets, "an object or a list of objects, at least one")
    for n, one in enumerate(sets):
        if not isinstance(one, dict):
            raise InvalidInput(f"params[{n}]", one, "an object")
        build(BatchParams, one, where=f"params[{n}].")
    entries = []
    for n, one in enumerate(raw["entries"]):
        if not isinstance(one, dict) or not isinstance(one.get("prompt"), str):
            raise InvalidInput(f"entries[{n}].prompt", one, "text")
        try:
            End(one["prompt"], one.get("seed", 0), one.get("negative_prompt"))
        except InvalidInput as error:
            raise InvalidInput(f"entries[{n}].{error.field}", error.value, error.allowed) from None
        entries.append(Entry(one["prompt"], one.get("negative_prompt"), one.get("seed", 0)))
    return sets, entries


class _Rack:
    """The studio of a stream whose tiles exist already."""

    rate, hop = RATE, HOP
    beats: int | None = None

    def __init__(self, engine: RiffusionEngine, greys: list[Grey]) -> None:
        self._engine = engine
        self._greys = greys
        self.tile = greys[0].shape[1]

    def draw(self, steers: object, tile: int, at_frame: int, cancelled: object) -> Grey:
        """The tile."""
        return self._greys[tile]

    def sound(self, columns: Grey) -> Any:
        """Its sound."""
        return self._engine.sound.samples(columns)


def _columns(seconds: float) -> int:
    if not 1 <= seconds <= MAX_SECONDS:
        raise InvalidInput("seconds", seconds, f"a number from 1 to {MAX_SECONDS:g}")
    return max(128, round(seconds / COLUMN_S / 32) * 32)


def _steps(progress: Report | None, begin: float = 0.0, size: float = 1.0) -> Callable[[int, int], None] | None:
    """Steps of one clip as a part of the whole."""
    if progress is None:
        return None
    report = progress
    return lambda done, of: report(begin + size * (done / of if of else 1.0))
