"""Names for pieces: small pictures, seldom the same."""

from __future__ import annotations

from collections.abc import Collection

from ..chance import Chance


def _list(words: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in " ".join(words.split()).split(","))


_THINGS = _list(
    """
    Paper Lantern, Window Seat, Late Tram, Kettle, Tin Roof, Corner Booth, Wool Blanket, Porch Light,
    Library Card, Night Bus, Orange Peel, Old Postcard, Borrowed Coat, Slow Ferry, Attic Light, Pencil
    Sketch, Second Cup, Spare Key, Garden Gate, Cinnamon Bun, Folded Map, Cloud Bank, Half Moon, Quiet
    Platform, Lamp Post, Bookmark, Rooftop, Bicycle Bell, Ginger Cat, Laundry Line, Letterbox, Thermos,
    Record Sleeve, Paper Crane, Harbour Light, Moth, Fig Tree, Stairwell, Record Shop, Tea Leaf, Dust
    Jacket, Pocket Watch, Streetlamp, Sunday Paper, Toy Boat, Umbrella, Wicker Chair, Wren, Hazel Branch,
    Marmalade Jar
    """
)
_HOURS = _list(
    """
    at Dusk, before Dawn, after Hours, past Midnight, at Four, in the Blue Hour, on Sunday, in November, in
    Late June, at Low Tide, before the Thaw, after School, at Half Past Ten, in the Small Hours, on a
    Weekday
    """
)
_RAIN = ["in the Rain", "after Rain", "between Showers", "under Wet Leaves", "while It Drizzles", "on Wet Cobbles"]
_PLACES = {
    "rain": _RAIN,
    "fire": ["by the Fire", "in Ember Light", "near the Stove", "under Woodsmoke"],
    "cafe": ["at the Corner Table", "in the Back Room", "over Espresso", "at Closing Time"],
    "night": ["among Crickets", "in Tall Grass", "under Faint Stars", "on the Night Meadow"],
    "waves": ["by the Shore", "at High Water", "on the Breakwater", "near the Dunes"],
    "train": ["on the Slow Line", "between Stations", "from the Dining Car", "on the Last Train"],
}
_SHAPES = (
    "{thing} {when}",
    "{thing} {when}",
    "{an_adj} {thing} {when}",
    "The {adj} {thing}",
    "The {adj} {thing} {when}",
    "{adj} {thing} {when}",
    "{thing} and {other}",
    "{thing} and {other} {when}",
    "Letters to {a_thing}",
    "What the {thing} Saw {when}",
)
_SMALL = {"a", "an", "the", "and", "in", "on", "at", "to", "under", "before", "after"}
_MAJOR = _list(
    """
    Golden, Gentle, Easy, Sunlit, Small, Honest, Kind, Yellow, Unhurried, Friendly, Little
    """
)
_MINOR = _list(
    """
    Faded, Quiet, Distant, Silver, Forgotten, Sleeping, Hushed, Half-Lit, Pale, Wandering, Hazy
    """
)


def make_title(chance: Chance, minor: bool, layers: Collection[str], taken: Collection[str]) -> str:
    """A title that is not among ``taken`` (if hundreds of tries allow)."""
    title = ""
    for attempt in range(400):
        draw = chance.of(attempt)
        thing, other = draw.order(_THINGS)[:2]
        places = [place for layer in sorted(layers) for place in _PLACES.get(layer, ())]
        when = draw.pick(places) if places and draw.yes(0.6) else draw.pick(_HOURS)
        adjective = draw.pick(_MINOR if minor else _MAJOR)
        words = {"thing": thing, "other": other, "when": when, "adj": adjective, "a_thing": with_article(thing)}
        title = draw.pick(_SHAPES).format(**words, an_adj=with_article(adjective, capital=True))
        if title not in taken and not _repeats(title):
            break
    return title


def _repeats(title: str) -> bool:
    """Whether a word other than an article or a preposition is there twice."""
    words = [word for word in title.lower().split() if word not in _SMALL]
    return len(set(words)) < len(words)


def with_article(words: str, capital: bool = False) -> str:
    """Words with the indefinite article that their first sound asks for: "an Umbrella", "an Honest", "a Unique"."""
    first = words.lower()
    vowel = first[0] in "aeiou" and not first.startswith(("one", "uni", "use", "eu"))
    article = "an" if vowel or first.startswith(("honest", "hour")) else "a"
    return f"{article.capitalize() if capital else article} {words}"
