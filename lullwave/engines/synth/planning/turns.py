"""Who of several named instruments plays where, so that everybody who was asked for is heard; writes no notes.

Where there are more of a kind than parts for them, sections take turns; where a piece is so short that somebody has
no turn, a section gives room. Who finds none is told to the user.
"""

from __future__ import annotations

from dataclasses import replace

from ..prompts.intent import Wishes
from ..spec import Band, Role, Section
from ..writing.melody import ANSWERS
from .casting import LEADS, basses_of, hands_of, tunes_of

_LETTERS = "ABC"


def share_out(sections: tuple[Section, ...], wishes: Wishes, band: Band) -> tuple[Section, ...]:
    """The sections with turns for everybody who was asked for, as far as there is room."""
    out = [_turns(section, k, wishes, band) for k, section in enumerate(sections)]
    for name in (*wishes.instruments, *_roles_of(wishes, band)):
        if name not in heard(tuple(out), band):
            _make_room(out, name, band, wishes)
    if wishes.drums and out and max(section.drums for section in out) < 2:
        k = max(range(len(out)), key=lambda i: out[i].bars)
        out[k] = replace(out[k], drums=2)
    return tuple(out)


def heard(sections: tuple[Section, ...], band: Band) -> set[str]:
    """Every instrument and every part ("part:lead") that has notes."""
    found: set[str] = set()
    for section in sections:
        for role in section.roles:
            if role in band.instruments and sounds(section, role):
                found |= {player(section, band, role), "part:" + role}
    return found


def unheard(sections: tuple[Section, ...], wishes: Wishes, band: Band) -> tuple[str, ...]:
    """Who was asked for and has no note."""
    known = heard(sections, band)
    return tuple(name for name in wishes.instruments if name not in known)


def player(section: Section, band: Band, role: Role) -> str:
    return section.players.get(role) or band.instruments[role]


def sounds(section: Section, role: Role) -> bool:
    """Whether a role that takes part has anything to play."""
    beats = section.bars * 4.0
    if role == "lead":
        return bool(section.motif) and beats >= (8.0 if section.phrase == "late" else 4.0)
    if role == "answer":
        return bool(section.motif) and "lead" in section.roles and beats >= ANSWERS[section.phrase] + 3.0
    return True


def _turns(section: Section, place: int, wishes: Wishes, band: Band) -> Section:
    tunes, hands, basses = tunes_of(wishes), hands_of(wishes), basses_of(wishes)
    letter = max(0, _LETTERS.find(section.name[:1]))
    players = dict(section.players)
    if len(tunes) > 2 and "lead" in band.instruments:
        players["lead"] = tunes[place % len(tunes)]
        players["answer"] = tunes[(place + 1) % len(tunes)]
    if len(hands) > 1 and "keys" in band.instruments:
        players["keys"] = hands[letter % len(hands)]
    if len(basses) > 1 and "bass" in band.instruments:
        players["bass"] = basses[letter % len(basses)]
    return replace(section, players={r: p for r, p in players.items() if r in band.instruments})


def _roles_of(wishes: Wishes, band: Band) -> list[str]:
    roles = [{"melody": "lead"}.get(part, part) for part in wishes.parts]
    return ["part:" + role for role in roles if role in band.instruments]


def _make_room(out: list[Section], name: str, band: Band, wishes: Wishes) -> None:
    """Give an instrument (or a part) a section of its own, if there is one that can spare it."""
    part = name.removeprefix("part:") if name.startswith("part:") else ""
    if part:
        roles: tuple[Role, ...] = (part,)
    elif name in basses_of(wishes):
        roles = ("bass",)
    elif name == "pad":
        roles = ("pad", "keys")
    else:
        roles = ("lead", "answer") if name in LEADS or name in tunes_of(wishes) else ("keys", "lead")
    everybody = set(wishes.instruments)
    for role in roles:
        if role not in band.instruments:
            continue
        for k in sorted(range(len(out)), key=lambda i: (-out[i].energy * min(4, out[i].bars), i)):
            with_role = out[k].roles if role in out[k].roles else (*out[k].roles, role)
            trial = replace(out[k], roles=with_role)
            if not part:
                trial = replace(trial, players={**trial.players, role: name})
            if role == "lead" and trial.phrase == "late" and trial.bars < 2:
                trial = replace(trial, phrase="call")
            if role == "answer" and not sounds(trial, role):
                trial = replace(trial, phrase="call")
            if not sounds(trial, role):
                continue
            before = heard(tuple(out), band) & everybody
            after = heard((*out[:k], trial, *out[k + 1 :]), band)
            if before <= after and name in after:
                out[k] = trial
                return
