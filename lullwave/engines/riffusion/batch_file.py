"""Batches: a JSON file of prompts and sets of parameters, and the clips that it describes. Imports nothing heavy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass
from typing import Any

from ...errors import InvalidInput
from ...options import build, check, option
from .clip_options import MAX_SECONDS, MAX_SEED, MAX_TEXT, MIN_SEED, DenoisingConfig, PromptInput
from .options import DEFAULT_CHECKPOINT
from .schedulers import MAX_STEPS, short_name


@dataclass(frozen=True)
class Entry:
    """One entry of a batch file."""

    prompt: str = option(MISSING, "what the music should be like", max_length=MAX_TEXT)
    negative_prompt: str | None = option(None, "what to avoid", max_length=MAX_TEXT)
    seed: int = option(0, "seed of the noise", low=MIN_SEED, high=MAX_SEED)

    def __post_init__(self) -> None:
        PromptInput(self.prompt, self.seed, self.negative_prompt)


@dataclass(frozen=True)
class BatchParams:
    """Parameters of a batch file, for all of its entries."""

    checkpoint: str = option(
        DEFAULT_CHECKPOINT,
        "a directory in diffusers format, a .safetensors or .ckpt file, or a name on the hub",
        max_length=1000,
    )
    scheduler: str | None = option(None, "scheduler; empty for the checkpoint's own", max_length=60)
    num_inference_steps: int = option(50, "denoising steps", low=1, high=MAX_STEPS)
    guidance: float = option(7.0, "how closely the prompt is followed", low=0, high=100)
    width: int = option(512, "columns of a clip, 100 a second", low=100, high=round(100 * MAX_SECONDS))
    name: str = option("", "prefix of the file names", max_length=60)

    def __post_init__(self) -> None:
        check(self)
        if self.scheduler is not None:
            short_name(self.scheduler)


def read_batch(text: str) -> tuple[list[Mapping[str, Any]], list[Entry]]:
    """Parse ``{"params": {…} or [{…}, …], "entries": [{"prompt": …}, …]}`` into parameter sets and entries.

    Raises:
        InvalidInput: names the faulty entry and field.
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
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
        if not isinstance(one, dict):
            raise InvalidInput(f"entries[{n}]", one, 'an object such as {"prompt": "warm piano"}')
        entries.append(build(Entry, one, where=f"entries[{n}]."))
    return sets, entries


@dataclass(frozen=True)
class BatchClip:
    """One clip of a batch; ``name`` is that of its file, without suffix."""

    name: str
    entry: Entry
    end: PromptInput
    seconds: float
    config: DenoisingConfig


def clips_of(params: Mapping[str, Any], name: str, entries: Sequence[Entry], seeds: int) -> Iterator[BatchClip]:
    """The clips of one set of parameters: every entry with ``seeds`` seeds. ``name`` begins their names.

    Raises:
        InvalidInput: names the entry, such as ``entries[1].seed``.
    """
    chosen = build(BatchParams, params)
    config = DenoisingConfig(chosen.num_inference_steps, chosen.scheduler)
    for n, entry in enumerate(entries):
        for seed in range(entry.seed, entry.seed + seeds):
            try:
                end = PromptInput(entry.prompt, seed, entry.negative_prompt, guidance=chosen.guidance)
            except InvalidInput as error:
                raise InvalidInput(f"entries[{n}].{error.field}", error.value, error.allowed) from None
            yield BatchClip(f"{name}-{n:03d}-{seed}", entry, end, chosen.width / 100, config)


def set_names(sets: Sequence[Mapping[str, Any]]) -> list[str]:
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
