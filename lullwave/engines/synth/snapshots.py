"""The state of a stream as bytes and back: JSON and plain arrays under a checksum; knows nothing of how music is made.

Layout: magic (8 bytes), CRC-32 and length of the rest (little-endian, 4 + 8 bytes), length of the JSON (4 bytes), JSON,
an uncompressed ``npz`` without pickles. Nothing in it is executed; damaged or foreign bytes raise ``SnapshotError``.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from ...errors import SnapshotError
from ..base import Engine
from .score import Mix, Track
from .sound.renderer import ActiveHit, ActiveNote, PartState, RendererState

MAGIC = b"LULLSNAP"
VERSION = 4  # of the layout and of the sound: a change that alters samples makes old snapshots useless
_HEAD = struct.Struct("<8sIQ")
_ARRAYS = ("room", "plate", "drums", "bus", "tape")


def pack(engine: type[Engine], head: Mapping[str, Any], state: RendererState) -> bytes:
    """One snapshot of the JSON-able ``head`` and a renderer's state."""
    arrays = {name: getattr(state, name) for name in _ARRAYS}
    for n, part in enumerate(state.parts.values()):
        arrays[f"lowpass{n}"], arrays[f"chorus{n}"] = part.lowpass, part.chorus
    sound = {
        "frame": state.frame,
        "music": state.music,
        "mix": None if state.mix is None else _mix_out(state.mix),
        "sounding": [asdict(one) for one in state.sounding],
        "struck": [asdict(one) for one in state.struck],
        "kicks": state.kicks,
        "parts": {name: asdict(part.track) for name, part in state.parts.items()},
        "level": state.level,
        "gain": state.gain,
        "ending": state.ending,
    }
    words = json.dumps({"engine": engine.name, "version": VERSION, "head": head, "sound": sound}).encode()
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **arrays)
    body = struct.pack("<I", len(words)) + words + packed.getvalue()
    return _HEAD.pack(MAGIC, zlib.crc32(body), len(body)) + body


def unpack(engine: type[Engine], snapshot: bytes) -> tuple[dict[str, Any], RendererState]:
    """The ``head`` and the renderer's state that ``pack`` was given.

    Raises:
        SnapshotError: damaged, or of another engine or version.
    """
    try:
        magic, checksum, length = _HEAD.unpack_from(snapshot)
    except struct.error:
        raise SnapshotError(f"snapshot: got {len(snapshot)} bytes; allowed: bytes made by Stream.snapshot") from None
    body = snapshot[_HEAD.size :]
    if magic != MAGIC:
        raise SnapshotError("snapshot: does not begin as one; allowed: bytes made by Stream.snapshot")
    if len(body) != length or zlib.crc32(body) != checksum:
        raise SnapshotError(f"snapshot: damaged ({len(body)} bytes of {length}, or changed on the way)")
    (words_length,) = struct.unpack_from("<I", body)
    words = json.loads(body[4 : 4 + words_length])
    if (words.get("engine"), words.get("version")) != (engine.name, VERSION):
        raise SnapshotError(
            f"snapshot: made by engine {words.get('engine')!r} version {words.get('version')!r}; "
            f"allowed: {engine.name!r} version {VERSION}"
        )
    try:
        with np.load(io.BytesIO(body[4 + words_length :]), allow_pickle=False) as arrays:
            state = _state_in(words["sound"], {name: arrays[name] for name in arrays.files})
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise SnapshotError(f"snapshot: its content makes no sense ({error})") from error
    return words["head"], state


def _state_in(sound: Mapping[str, Any], arrays: Mapping[str, Any]) -> RendererState:
    parts = {
        name: PartState(Track(**track), arrays[f"lowpass{n}"], arrays[f"chorus{n}"])
        for n, (name, track) in enumerate(sound["parts"].items())
    }
    state = RendererState(
        frame=sound["frame"],
        music=sound["music"],
        mix=None if sound["mix"] is None else _mix_in(sound["mix"]),
        sounding=tuple(ActiveNote(**one) for one in sound["sounding"]),
        struck=tuple(ActiveHit(**one) for one in sound["struck"]),
        kicks=tuple((at, velocity) for at, velocity in sound["kicks"]),
        parts=parts,
        level=sound["level"],
        gain=sound["gain"],
        ending=sound["ending"],
    )
    return replace(state, **{name: arrays[name] for name in _ARRAYS})


def _mix_out(mix: Mix) -> dict[str, Any]:
    out = dict(vars(mix))
    out["tracks"] = {name: asdict(track) for name, track in mix.tracks.items()}
    out["ambience_lufs"] = dict(mix.ambience_lufs)
    return out


def _mix_in(words: Mapping[str, Any]) -> Mix:
    values = dict(words)
    values["tracks"] = {name: Track(**track) for name, track in words["tracks"].items()}
    return Mix(**values)
