"""Shares the sections among the instruments that a prompt names, so that each of them is heard; writes no notes.

Where a prompt names more instruments of a kind than there are parts, sections take turns. Where a piece is too short
for turns, one section is given to the instrument. An instrument that still has no note is reported to the user.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..catalogue.instruments import INSTRUMENTS, InstrumentName, Role
from ..prompts.intent import Intent
from ..spec import Band, Section
from ..writing.melody import ANSWERS
from .casting import bass_players, chord_players, melody_players

_LETTERS = "ABC"
_ROLE_OF_PART: dict[str, Role] = {"melody": "lead", "keys": "keys", "bass": "bass"}  # parts as prompts name them


def assign_turns(sections: tuple[Section, ...], intent: Intent, band: Band) -> tuple[Section, ...]:
    """The sections with turns for every instrument and part that was asked for, as far as there is room."""
    out = [_with_turns(section, place, intent, band) for place, section in enumerate(sections)]
    for name in intent.instruments:
        if name not in players_with_notes(out, band):
            _make_room(out, _roles_for(name, intent), name, intent, band)
    for part in intent.parts:
        role = _ROLE_OF_PART[part]
        if role in band.instruments and role not in _roles_with_notes(out, band):
            _make_room(out, (role,), None, intent, band)
    if intent.drums and out and max(section.drums for section in out) < 2:
        longest = max(range(len(out)), key=lambda i: out[i].bars)
        out[longest] = replace(out[longest], drums=2)
    return tuple(out)


def players_with_notes(sections: Sequence[Section], band: Band) -> set[InstrumentName]:
    """Every instrument that has notes in one of the sections."""
    return {
        player_of(section, band, role)
        for section in sections
        for role in section.roles
        if role in band.instruments and has_notes(section, role)
    }


def players_without_notes(sections: Sequence[Section], intent: Intent, band: Band) -> tuple[InstrumentName, ...]:
    """The instruments that were asked for and have no note."""
    playing = players_with_notes(sections, band)
    return tuple(name for name in intent.instruments if name not in playing)


def player_of(section: Section, band: Band, role: Role) -> InstrumentName:
    """The instrument that plays a role in a section."""
    return section.players.get(role) or band.instruments[role]


def has_notes(section: Section, role: Role) -> bool:
    """Whether a role that takes part in a section has anything to play there."""
    beats = section.bars * 4.0
    if role == "lead":
        return bool(section.motif) and beats >= (8.0 if section.phrase == "late" else 4.0)
    if role == "answer":
        return bool(section.motif) and "lead" in section.roles and beats >= ANSWERS[section.phrase] + 3.0
    return True


def _roles_with_notes(sections: Sequence[Section], band: Band) -> set[Role]:
    return {r for section in sections for r in section.roles if r in band.instruments and has_notes(section, r)}


def _with_turns(section: Section, place: int, intent: Intent, band: Band) -> Section:
    melodies, chords, basses = melody_players(intent), chord_players(intent), bass_players(intent)
    letter = max(0, _LETTERS.find(section.name[:1]))
    players = dict(section.players)
    if len(melodies) > 2 and "lead" in band.instruments:
        players["lead"] = melodies[place % len(melodies)]
        players["answer"] = melodies[(place + 1) % len(melodies)]
    if len(chords) > 1 and "keys" in band.instruments:
        players["keys"] = chords[letter % len(chords)]
    if len(basses) > 1 and "bass" in band.instruments:
        players["bass"] = basses[letter % len(basses)]
    return replace(section, players={r: p for r, p in players.items() if r in band.instruments})


def _roles_for(name: InstrumentName, intent: Intent) -> tuple[Role, ...]:
    """The roles in which an instrument may be given a section, the best first."""
    role = INSTRUMENTS[name].role
    if role == "bass":
        return ("bass",)
    if role == "pad":
        return ("pad", "keys")
    return ("lead", "answer") if role == "lead" or name in melody_players(intent) else ("keys", "lead")


def _make_room(
    out: list[Section], roles: tuple[Role, ...], player: InstrumentName | None, intent: Intent, band: Band
) -> None:
    """Give ``player`` (None: the band's own player) a section in one of ``roles``, without silencing another one named.

    The strongest and longest sections are tried first. ``out`` stays as it is where none can be spared.
    """
    named = set(intent.instruments)
    for role in roles:
        if role not in band.instruments:
            continue
        for k in sorted(range(len(out)), key=lambda i: (-out[i].energy * min(4, out[i].bars), i)):
            trial = replace(out[k], roles=out[k].roles if role in out[k].roles else (*out[k].roles, role))
            if player is not None:
                trial = replace(trial, players={**trial.players, role: player})
            if role == "lead" and trial.phrase == "late" and trial.bars < 2:
                trial = replace(trial, phrase="call")
            if role == "answer" and not has_notes(trial, role):
                trial = replace(trial, phrase="call")
            if not has_notes(trial, role):
                continue
            after = [*out[:k], trial, *out[k + 1 :]]
            playing = players_with_notes(after, band)
            if players_with_notes(out, band) & named <= playing and (player is None or player in playing):
                out[k] = trial
                return
