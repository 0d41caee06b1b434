"""Reads weights by name from a checkpoint's files: safetensors or .bin, whole or sharded."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from ....errors import CheckpointError

# A file, or the index of its shards, in order of preference.
_FILES = {
    "model.safetensors": "model.safetensors.index.json",
    "pytorch_model.bin": "pytorch_model.bin.index.json",
    "model.fp16.safetensors": "model.safetensors.index.fp16.json",
    "pytorch_model.fp16.bin": "pytorch_model.bin.index.fp16.json",
}
_AUDIOCRAFT = ("state_dict.bin", "compression_state_dict.bin", "checkpoint.th")  # names of files that audiocraft writes
_REMEDY = "; remove it and pull it again: lullwave models remove, lullwave models pull"


class Weights:
    """The tensors of a checkpoint, read one at a time."""

    def __init__(self, directory: Path) -> None:
        """Open the files.

        Raises:
            CheckpointError: a file is missing or damaged.
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
            CheckpointError: the weight is missing, damaged or of another shape.
        """
        if name not in self._files:
            raise CheckpointError(f"{self.directory} lacks the weight {name!r}: the checkpoint is incomplete{_REMEDY}")
        file = self._files[name]
        opened = self._opened(file)
        try:
            found = opened[name] if isinstance(opened, dict) else opened.get_tensor(name)  # type: ignore[attr-defined]
        except Exception as error:  # safetensors raises exceptions of many types for damaged data
            raise _damaged(file, error) from None
        if shape is not None and tuple(found.shape) != tuple(shape):
            raise CheckpointError(
                f"{file}: {name!r} has shape {tuple(found.shape)}, but config.json requires {tuple(shape)}{_REMEDY}"
            )
        return torch.as_tensor(found)

    def part(self, prefix: str) -> dict[str, Tensor]:
        """All tensors whose names begin with ``prefix``, by their names without it."""
        return {name[len(prefix) :]: self.get(name) for name in self.names(prefix)}

    def close(self) -> None:
        """Close the files; the next ``get`` opens them again.

        Files are mapped into memory, and what was read of them counts as memory of the process until they are closed
        and the tensors as stored are gone.
        """
        self._open.clear()

    def _names(self, file: Path) -> list[str]:
        opened = self._opened(file)
        return list(opened) if isinstance(opened, dict) else list(opened.keys())  # type: ignore[attr-defined]

    def _opened(self, file: Path) -> dict[str, Tensor] | object:
        """The open file, opened if it is not."""
        if file in self._open:
            return self._open[file]
        if not file.is_file():
            raise CheckpointError(f"{file} is missing: the checkpoint is incomplete{_REMEDY}")
        if not os.access(file, os.R_OK):  # safetensors would report that it does not exist
            raise CheckpointError(f"{file} is not readable for the user that runs lullwave: change its owner or mode")
        try:
            if file.suffix == ".safetensors":
                from safetensors import safe_open

                self._open[file] = safe_open(file, framework="pt")
                return self._open[file]
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
        return loaded


def check_format(path: Path) -> None:
    """Check that ``path`` is a directory, and not one of audiocraft's.

    Raises:
        CheckpointError: it is a file, or in the format of audiocraft; the message says how to convert it.
    """
    if path.is_file():
        inside, folder = [path.name], path.parent
    else:
        inside, folder = [file.name for file in path.iterdir()], path
        if any(name in inside for pair in _FILES.items() for name in pair):
            return
    if found := next((name for name in _AUDIOCRAFT if name in inside), None):
        raise CheckpointError(
            f"{folder / found} is in the format of audiocraft; this engine reads that of Hugging Face transformers. "
            "Published models: lullwave models pull facebook/musicgen-small. Your own: where audiocraft and "
            "transformers 4 are installed, python -m transformers.models.musicgen.convert_musicgen_transformers "
            f"--checkpoint {folder} --pytorch_dump_folder NEW_FOLDER (the folder's name must end with the model's "
            "size, such as small)"
        )
    if path.is_file():
        raise CheckpointError(f"{path} is a file; this engine reads directories in the format of transformers")


def load_into(module: torch.nn.Module, state: dict[str, Tensor], directory: Path, what: str) -> None:
    """Load ``state`` into a module of the reference library without copying it.

    Raises:
        CheckpointError: weights are missing or of another shape than ``config.json`` says.
    """
    try:
        missing, _ = module.load_state_dict(state, strict=False, assign=True)
    except RuntimeError as error:
        told = " ".join(str(error).split())
        raise CheckpointError(f"{directory}: {what} does not match config.json: {told}{_REMEDY}") from None
    if missing:
        raise CheckpointError(f"{directory}: {what} lacks the weight {missing[0]!r}{_REMEDY}")


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Hide progress bars and warnings of ``transformers`` inside the block."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _weight_files(directory: Path) -> list[Path]:
    for name, shards_index in _FILES.items():
        if (directory / name).is_file():
            return [directory / name]
        index = directory / shards_index
        if index.is_file():
            try:
                shards = set(json.loads(index.read_text())["weight_map"].values())
            except (OSError, ValueError, KeyError, AttributeError) as error:
                raise _damaged(index, error) from None
            return [directory / Path(shard).name for shard in sorted(shards)]
    raise CheckpointError(f"{directory} holds no weights: neither {' nor '.join(_FILES)}{_REMEDY}")


def _damaged(file: Path, error: BaseException) -> CheckpointError:
    return CheckpointError(f"{file} is damaged or truncated ({error}){_REMEDY}")
