"""Loads one network of a checkpoint in diffusers format from its folder, and counts its size before."""

from __future__ import annotations

import ctypes
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..device import check_fits
from ..errors import CheckpointError

WEIGHTS = re.compile(
    r"(diffusion_pytorch_model|pytorch_model|model)(\.(?P<variant>\w+))?(-\d+-of-\d+)?(\.(?P<also>\w+))?"
    r"\.(?P<format>safetensors|bin)"
)

PART_BYTES = 200_000_000  # of a file that is mapped at a time


def return_memory() -> None:
    """Give memory that was freed back to the system, where the C library would keep it (glibc, malloc_trim)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def load_network(kind: Any, directory: Path, dtype: Any) -> Any:
    """Load one network, whole or in shards: full precision before variants such as fp16, safetensors before .bin.

    Raises:
        CheckpointError: the folder has no weights.
    """
    variant, form, _ = _weights(directory)
    options: dict[str, Any] = {"local_files_only": True, "use_safetensors": form == "safetensors"}
    if variant:
        options["variant"] = variant
    if kind.__module__.startswith("transformers"):
        return kind.from_pretrained(directory, dtype=dtype, **options)
    frugal = find_spec("accelerate") is not None  # otherwise diffusers warns at every start
    return kind.from_pretrained(directory, torch_dtype=dtype, low_cpu_mem_usage=frugal, **options)


def load_in_parts(kind: Any, directory: Path, dtype: Any) -> Any:
    """Load one network of diffusers, part by part: the memory is that of the network, not that of its file, too.

    It is for architectures whose files name the parameters as the network does. Without accelerate, and for ``.bin``
    files, it is ``load_network``.

    Raises:
        CheckpointError: the folder has no weights, or they are those of another network.
    """
    _, form, files = _weights(directory)
    if form != "safetensors" or find_spec("accelerate") is None:
        return load_network(kind, directory, dtype)
    from accelerate import init_empty_weights

    with init_empty_weights(include_buffers=False):
        network = kind.from_config(kind.load_config(directory, local_files_only=True))
    missing = set(network.state_dict())
    for tensors in _converted(files, dtype):
        unknown = network.load_state_dict(tensors, strict=False, assign=True).unexpected_keys
        if unknown:
            raise CheckpointError(f"{directory} has weights that its network does not have, such as {unknown[0]}")
        missing -= set(tensors)
    if missing:
        raise CheckpointError(f"{directory} lacks weights of its network, such as {min(missing)}")
    return network.eval()


def _converted(files: Sequence[Path], dtype: Any) -> Iterator[dict[str, Any]]:
    """The tensors of safetensors files, about ``PART_BYTES`` at a time: a file is unmapped after each part of it."""
    from safetensors import safe_open

    for file in files:
        with safe_open(file, framework="pt") as opened:
            names = list(opened.keys())
        while names:
            part, size = {}, 0
            with safe_open(file, framework="pt") as opened:
                while names and size < PART_BYTES:
                    mapped = opened.get_tensor(names[0])
                    size += mapped.nbytes
                    part[names.pop(0)] = mapped.to(dtype if mapped.is_floating_point() else None, copy=True)
                    del mapped  # it would keep the file mapped
            yield part


def check_networks_fit(model: str, networks: Mapping[Path, int], device: Any) -> None:
    """Check that networks fit into the free memory of a device, before any is loaded.

    Args:
        model: its name, for the error.
        networks: the bytes of a parameter once it is loaded, by the network's folder.
        device: the ``torch.device``.

    Raises:
        EngineError: they do not fit; the message tells the sizes.
        CheckpointError: a folder has no weights.
    """
    stored = needed = 0
    for directory, parameter_bytes in networks.items():
        files = _weights(directory)[2]
        stored += sum(file.stat().st_size for file in files)
        needed += sum(parameters(file) for file in files) * parameter_bytes
    check_fits(model, stored, needed, device)


def parameters(file: Path) -> int:
    """The number of parameters in a file of weights: from its header, or for ``.bin`` as if each took 4 bytes.

    A damaged file has none: loading it tells what is wrong.
    """
    if file.suffix != ".safetensors":
        return file.stat().st_size // 4
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as opened:
            return sum(math.prod(opened.get_slice(name).get_shape()) for name in opened.keys())  # noqa: SIM118
    except (SafetensorError, OSError):
        return 0


def _weights(directory: Path) -> tuple[str, str, list[Path]]:
    """The variant, the format and the files of the weights that are loaded."""
    found: dict[tuple[str, str], list[Path]] = {}
    for file in sorted(directory.iterdir()):
        if match := WEIGHTS.fullmatch(file.name):
            found.setdefault((match["variant"] or match["also"] or "", match["format"]), []).append(file)
    if not found:
        raise CheckpointError(f"{directory} holds no weights (.safetensors or .bin)")
    variant, form = min(found, key=lambda one: (one[0] != "", one[0] != "fp16", one[0], one[1] == "bin"))
    return variant, form, found[variant, form]
