"""What a prompt asks for, as values; knows neither the words of the prompt nor how the music follows them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

from ..catalogue.drums import KitName
from ..catalogue.instruments import INSTRUMENTS, InstrumentName, Role
from ..catalogue.productions import ProductionName
from ..score import Ambience, Feel, MetreName
from ..theory import Key
from .numbers import FASTEST, SLOWEST

T = TypeVar("T")

_PART_OF_ROLE: dict[Role, str] = {"keys": "keys", "bass": "bass", "lead": "melody", "answer": "melody", "pad": "pad"}
_PACE = 0.22  # how much the fullest "faster" adds to a tempo


@dataclass(frozen=True)
class Avoided:
    """What a prompt asks to leave out."""

    names: tuple[str, ...] = ()  # instruments, parts, drums, hats, ambience; "feel": half-time and double-time
    styles: tuple[str, ...] = ()
    kits: tuple[str, ...] = ()
    keys: tuple[Key, ...] = ()

    def after(self, before: Avoided, asked: Avoided) -> Avoided:
        """Merge into an earlier one, which loses what is ``asked`` for now."""
        return Avoided(
            _joined(_without(before.names, asked.names), self.names),
            _joined(_without(before.styles, asked.styles), self.styles),
            _joined(_without(before.kits, asked.kits), self.kits),
            _joined(_without(before.keys, asked.keys), self.keys),
        )

    def to_strings(self) -> list[str]:
        """The saved form: names as they are, the others with a prefix ("style jazz", "kit brushes", "key C major")."""
        return [
            *self.names,
            *("style " + style for style in self.styles),
            *("kit " + kit for kit in self.kits),
            *("key " + key.name for key in self.keys),
        ]

    @classmethod
    def of_strings(cls, saved: Iterable[str]) -> Avoided:
        """Read the saved form."""
        found: dict[str, list[str]] = {"": [], "style": [], "kit": [], "key": []}
        for text in saved:
            kind, _, value = text.partition(" ")
            if value and kind in found:
                found[kind].append(value)
            else:
                found[""].append(text)
        keys = tuple(Key.parse(name) for name in found["key"])
        return cls(tuple(found[""]), tuple(found["style"]), tuple(found["kit"]), keys)


@dataclass(frozen=True)
class Intent:
    """What was asked for. A field that is empty leaves its choice to the planner."""

    tempo_bpm: float | None = None
    metre: MetreName | Literal[""] = ""
    feel: Feel = ""
    tonic: int | None = None
    minor: bool | None = None
    styles: tuple[tuple[str, float], ...] = ()
    instruments: tuple[InstrumentName, ...] = ()
    parts: tuple[str, ...] = ()  # "bass", "keys", "melody": asked for without an instrument
    avoid: Avoided = Avoided()
    only: bool = False
    drums: bool = False  # asked for outright
    kit: KitName | Literal[""] = ""
    hats: str = ""
    comp: str = ""  # how the chords are played, a name of writing.comping
    production: ProductionName | Literal[""] = ""
    ambience: tuple[tuple[Ambience, float], ...] = ()
    moods: Mapping[str, float] = field(
        default_factory=dict
    )  # energy, valence, bright, wet, warm, swing, dense, pace, beat: -1…1
    levels_db: tuple[tuple[str, float], ...] = ()  # of instruments and parts: louder or softer than usual
    crackle: float = 0.0  # -1 none … 1 much; 0 as usual
    notes: tuple[str, ...] = ()  # what is done otherwise than asked, in words

    def mood(self, name: str) -> float:
        return max(-1.0, min(1.0, self.moods.get(name, 0.0)))

    @property
    def key(self) -> Key | None:
        """The key, where tonic and mode are both asked for."""
        if self.tonic is None:
            return None
        return Key(self.tonic, bool(self.minor))

    def refuses(self, key: Key) -> bool:
        """Whether a key is not wanted."""
        return key in self.avoid.keys

    def after(self, before: Intent) -> Intent:
        """Merge this intent into an earlier one; fields left empty keep the earlier value."""
        avoided = self.avoid.names
        if "instruments" in avoided:
            before = replace(before, instruments=(), parts=(), drums=False)
        styles = dict(before.styles) if not self.styles else {s: 0.5 * w for s, w in before.styles}
        for style, share in self.styles:
            styles[style] = styles.get(style, 0.0) + (0.5 if before.styles else 1.0) * share
        styles = {s: w for s, w in styles.items() if s not in self.avoid.styles}
        total = sum(styles.values()) or 1.0
        key = self if self.tonic is not None else before
        minor = self.minor if self.minor is not None else before.minor
        moods = {name: value for name, value in before.moods.items() if name != "pace"}
        for name, value in self.moods.items():
            moods[name] = max(-1.0, min(1.0, moods.get(name, 0.0) + value))
        places = {} if "ambience" in avoided else dict(before.ambience)
        places = {a: w for a, w in {**places, **dict(self.ambience)}.items() if a not in avoided}
        limits: tuple[str, ...] = ()
        tempo = self.tempo_bpm or before.tempo_bpm
        if tempo is not None and self.tempo_bpm is None and self.mood("pace"):
            tempo, limits = at_pace(tempo, self.mood("pace"))
        levels = dict(before.levels_db)
        for name, level in self.levels_db:
            levels[name] = max(-9.0, min(6.0, levels.get(name, 0.0) + level))
        return replace(
            self,
            tempo_bpm=tempo,
            metre=self.metre or before.metre,
            feel=self.feel or ("" if "feel" in avoided else before.feel),
            tonic=key.tonic,
            minor=key.minor if self.tonic is not None else minor,
            styles=tuple((s, w / total) for s, w in styles.items()),
            instruments=_without(_joined(before.instruments, self.instruments), avoided),
            parts=_without(_joined(before.parts, self.parts), avoided),
            avoid=self.avoid.after(before.avoid, self._asked()),
            only=self.only or self._alone(before),
            drums=self.drums or (before.drums and "drums" not in avoided),
            kit=self.kit or ("" if before.kit in self.avoid.kits else before.kit),
            hats=self.hats or before.hats,
            comp=self.comp or before.comp,
            production=self.production or before.production,
            ambience=tuple(places.items()),
            moods=moods,
            levels_db=tuple(levels.items()),
            crackle=self.crackle or before.crackle,
            notes=(*self.notes, *limits),
        )

    def _asked(self) -> Avoided:
        """What is asked for, by the names that could refuse it: of instruments, their parts, and all of them."""
        names = {*self.instruments, *self.parts, *dict(self.ambience)}
        names |= {_PART_OF_ROLE[INSTRUMENTS[name].role] for name in self.instruments}
        names |= {"drums", "kick", "snare", "hat", self.hats} if self.drums else set()
        names |= {"instruments"} if self.instruments or self.parts or self.drums or self.styles else set()
        names |= {"ambience"} if self.ambience else set()
        names |= {"feel"} if self.feel else set()
        kits = (self.kit,) if self.kit else ()
        return Avoided(tuple(names), tuple(dict(self.styles)), kits, () if self.key is None else (self.key,))

    def _alone(self, before: Intent) -> bool:
        """Whether the players play alone as an addition to an earlier intent.

        After "no instruments" only those that are added play. After "only rain" a style brings its band.
        """
        if before.only:
            return not self.styles or bool(before.instruments or before.parts or before.drums)
        added = self.instruments or self.parts or self.drums
        return "instruments" in before.avoid.names and bool(added) and not self.styles

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "avoid": self.avoid.to_strings()}

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Intent:
        values = {one.name: data[one.name] for one in fields(cls)}
        for name in ("styles", "ambience", "levels_db"):
            values[name] = tuple((str(key), float(value)) for key, value in values[name])
        for name in ("instruments", "parts", "notes"):
            values[name] = tuple(values[name])
        values["avoid"] = Avoided.of_strings(values["avoid"])
        return cls(**values)


def at_pace(tempo_bpm: float, pace: float) -> tuple[float, tuple[str, ...]]:
    """The tempo that "faster" (``pace`` above 0) or "slower" makes of one, and a note where it is the limit already."""
    limit = FASTEST if pace > 0.0 else SLOWEST
    notes = (f"{limit:g} bpm is the {'fastest' if pace > 0.0 else 'slowest'}",) if tempo_bpm == limit else ()
    wanted = float(round(tempo_bpm * (1.0 + _PACE * pace)))
    return max(SLOWEST, min(FASTEST, wanted)), notes


def _joined(before: tuple[T, ...], after: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys((*before, *after)))


def _without(names: tuple[T, ...], excluded: Collection[object]) -> tuple[T, ...]:
    return tuple(name for name in names if name not in excluded)
