"""Loads one network of a checkpoint in diffusers format from its folder."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import CheckpointError

WEIGHTS = re.compile(
    r"(diffusion_pytorch_model|pytorch_model|model)(\.(?P<variant>\w+))?(-\d+-of-\d+)?(\.(?P<also>\w+))?"
    r"\.(?P<format>safetensors|bin)"
)


def load_network(kind: Any, directory: Path, dtype: Any) -> Any:
    """Load one network, whole or in shards: full precision before variants such as fp16, safetensors before .bin.

    Raises:
        CheckpointError: the folder has no weights.
    """
    found = filter(None, (WEIGHTS.fullmatch(file.name) for file in directory.iterdir()))
    forms = {(match["variant"] or match["also"] or "", match["format"]) for match in found}
    if not forms:
        raise CheckpointError(f"{directory} holds no weights (.safetensors or .bin)")
    variant, form = min(forms, key=lambda one: (one[0] != "", one[0] != "fp16", one[0], one[1] == "bin"))
    options: dict[str, Any] = {"local_files_only": True, "use_safetensors": form == "safetensors"}
    if variant:
        options["variant"] = variant
    if kind.__module__.startswith("transformers"):
        return kind.from_pretrained(directory, dtype=dtype, **options)
    frugal = find_spec("accelerate") is not None  # otherwise diffusers warns at every start
    return kind.from_pretrained(directory, torch_dtype=dtype, low_cpu_mem_usage=frugal, **options)
