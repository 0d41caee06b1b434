"""Reads what a directory in diffusers format holds: its pipeline's class and the stored weights of each network."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from ...checkpoints import MODULAR_INDEX
from ...errors import CheckpointError

INDEXES = {"model_index.json": False, MODULAR_INDEX: True}  # file: whether its pipeline is modular
_SUFFIXES = (".safetensors", ".bin")


@dataclass(frozen=True)
class Weights:
    """The stored weights of one network."""

    disk_bytes: int
    numbers: int  # how many
    bfloat16: bool  # whether most of them are stored as bfloat16


@dataclass(frozen=True)
class PipelineIndex:
    """What the index of a pipeline tells."""

    kind: str  # name of the pipeline's class
    modular: bool
    weights: dict[str, Weights]  # of each network that has some


def read_index(directory: Path) -> PipelineIndex:
    """Read the index of the pipeline in ``directory``, and the sizes of the networks that it names.

    Raises:
        CheckpointError: there is no index, it is damaged, or there are no weights.
    """
    found = next((name for name in INDEXES if (directory / name).is_file()), None)
    if found is None:
        raise CheckpointError(f"{directory} is no pipeline of diffusers: it has no {' and no '.join(INDEXES)}")
    try:
        index = json.loads((directory / found).read_text())
        kind = str(index["_class_name"])
        folders = {name: directory / _folder(name, part) for name, part in index.items() if isinstance(part, list)}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{directory / found} is damaged: {error}; pull the model again") from None
    weights = {name: stored for name, folder in folders.items() if (stored := _weights(folder)) is not None}
    if not weights:
        raise CheckpointError(f"{directory} holds no weights (.safetensors or .bin)")
    return PipelineIndex(kind, INDEXES[found], weights)


def _folder(name: str, part: list[Any]) -> str:
    """The folder of a network: modular indexes name it, in others it is that of the network's name."""
    loading = part[2] if len(part) > 2 and isinstance(part[2], dict) else {}
    return str(loading.get("subfolder") or name)


def _weights(folder: Path) -> Weights | None:
    """The weights in a folder; of two forms of the same weights, the smaller; None if it has none."""
    forms = [files for suffix in _SUFFIXES if (files := sorted(folder.glob(f"*{suffix}")))]
    if not forms:
        return None
    files = min(forms, key=_disk_bytes)
    return _of_safetensors(files) if files[0].suffix == ".safetensors" else _of_bin(folder, files)


def _disk_bytes(files: list[Path]) -> int:
    return sum(file.stat().st_size for file in files)


def _of_safetensors(files: list[Path]) -> Weights:
    """Sizes by the headers of the files, which tell the shape and type of every tensor."""
    from safetensors import SafetensorError, safe_open

    numbers = narrow = 0
    for file in files:
        try:
            with safe_open(file, "pt") as opened:
                for name in opened.keys():  # noqa: SIM118
                    part = opened.get_slice(name)
                    count = prod(part.get_shape())
                    numbers += count
                    narrow += count if part.get_dtype() == "BF16" else 0
        except SafetensorError as error:
            raise CheckpointError(f"{file} is damaged: {error}; pull the model again") from None
    return Weights(_disk_bytes(files), numbers, narrow > numbers / 2)


def _of_bin(folder: Path, files: list[Path]) -> Weights:
    """Sizes by the configuration beside the files: four bytes a number, or two where it tells half precision."""
    config = folder / "config.json"
    text = config.read_text() if config.is_file() else ""
    told = {
        kind for kind in ("float16", "bfloat16") for key in ("torch_dtype", "dtype") if f'"{key}": "{kind}"' in text
    }
    size = _disk_bytes(files)
    return Weights(size, size // (2 if told else 4), "bfloat16" in told)
