"""Packs songs to bytes and back: versioned, without pickles; knows nothing of threads."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from ...errors import SnapshotError
from .model.config import ModelConfig
from .prompt_schedule import Anchor, PromptSchedule, Steer, Window
from .sampling import Sampling
from .song import CHUNK, CodecPoint, Song

VERSION = 1


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
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


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
            tokens=np.concatenate([arrays["tokens"], np.full((config.codebooks, 1024), config.pad, np.int16)], 1),
            reading=meta["chunk"],
        )
        song.codec_points[meta["chunk"]] = CodecPoint(
            state, torch.from_numpy(arrays["rest"]), meta["fed"], meta["skip"]
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SnapshotError(f"the snapshot is damaged: {error!r}") from None
    return song


def _read(snapshot: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        with np.load(io.BytesIO(snapshot), allow_pickle=False) as loaded:
            arrays = {name: loaded[name] for name in loaded.files}
        meta = json.loads(arrays.pop("meta").tobytes())
    except Exception as error:  # zip, NumPy and JSON raise exceptions of many types for damaged bytes
        raise SnapshotError(f"not a snapshot of this engine: {error}") from None
    if not isinstance(meta, dict):
        raise SnapshotError("not a snapshot of this engine")
    return meta, arrays
