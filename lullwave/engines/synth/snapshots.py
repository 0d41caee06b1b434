"""The state of a stream as bytes and back: JSON and plain arrays under a checksum.

Layout: magic (8 bytes), CRC-32 and length of the rest (little-endian, 4 + 8 bytes), length of the JSON (4 bytes), JSON,
an uncompressed ``npz`` without pickles. Nothing in it is executed; damaged or foreign bytes raise ``SnapshotError``.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from ...audio import Samples
from ...errors import SnapshotError
from ...storage.packing import pack_arrays, parse_values, unpack_arrays
from ..base import Engine
from .score import Mix, Track
from .sound.effects.dynamics import PunchState
from .sound.effects.leveller import LevelState
from .sound.effects.onsets import BandState
from .sound.renderer import ActiveHit, ActiveNote, PartState, RendererState
from .sound.synthesis import MUSIC_RATE

MAGIC = b"LULLSNAP"
VERSION = 14  # of the layout and of the sound: a change that alters samples makes old snapshots useless
_HEAD = struct.Struct("<8sIQ")
_MAX_SOUNDING, _MAX_PARTS = 4096, 64  # notes, strokes and parts at once; a full band has about 60 and 8
_MAX_HELD = 120 * MUSIC_RATE  # samples of the longest note, with what rings after it
_ARRAYS = ("room", "plate", "drums", "bus", "tape")


def pack(engine: type[Engine], head: Mapping[str, Any], state: RendererState) -> bytes:
    """One snapshot of the JSON-able ``head`` and a renderer's state."""
    arrays = {name: getattr(state, name) for name in _ARRAYS}
    arrays |= {f"onsets{n}": band.kept for n, band in enumerate(state.onsets)}
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
        "punch": asdict(state.punch),
        "onsets": [{"heard": band.heard, "edges": band.edges, "gain": band.gain} for band in state.onsets],
        "level": state.level,
        "gain": state.gain,
        "levels": asdict(state.levels),
    }
    words = json.dumps({"engine": engine.name, "version": VERSION, "head": head, "sound": sound}).encode()
    body = struct.pack("<I", len(words)) + words + pack_arrays(arrays)
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
    if length < 4:
        raise SnapshotError("snapshot: it is empty")
    (words_length,) = struct.unpack_from("<I", body)
    words = parse_values(body[4 : 4 + words_length])
    if (words.get("engine"), words.get("version")) != (engine.name, VERSION):
        raise SnapshotError(
            f"snapshot: made by engine {words.get('engine')!r} version {words.get('version')!r}; "
            f"allowed: {engine.name!r} version {VERSION}"
        )
    try:
        state = _state_in(words["sound"], unpack_arrays(body[4 + words_length :]))
        _check(state)
    except SnapshotError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise SnapshotError(f"snapshot: its content makes no sense ({error})") from error
    return words["head"], state


def _check(state: RendererState) -> None:
    """Check what a renderer allocates by: the lengths of what sounds, and the shapes of its arrays.

    Raises:
        SnapshotError
    """
    fresh = RendererState()
    shapes: dict[str, tuple[Any, Any]] = {
        name: (getattr(state, name).shape, getattr(fresh, name).shape) for name in _ARRAYS
    }
    shapes["onsets"] = [band.kept.shape for band in state.onsets], [band.kept.shape for band in fresh.onsets]
    for name, (got, allowed) in shapes.items():
        if got != allowed:
            raise SnapshotError(f"snapshot: {name} of shape {got}; allowed: {allowed}")
    if len(state.sounding) + len(state.struck) + len(state.kicks) > _MAX_SOUNDING or len(state.parts) > _MAX_PARTS:
        raise SnapshotError(f"snapshot: more than {_MAX_SOUNDING} notes or {_MAX_PARTS} parts sound at once")
    for note in state.sounding:
        if not (0 <= note.held <= _MAX_HELD and abs(state.music - note.at) <= _MAX_HELD and 0 <= note.pitch < 128):
            raise SnapshotError(f"snapshot: a note of {note.held} samples at {note.at}; allowed: {_MAX_HELD} samples")
        if not (0 <= note.skip <= _MAX_HELD and 0 <= note.pitch - note.pitched < 128):
            raise SnapshotError(f"snapshot: a chop {note.skip} samples into pitch {note.pitch - note.pitched}")
    for at in [hit.at for hit in state.struck] + [at for at, _ in state.kicks]:
        if abs(state.music - at) > _MAX_HELD:
            raise SnapshotError(f"snapshot: a stroke {abs(state.music - at)} samples away; allowed: {_MAX_HELD}")


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
        punch=PunchState(**sound["punch"]),
        onsets=tuple(_band_in(words, arrays[f"onsets{n}"]) for n, words in enumerate(sound["onsets"])),
        level=sound["level"],
        gain=sound["gain"],
        levels=LevelState(**sound["levels"]),
    )
    return replace(state, **{name: arrays[name] for name in _ARRAYS})


def _band_in(words: Mapping[str, Any], kept: Samples) -> BandState:
    before, last = (float(edge) for edge in words["edges"])
    return BandState(kept, float(words["heard"]), (before, last), float(words["gain"]))


def _mix_out(mix: Mix) -> dict[str, Any]:
    out = dict(vars(mix))
    out["tracks"] = {name: asdict(track) for name, track in mix.tracks.items()}
    out["ambience_lufs"] = dict(mix.ambience_lufs)
    return out


def _mix_in(words: Mapping[str, Any]) -> Mix:
    values = dict(words)
    values["tracks"] = {name: Track(**track) for name, track in words["tracks"].items()}
    return Mix(**values)
