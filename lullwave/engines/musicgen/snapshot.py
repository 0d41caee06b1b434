"""Packs songs to bytes and back: versioned, without pickles; knows nothing of threads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from ...errors import SnapshotError
from ...storage.packing import Arrays, pack_arrays, parse_values, unpack_arrays
from .model.config import ModelConfig
from .prompt_schedule import Anchor, PromptSchedule, Steer, Window
from .sampling import Sampling
from .song import CHUNK, CodecPoint, Song

VERSION = 1
SPARE = 1024  # steps of room for tokens behind those of the snapshot
MAX_WINDOW = 4096  # steps; the published models have 1500


def pack(song: Song, chunk: int, header: dict[str, Any]) -> bytes:
    """Pack a song as it is before ``chunk``, with the fields of ``header``.

    Raises:
        SnapshotError: the chunk is too far back.
    """
    point = song.codec_point(chunk)
    if point.event is not None:
        point.event.synchronize()
    first = max(
        song.base, min(song.schedule.window_at(song.step).first, song.origin + chunk * CHUNK - song.schedule.length)
    )
    meta = {
        **header,
        "version": VERSION,
        "chunk": chunk,
        "seed": song.seed,
        "origin": song.origin,
        "total": song.total,
        "step": song.step,
        "base": first,
        "sampling": asdict(song.sampling),
        "program": asdict(song.schedule),
        "fed": point.fed,
        "skip": point.skip,
        "state_dtypes": [str(part.dtype).removeprefix("torch.") for part in point.state],
    }
    arrays = {f"state_{i}": part.float().cpu().numpy() for i, part in enumerate(point.state)}
    arrays["rest"] = point.rest.cpu().numpy()
    arrays["tokens"] = song.tokens[:, first - song.base : song.step - song.base]
    if song.melody is not None:
        arrays["melody"] = song.melody.numpy()
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    return pack_arrays(arrays, compress=True)


def header_of(snapshot: bytes) -> dict[str, Any]:
    """Read the header of a snapshot.

    Raises:
        SnapshotError: not a snapshot, or of another version.
    """
    meta = _read(snapshot)[0]
    if meta.get("engine") != "musicgen" or meta.get("version") != VERSION:
        raise SnapshotError(
            f"a snapshot of engine {meta.get('engine')!r}, version {meta.get('version')!r}; "
            f"this is 'musicgen', version {VERSION}"
        )
    return meta


def unpack(snapshot: bytes, config: ModelConfig, lookahead: int) -> Song:
    """Restore the song of a snapshot.

    Raises:
        SnapshotError: damaged.
    """
    meta, arrays = _read(snapshot)
    try:
        raw = meta["program"]
        schedule = PromptSchedule(
            raw["prompt"],
            tuple(Steer(**steer) for steer in raw["steers"]),
            tuple(Anchor(anchor["step"], Window(**anchor["window"])) for anchor in raw["anchors"]),
            raw["length"],
            raw["stride"],
        )
        state = tuple(
            torch.from_numpy(arrays[f"state_{i}"]).to(getattr(torch, dtype))
            for i, dtype in enumerate(meta["state_dtypes"])
        )
        song = Song(
            config,
            schedule,
            Sampling(**meta["sampling"]),
            meta["seed"],
            lookahead,
            origin=meta["origin"],
            total=meta["total"],
            melody=torch.from_numpy(arrays["melody"]) if "melody" in arrays else None,
            step=meta["step"],
            base=meta["base"],
            tokens=np.concatenate([arrays["tokens"], np.full((config.codebooks, SPARE), config.pad, np.int16)], 1),
            reading=meta["chunk"],
        )
        _check(song, meta)
        song.codec_points[meta["chunk"]] = CodecPoint(
            state, torch.from_numpy(arrays["rest"]), meta["fed"], meta["skip"]
        )
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError) as error:
        raise SnapshotError(f"the snapshot is damaged: {error!r}") from None
    return song


def _check(song: Song, meta: Mapping[str, Any]) -> None:
    """Check the counts that buffers and loops depend on.

    Raises:
        ValueError
    """
    kept = song.tokens[:, :-SPARE]
    if kept.shape != (song.config.codebooks, song.step - song.base) or not 0 <= song.base <= song.step:
        raise ValueError(f"tokens of shape {kept.shape} for steps {song.base} to {song.step}")
    if kept.size and not 0 <= kept.min() <= kept.max() <= song.config.pad:
        raise ValueError("tokens that the model does not have")
    schedule = song.schedule
    if not 1 <= schedule.stride <= schedule.length <= MAX_WINDOW:
        raise ValueError(f"windows of {schedule.length} steps, every {schedule.stride}; allowed: {MAX_WINDOW}")
    chunk, fed, skip = meta["chunk"], meta["fed"], meta["skip"]
    if not (0 <= song.origin + chunk * CHUNK <= song.step + CHUNK and 0 <= fed <= song.step + CHUNK):
        raise ValueError(f"chunk {chunk} and {fed} decoded frames at step {song.step}")
    if not 0 <= skip <= (song.origin + CHUNK) * song.config.hop_samples:
        raise ValueError(f"{skip} samples to drop")


def _read(snapshot: bytes) -> tuple[dict[str, Any], Arrays]:
    arrays = unpack_arrays(snapshot)
    if "meta" not in arrays:
        raise SnapshotError("not a snapshot of this engine")
    return parse_values(arrays.pop("meta").tobytes()), arrays
