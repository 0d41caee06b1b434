"""Plans a batch of Riffusion clips and checks all of it, so that nothing fails after hours of work. Makes no music."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checkpoints import locate
from ..codecs import format_of
from ..engines.riffusion.clip_options import DenoisingConfig, PromptInput
from ..engines.riffusion.tasks import Entry
from ..errors import CheckpointError, InvalidInput
from .outputs import check_file, check_folder

WIDTH = 512  # columns of a clip, 100 per second


@dataclass(frozen=True)
class PlannedClip:
    """One clip of a batch."""

    path: Path
    indexed: Mapping[str, Any]  # its entry in index.json
    end: PromptInput
    seconds: float
    config: DenoisingConfig


@dataclass(frozen=True)
class PlannedSet:
    """All clips of one set of parameters."""

    checkpoint: str
    clips: tuple[PlannedClip, ...]
    left: tuple[PlannedClip, ...]  # those that are not made yet, or differ from the index


def plan(
    sets: Sequence[Mapping[str, Any]],
    entries: Sequence[Entry],
    seeds: int,
    folder: Path,
    format: str,
    checkpoint: str,
    known: Mapping[str, Mapping[str, Any]],
    force: bool,
    offline: bool = False,
) -> list[PlannedSet]:
    """Plan the clips of each set. ``known`` is the index of an earlier run: clips as it describes them are kept.

    Raises:
        InvalidInput: names the set or the entry, such as ``entries[1].seed``, or the folder or format.
        Unsupported: a clip would replace a file that the index does not list.
        CheckpointError: a set's model does not exist and cannot be downloaded.
    """
    check_folder(folder, "folder")
    format_of(f"x.{format}")
    names = _names(sets)
    planned = []
    for number, params in enumerate(sets):
        clips = tuple(_clips(params, names[number], number, entries, seeds, folder, format, checkpoint))
        left = tuple(clip for clip in clips if not clip.path.exists() or known.get(clip.path.name) != clip.indexed)
        if folder.is_dir():
            for clip in left:
                mine = clip.path.name in known
                check_file(clip.path, "folder", force or mine)
                check_file(clip.path.with_suffix(".png"), "folder", force or mine)
        planned.append(PlannedSet(params.get("checkpoint", checkpoint), clips, left))
    for number, one in enumerate(planned):
        if one.left and not Path(one.checkpoint).expanduser().exists():
            try:
                locate(one.checkpoint, offline)
            except CheckpointError as error:
                raise CheckpointError(f"params[{number}].checkpoint: {error}") from None
    return planned


def _clips(
    params: Mapping[str, Any],
    name: str,
    number: int,
    entries: Sequence[Entry],
    seeds: int,
    folder: Path,
    format: str,
    checkpoint: str,
) -> Iterator[PlannedClip]:
    config = DenoisingConfig(params.get("num_inference_steps", 50), params.get("scheduler"))
    whole = {"checkpoint": checkpoint, **params, "name": params.get("name", f"set{number}")}
    for n, entry in enumerate(entries):
        for seed in range(entry.seed, entry.seed + seeds):
            try:
                end = PromptInput(entry.prompt, seed, entry.negative_prompt, guidance=params.get("guidance", 7.0))
            except InvalidInput as error:
                raise InvalidInput(f"entries[{n}].{error.field}", error.value, error.allowed) from None
            path = folder / f"{name}-{n:03d}-{seed}.{format}"
            indexed: dict[str, Any] = {"file": path.name, "prompt": entry.prompt}
            indexed |= {"negative_prompt": entry.negative_prompt, "seed": seed, "params": whole}
            yield PlannedClip(path, indexed, end, params.get("width", WIDTH) / 100, config)


def _names(sets: Sequence[Mapping[str, Any]]) -> list[str]:
    """The prefixes of the file names, one for each set.

    Raises:
        InvalidInput: two sets would have one.
    """
    names = [_plain(str(params.get("name", f"set{number}"))) for number, params in enumerate(sets)]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InvalidInput(
                f"params[{number}].name", name, "a different name for each set, since files are named after it"
            )
    return names


def _plain(name: str) -> str:
    """``name`` reduced to characters that are safe in a file name."""
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in name)[:60] or "clip"
