"""What a prompt asks for, as values; knows neither the words of the prompt nor how the music follows them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

from ..catalogue.drums import KitName
from ..catalogue.instruments import INSTRUMENTS, InstrumentName
from ..catalogue.productions import ProductionName
from ..score import Ambience, Feel, MetreName
from ..theory import Key
from .numbers import FASTEST, SLOWEST

T = TypeVar("T")

_PACE = 0.22  # how much the fullest "faster" adds to a tempo


@dataclass(frozen=True)
class Avoided:
    """What a prompt asks to leave out."""

    names: tuple[str, ...] = ()  # instruments, parts, drums, hats, ambience; "feel": half-time and double-time
    styles: tuple[str, ...] = ()
    kits: tuple[str, ...] = ()
    keys: tuple[Key, ...] = ()

    def after(self, before: Avoided, asked: Collection[str], styles: Collection[str]) -> Avoided:
        """Merge into an earlier one, which loses the names and styles that are asked for now."""
        return Avoided(
            _joined(_without(before.names, asked), self.names),
            _joined(_without(before.styles, styles), self.styles),
            _joined(before.kits, self.kits),
            _joined(before.keys, self.keys),
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
        styles = dict(before.styles) if not self.styles else {s: 0.5 * w for s, w in before.styles}
        for style, share in self.styles:
            styles[style] = styles.get(style, 0.0) + (0.5 if before.styles else 1.0) * share
        styles = {s: w for s, w in styles.items() if s not in self.avoid.styles}
        total = sum(styles.values()) or 1.0
        asked = {*self.instruments, *self.parts, *dict(self.ambience)}
        asked |= {"drums", "kick", "snare", "hat"} if self.drums else set()
        asked |= {"keys"} if any(INSTRUMENTS[name].role == "keys" for name in self.instruments) else set()
        asked |= {"ambience"} if self.ambience else set()
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
            avoid=self.avoid.after(before.avoid, asked, dict(self.styles)),
            only=self.only or before.only,
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


def _without(names: tuple[T, ...], excluded: Collection[str]) -> tuple[T, ...]:
    return tuple(name for name in names if name not in excluded)
