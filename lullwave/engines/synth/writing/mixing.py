"""What each bar sounds like besides its notes: tracks, filters, fades; numbers only, knows no sample."""

from __future__ import annotations

from typing import Any, cast

from ..score import Mix, Track
from ..spec import PieceSpec, Section

# How an instrument sits in this music: level, low-pass, room send, plate send, tremolo, chorus.
_SEATS: dict[str, tuple[float, float, float, float, float, float]] = {
    "rhodes": (0.0, 5200, -18, -22, 0.25, 0.15),
    "wurli": (0.0, 5200, -18, -24, 0.3, 0.1),
    "felt_piano": (0.0, 5600, -16, -18, 0.0, 0.0),
    "nylon_guitar": (0.0, 6000, -16, -20, 0.0, 0.0),
    "upright_bass": (0.0, 2500, -26, -60, 0.0, 0.0),
    "sub_bass": (0.0, 1200, -60, -60, 0.0, 0.0),
    "synth_bass": (0.0, 1600, -60, -60, 0.0, 0.0),
    "vibraphone": (-1.0, 7000, -18, -16, 0.0, 0.0),
    "pad": (-6.0, 4200, -18, -14, 0.0, 0.6),
    "flute": (-2.0, 6000, -16, -14, 0.0, 0.0),
    "muted_trumpet": (-2.5, 5600, -16, -16, 0.0, 0.0),
    "synth_lead": (-3.0, 5200, -20, -14, 0.0, 0.3),
    "music_box": (-2.0, 6500, -18, -14, 0.0, 0.0),
}
_ROLE_DB = {"keys": -0.5, "bass": 0.0, "lead": -3.5, "answer": -5.0, "pad": -3.0}
_PARTS = {"keys": "keys", "bass": "bass", "lead": "melody", "answer": "melody"}  # roles as they are asked for


def mix_of(spec: PieceSpec, section: Section, bar: int) -> Mix:
    """The mix of one bar of a section; ``bar`` may be one past the last: the bar in which all rings out."""
    band = spec.band
    bright = section.bright
    if section.name == "intro":
        bright *= 0.62 + 0.38 * min(1.0, bar / max(1, section.bars))
    tracks = {}
    for role, own in band.instruments.items():
        instrument = section.players.get(role) or own
        level, cutoff, room, plate, tremolo, chorus = _SEATS[instrument]
        level += _ROLE_DB[role]
        level += band.levels_db.get(instrument, 0.0) + band.levels_db.get(_PARTS.get(role, ""), 0.0)
        if role == "keys" and len(section.roles) <= 2 and "keys" in section.roles:
            level += 1.5
        if role == "pad" and section.border:
            level += 3.0
        tracks[role] = Track(
            instrument=cast(Any, instrument),
            level_db=level,
            pan=band.pan.get(role, 0.0),
            cutoff_hz=cutoff * (bright if role in ("keys", "pad") else 0.5 + 0.5 * bright),
            room_db=room + 4.0 * (band.wet - 0.5),
            plate_db=plate + 8.0 * (band.wet - 0.5),
            tremolo=tremolo,
            chorus=chorus,
        )
    ringing = section.closing == "ring" and bar >= section.bars
    return Mix(
        tracks=tracks,
        kit=cast(Any, band.kit),
        drums_db=band.drums_db + 2.0 * (section.energy - 0.7),
        drums_cutoff_hz=(8500 if band.kit != "electronic" else 10000) * (0.75 + 0.25 * bright),
        drums_crush=0.35 if band.kit == "dusty" else 0.15,
        drums_room_db=-12.0 if band.gate else -22.0 + 3.0 * band.wet,
        duck_db=4.5 if band.kit == "electronic" else 3.0,
        cutoff_hz=band.cutoff_hz,
        warmth=band.warmth,
        wow=band.wow,
        crackle_db=band.crackle_db,
        hiss_db=band.hiss_db,
        music_db=-5.0 if ringing else _border_db(section, bar),
        ambience_lufs=cast(Any, dict(band.ambience_lufs)),
    )


def _border_db(section: Section, bar: int) -> float:
    """A piece's last bar swells a little, so that the join is even."""
    if section.closing == "turn" and bar == section.bars - 1:
        return 1.0
    return 0.0
