"""The memory of past pieces, which keeps the planner from repeating itself; immutable.

JSON-able and bounded: the last pieces in a few words each, and the fingerprints of motifs.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..chance import digest

PIECES = 20
MOTIFS = 8000  # some 60 hours of music
TITLES = 1000


@dataclass(frozen=True)
class PlayedPiece:
    """One piece that was planned."""

    tonic: int
    minor: bool
    tempo_bpm: float
    progressions: tuple[str, ...]  # of all its themes, by degrees
    form: str
    comp: str
    lead: str
    hats: str
    kick: str


@dataclass(frozen=True)
class Memory:
    """Past pieces, motifs and titles; every method returns a new memory."""

    pieces: tuple[PlayedPiece, ...] = ()  # the newest last
    motifs: tuple[int, ...] = ()  # fingerprints of 32 bits
    titles: tuple[str, ...] = ()
    next_tonic: int | None = None  # the key that the last piece leads to
    next_minor: bool = False

    def knows_motif(self, name: str) -> bool:
        return _fingerprint(name) in self.motifs

    def with_piece(self, heard: PlayedPiece, motifs: list[str], title: str, next_key: tuple[int, bool]) -> Memory:
        """The memory after a piece."""
        return Memory(
            (*self.pieces, heard)[-PIECES:],
            (*self.motifs, *(_fingerprint(m) for m in motifs))[-MOTIFS:],
            (*self.titles, title)[-TITLES:],
            *next_key,
        )

    def with_turn(
        self, motifs: list[str], progressions: tuple[str, ...], comp: str, lead: str, tempo_bpm: float
    ) -> Memory:
        """The memory after the newest piece was steered to other themes and players and to another tempo."""
        pieces = self.pieces
        if pieces:
            known = tuple(dict.fromkeys((*pieces[-1].progressions, *progressions)))
            pieces = (*pieces[:-1], replace(pieces[-1], progressions=known, comp=comp, lead=lead, tempo_bpm=tempo_bpm))
        return replace(self, pieces=pieces, motifs=(*self.motifs, *(_fingerprint(m) for m in motifs))[-MOTIFS:])

    def with_other(self, other: Memory) -> Memory:
        """This memory plus the newest piece of ``other``, a memory that grew from the same beginning."""
        known = set(self.motifs)
        mine = self.pieces
        if mine and other.pieces[-2:-1] and _begun_alike(mine[-1], other.pieces[-2]):  # it may have been steered since
            mine = (*mine[:-1], other.pieces[-2])
        return Memory(
            (*mine, *other.pieces[-1:])[-PIECES:],
            (*self.motifs, *(m for m in other.motifs if m not in known))[-MOTIFS:],
            (*self.titles, *other.titles[-1:])[-TITLES:],
            other.next_tonic,
            other.next_minor,
        )

    def to_json(self) -> dict[str, Any]:
        packed = b"".join(m.to_bytes(4, "little") for m in self.motifs)
        return {
            "pieces": [asdict(p) for p in self.pieces],
            "motifs": b64encode(packed).decode(),
            "titles": list(self.titles),
            "next_tonic": self.next_tonic,
            "next_minor": self.next_minor,
        }

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Memory:
        packed = b64decode(data["motifs"])
        return cls(
            tuple(PlayedPiece(**{**p, "progressions": tuple(p["progressions"])}) for p in data["pieces"]),
            tuple(int.from_bytes(packed[i : i + 4], "little") for i in range(0, len(packed), 4)),
            tuple(data["titles"]),
            data["next_tonic"],
            data["next_minor"],
        )


def _begun_alike(one: PlayedPiece, other: PlayedPiece) -> bool:
    steered: dict[str, Any] = {"progressions": (), "comp": "", "lead": "", "tempo_bpm": 0.0}
    return replace(one, **steered) == replace(other, **steered)


def _fingerprint(motif: str) -> int:
    return digest("motif", motif) & 0xFFFFFFFF
