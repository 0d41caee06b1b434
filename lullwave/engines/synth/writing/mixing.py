"""The mix settings of each bar: tracks, filters, fades; numbers only, no audio."""

from __future__ import annotations

from ..catalogue.drums import KITS
from ..catalogue.instruments import INSTRUMENTS, Role
from ..catalogue.productions import PRODUCTIONS
from ..score import Mix, Track
from ..spec import Band, PieceSpec, Section
from .comping import CHOPS

_DRUMS_DB = 3.7  # of every kit against the music
_ROLE_DB: dict[Role, float] = {"keys": -1.5, "bass": 0.0, "lead": 1.0, "answer": -2.5, "pad": -2.5}
_FEATURED_DB, _BEHIND_DB = 1.5, -7.0  # for named instruments, and for other melodic ones beside them
_THIN_HZ: dict[Role, float] = {"keys": 170.0, "pad": 220.0, "lead": 150.0, "answer": 150.0}  # room for kick and bass
_SCOOP: dict[Role, float] = {"keys": 1.0, "pad": 1.0, "lead": 0.5, "answer": 0.5}  # share of the production's bell
_HIGHS: dict[Role, float] = {"keys": 1.0, "pad": 1.0, "lead": 0.9, "answer": 0.9}  # share of the production's shelf
_HIGHS_FEATURED = 0.75  # the same of what is named
_BODY_LUFS = -13.0  # planned loudness of a section, before mastering
_SPARSE_DB: dict[str, float] = {"intro": -1.2, "outro": -1.2, "break": -1.5}  # of sections in which few play
_CHOPS_HZ = 2600.0  # low-pass of a chopped recording
_PARTS: dict[Role, str] = {
    "keys": "keys",
    "bass": "bass",
    "lead": "melody",
    "answer": "melody",
    "pad": "pad",
}  # roles as they are asked for


def mix_of(spec: PieceSpec, section: Section, bar: int) -> Mix:
    """The mix of one bar of a section; ``bar`` may be one past the last: the bar in which all rings out."""
    band, kit, production = spec.band, KITS[spec.band.kit], PRODUCTIONS[spec.band.production]
    bright = section.bright
    if section.name == "intro":
        bright *= 0.62 + 0.38 * min(1.0, bar / max(1, section.bars))
    tracks: dict[str, Track] = {}
    for role, own in band.instruments.items():
        instrument = section.players.get(role) or own
        seat = INSTRUMENTS[instrument].seat
        level = seat.level_db + _ROLE_DB[role]
        level += production.bass_db if role == "bass" else 0.0
        level += _asked_of(band, role, instrument)
        if instrument in band.featured:
            level += _FEATURED_DB
        elif band.featured and role != "bass":
            level += _BEHIND_DB
        elif role == "keys" and len(section.roles) <= 2 and "keys" in section.roles:
            level += 1.5
        if role == "pad" and section.border:
            level += 3.0
        tracks[role] = Track(
            instrument=instrument,
            level_db=level,
            pan=band.pan.get(role, 0.0),
            cutoff_hz=min(
                seat.cutoff_hz * (bright if role in ("keys", "pad") else 0.5 + 0.5 * bright),
                _CHOPS_HZ if role == "keys" and section.comp == CHOPS else 20000.0,
            ),
            thin_hz=max(_THIN_HZ.get(role, 0.0), production.thin_hz),
            scoop_db=production.scoop_db * _SCOOP.get(role, 0.0),
            highs_db=_highs_db(production.highs_db, role, instrument in band.featured) if section.drums >= 2 else 0.0,
            room_db=seat.room_db + 4.0 * (band.wet - 0.5),
            plate_db=seat.plate_db + 8.0 * (band.wet - 0.5),
            tremolo=seat.tremolo,
            chorus=seat.chorus,
        )
    ringing = section.closing == "ring" and bar >= section.bars
    return Mix(
        tracks=tracks,
        kit=band.kit,
        drums_db=mix_drums_db(band.drums_db + production.drums_db, section.energy),
        drums_cutoff_hz=kit.cutoff_hz * (0.75 + 0.25 * bright),
        drums_crush=max(0.0, min(1.0, kit.crush + production.crush)),
        drums_room_db=-12.0 if band.gate else -22.0 + 3.0 * band.wet + production.room_db,
        drums_attack_db=production.attack_db,
        drums_parallel=production.parallel,
        drums_air_db=production.air_db,
        duck_db=kit.duck_db + production.duck_db,
        cutoff_hz=band.cutoff_hz,
        warmth=band.warmth,
        wow=band.wow,
        crackle_db=band.crackle_db,
        hiss_db=band.hiss_db,
        music_db=-5.0 if ringing else 0.0,
        music_lufs=None if ringing else _BODY_LUFS + _SPARSE_DB.get(section.name, 0.0) + _asked_db(band, section),
        ambience_lufs=dict(band.ambience_lufs),
    )


def mix_drums_db(asked_db: float, energy: float) -> float:
    """The level of the drum bus where a prompt and a production ask for ``asked_db``."""
    return _DRUMS_DB + asked_db + 1.5 * (energy - 0.7)


def _highs_db(shelf_db: float, role: Role, featured: bool) -> float:
    """How far a part's highs are held back where drums play, which are to be heard there."""
    return shelf_db * (min(_HIGHS_FEATURED, _HIGHS.get(role, 0.0)) if featured else _HIGHS.get(role, 0.0))


def _asked_db(band: Band, section: Section) -> float:
    """How much louder or softer all that plays in a section is asked to be; 0 where drums play."""
    if section.drums or not section.roles:
        return 0.0
    return max(_asked_of(band, role, section.players.get(role) or band.instruments[role]) for role in section.roles)


def _asked_of(band: Band, role: Role, instrument: str) -> float:
    return band.levels_db.get(instrument, 0.0) + band.levels_db.get(_PARTS.get(role, ""), 0.0)
