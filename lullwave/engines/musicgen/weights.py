"""Weights by name from a checkpoint's files: safetensors or .bin, whole or sharded; knows nothing of the model."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ...errors import CheckpointError

_WHOLE = ("model.safetensors", "pytorch_model.bin")  # in order of preference
_REMEDY = "; remove it and pull it again: lullwave models remove, lullwave models pull"


class Weights:
    """The tensors of a checkpoint, read one at a time."""

    def __init__(self, directory: Path) -> None:
        """Open the files.

        Raises:
            CheckpointError: absent or damaged.
        """
        self.directory = directory
        self._files: dict[str, Path] = {}
        self._open: dict[Path, dict[str, Tensor] | object] = {}
        for file in _weight_files(directory):
            for name in self._names(file):
                self._files[name] = file

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def names(self, prefix: str = "") -> Iterator[str]:
        """Every name that begins with ``prefix``."""
        return (name for name in self._files if name.startswith(prefix))

    def get(self, name: str, shape: Sequence[int] | None = None) -> Tensor:
        """One tensor, as stored.

        Raises:
            CheckpointError: absent, damaged or of another shape.
        """
        if name not in self._files:
            raise CheckpointError(f"{self.directory} lacks the weight {name!r}: the checkpoint is incomplete{_REMEDY}")
        file = self._files[name]
        opened = self._open[file]
        try:
            found = opened[name] if isinstance(opened, dict) else opened.get_tensor(name)  # type: ignore[attr-defined]
        except Exception as error:  # safetensors raises its own and plain exceptions for damaged data
            raise _damaged(file, error) from None
        if shape is not None and tuple(found.shape) != tuple(shape):
            raise CheckpointError(
                f"{file}: {name!r} has shape {tuple(found.shape)}, but config.json makes it {tuple(shape)}{_REMEDY}"
            )
        return torch.as_tensor(found)

    def part(self, prefix: str) -> dict[str, Tensor]:
        """All tensors under ``prefix``, which is taken off their names."""
        return {name[len(prefix) :]: self.get(name) for name in self.names(prefix)}

    def close(self) -> None:
        """Let go of the files."""
        self._open.clear()

    def _names(self, file: Path) -> list[str]:
        if not file.is_file():
            raise CheckpointError(f"{file} is absent: the checkpoint is incomplete{_REMEDY}")
        if not os.access(file, os.R_OK):  # safetensors says of such a file that it does not exist
            raise CheckpointError(f"{file} may not be read by the user that this runs as: change its owner or mode")
        try:
            if file.suffix == ".safetensors":
                from safetensors import safe_open

                opened = safe_open(file, framework="pt")
                self._open[file] = opened
                names: list[str] = list(opened.keys())  # type: ignore[no-untyped-call]
                return names
            loaded = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
            raise _damaged(file, error) from None
        except Exception as error:
            if type(error).__name__ == "SafetensorError":
                raise _damaged(file, error) from None
            raise
        if not isinstance(loaded, dict):
            raise _damaged(file, TypeError("not a dictionary of weights"))
        self._open[file] = loaded
        return list(loaded)


def load_into(module: torch.nn.Module, state: dict[str, Tensor], directory: Path, what: str) -> None:
    """Give a module of the reference library its weights, without copying them.

    Raises:
        CheckpointError: weights are absent or of another shape than ``config.json`` says.
    """
    try:
        missing, _ = module.load_state_dict(state, strict=False, assign=True)
    except RuntimeError as error:
        told = " ".join(str(error).split())
        raise CheckpointError(f"{directory}: {what} is not what config.json says: {told}{_REMEDY}") from None
    if missing:
        raise CheckpointError(f"{directory}: {what} lacks the weight {missing[0]!r}{_REMEDY}")


def _weight_files(directory: Path) -> list[Path]:
    for name in _WHOLE:
        if (directory / name).is_file():
            return [directory / name]
        index = directory / f"{name}.index.json"
        if index.is_file():
            try:
                shards = set(json.loads(index.read_text())["weight_map"].values())
            except (OSError, ValueError, KeyError, AttributeError) as error:
                raise _damaged(index, error) from None
            return [directory / Path(shard).name for shard in sorted(shards)]
    raise CheckpointError(f"{directory} holds no weights: neither {' nor '.join(_WHOLE)}{_REMEDY}")


def _damaged(file: Path, error: BaseException) -> CheckpointError:
    return CheckpointError(f"{file} is damaged or cut short ({error}){_REMEDY}")
