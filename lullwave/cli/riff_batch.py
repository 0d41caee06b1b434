"""Plans a batch of Riffusion clips and checks all of it, so that nothing fails after hours of work. Makes no music."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checkpoints import locate
from ..codecs import format_of
from ..engines.riffusion.batch_file import Entry, clips_of, set_names
from ..engines.riffusion.clip_options import DenoisingConfig, PromptInput
from ..engines.riffusion.model.checkpoint_files import check_files
from ..errors import CheckpointError
from .outputs import check_file, check_folder


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
        CheckpointError: a set's model does not exist and cannot be downloaded, lacks a part, or is damaged.
    """
    check_folder(folder, "folder")
    format_of(f"x.{format}")
    names = set_names(sets)
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
        if one.left:
            try:
                check_files(locate(one.checkpoint, offline))
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
    whole = {"checkpoint": checkpoint, **params, "name": params.get("name", f"set{number}")}
    for clip in clips_of(params, name, entries, seeds):
        path = folder / f"{clip.name}.{format}"
        indexed: dict[str, Any] = {"file": path.name, "prompt": clip.entry.prompt}
        indexed |= {"negative_prompt": clip.entry.negative_prompt, "seed": clip.end.seed, "params": whole}
        yield PlannedClip(path, indexed, clip.end, clip.seconds, clip.config)
