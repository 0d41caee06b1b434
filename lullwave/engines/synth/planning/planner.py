"""Plans pieces: makes a ``PieceSpec`` from the intent, a seed and the memory of past pieces; writes no notes.

What the prompt asks for outright always wins. Where it leaves room, variety decides: no progression again within ten
pieces, no pair of comping and leading instrument within four, no key within three, no motif ever.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..catalogue.instruments import INSTRUMENTS
from ..chance import Chance
from ..prompts.intent import Intent, at_pace
from ..score import RATE
from ..spec import PieceSpec
from ..theory import Key
from ..writing.metres import METRES, Metre
from .blend import Blend
from .casting import make_band
from .form import FORMS, plan_form
from .memory import Memory, PlayedPiece
from .sections import avoid_repeated_chords, avoid_repeated_sections, build_section, close_section
from .themes import make_themes, progressions_of
from .titles import make_title
from .turns import assign_turns

SHORTEST_S, LONGEST_S = 95.0, 200.0  # of an endless stream's pieces
_TEMPO_STEP = 0.078
_KEY_GAP, _FORM_GAP = 3, 3


@dataclass(frozen=True)
class Length:
    """How long a piece must be: exactly ``frames`` (None: free); the ``last`` one ends with a chord that rings out."""

    frames: int | None = None
    last: bool = False
    loop: bool = False  # its end leads to its own beginning


def blend_of(intent: Intent, chance: Chance, own: bool = True) -> Blend:
    """The styles that were asked for; without any, lo-fi, sometimes mixed with a second style.

    ``own``: an instrument that is named without a style or a beat brings its own style.
    """
    if intent.styles:
        shares = dict(intent.styles)
        if set(shares) == {"piano"} and intent.drums:
            shares = {"piano": 0.6, "lofi": 0.4}
        if "lofi" in shares and len(shares) > 1:  # "lo-fi" beside another style is the genre, not a rival
            small = 0.25 * shares.pop("lofi") / max(1e-9, sum(shares.values()) + 1e-9)
            total = sum(shares.values())
            shares = {s: (1 - min(0.25, small)) * w / total for s, w in shares.items()} | {"lofi": min(0.25, small)}
        return Blend(tuple(shares.items()))
    if own and (style := _own_style(intent)):
        return Blend(((style, 1.0),))
    guests = {"": 6.0, "jazz": 1.0, "soul": 1.2, "hiphop": 1.2, "piano": 0.6, "folk": 0.5}
    guest = chance.weighted({g: w for g, w in guests.items() if g not in intent.avoid.styles})
    return Blend((("lofi", 0.6), (guest, 0.4)) if guest else (("lofi", 1.0),))


def _own_style(intent: Intent) -> str:
    """The style of the first named instrument where nothing in the prompt speaks of a beat."""
    beats = intent.drums or intent.kit or intent.hats or intent.feel or intent.mood("energy") > 0.3
    own = INSTRUMENTS[intent.instruments[0]].style if intent.instruments and not beats else ""
    return "" if own in intent.avoid.styles else own


def plan_piece(
    seed: int, number: int, intent: Intent, prompt: str, memory: Memory, length: Length
) -> tuple[PieceSpec, Memory]:
    """The next piece, and the memory after it."""
    chance = Chance(seed, "plan", number)
    blend = blend_of(intent, chance.of("blend"))
    tempo = _tempo(chance.of("tempo"), intent, blend, memory)
    metre = metre_of(intent)
    key = _key(chance.of("key"), intent, blend, memory)
    band = make_band(chance.of("band"), intent, blend, memory)
    following = key if length.loop else _next_key(chance.of("next"), intent, blend, memory, key)
    style = blend.draw(chance.of("themes"))
    themes, taken = make_themes(chance.of("themes"), intent, blend, style, band, key, tempo, memory)
    bars, tail = _bars(chance.of("bars"), tempo, metre, length)
    form = _form(chance.of("form"), memory)
    parts = plan_form(chance.of("parts"), form, bars, length.last, intro=not length.loop, joins=number > 0)
    sections = tuple(
        build_section(chance.of("section", i), part, parts, i, themes, intent, blend, band, key, tempo)
        for i, part in enumerate(parts)
    )
    sections = (*sections[:-1], close_section(sections[-1], following, tail))
    sections = tuple(replace(section, metre=metre.name, feel=intent.feel) for section in sections)
    sections = assign_turns(avoid_repeated_sections(avoid_repeated_chords(sections), themes, band), intent, band)
    title = make_title(chance.of("title"), key.minor, band.ambience_lufs, memory.titles)
    spec = PieceSpec(number, seed, title, prompt, tempo, key.tonic, key.minor, form, themes["A"].loop, band, sections)
    heard = PlayedPiece(
        key.tonic,
        key.minor,
        tempo,
        progressions_of(themes, key.minor),
        form,
        band.instruments.get("keys", ""),
        band.instruments.get("lead", ""),
        themes["A"].hats,
        str(themes["A"].kick),
    )
    return spec, memory.with_piece(heard, taken, title, (following.tonic, following.minor))


def metre_of(intent: Intent) -> Metre:
    """The metre that was asked for, or four beats."""
    return METRES[intent.metre or "4/4"]


def _asked_tempo(intent: Intent) -> float | None:
    """The tempo that was asked for, in quarter notes a minute."""
    return None if intent.tempo_bpm is None else intent.tempo_bpm * metre_of(intent).quarters_per_beat


def _tempo(chance: Chance, intent: Intent, blend: Blend, memory: Memory) -> float:
    if (asked := _asked_tempo(intent)) is not None:
        return asked
    low, high = blend.span(lambda style: style.tempo_bpm)
    energy = intent.mood("energy")
    middle = (low + high) / 2 + energy * 12.0 + intent.mood("pace") * 8.0
    half = (high - low) / 2 * (1.0 - 0.4 * abs(energy))
    middle *= 1.25 if intent.metre == "6/8" else 1.0  # of which a beat is one and a half
    tempo = float(round(max(58.0, min(max(112.0, high), chance.between(middle - half, middle + half)))))
    if memory.pieces:
        before = memory.pieces[-1].tempo_bpm
        lowest, highest = before * (1 - _TEMPO_STEP), before * (1 + _TEMPO_STEP)
        tempo = float(max(int(lowest) + 1, min(int(highest), tempo)))
    return tempo


def tempo_after_steer(intent: Intent, said: Intent, blend: Blend, now: float) -> float:
    """The new tempo of a piece that is steered: the one that is asked for, or its own if that suits the new words.

    ``intent`` is all that holds from now on, ``said`` what the last prompt alone asked for; tempos in quarter notes a
    minute.
    """
    if (asked := _asked_tempo(intent)) is not None:
        return asked
    if abs(said.mood("pace")) > 0.1:
        quarters = metre_of(intent).quarters_per_beat
        return at_pace(now / quarters, said.mood("pace"))[0] * quarters
    shift = said.mood("energy") * 12.0
    if not said.styles and abs(shift) < 3.0:
        return now
    low, high = blend.span(lambda style: style.tempo_bpm)
    if intent.styles and not said.styles:  # the style is the earlier one, and the piece may have left its range
        low, high = min(low, now), max(high, now)
    return float(round(max(low + shift, min(high + shift, now))))


def key_after_steer(intent: Intent, now: Key) -> Key:
    """The new key of a piece that is steered: its own, unless another key or the opposite mood is asked for."""
    if intent.key is not None:
        return intent.key
    minor = intent.minor
    if minor is None and abs(intent.mood("valence")) > 0.45:
        minor = intent.mood("valence") < 0
    if minor is None or minor == now.minor:
        return now
    return Key((now.tonic + (9 if minor else 3)) % 12, minor)


def _key(chance: Chance, intent: Intent, blend: Blend, memory: Memory) -> Key:
    if intent.key is not None:
        return intent.key
    if memory.pieces and memory.next_tonic is not None:
        announced = Key(memory.next_tonic, memory.next_minor)
        if intent.minor in (None, announced.minor) and not intent.refuses(announced):
            return announced
        last = Key(memory.pieces[-1].tonic, memory.pieces[-1].minor)
        return chance.pick(_near(last, memory, intent))
    tonic = chance.whole(0, 11)
    minor = _minor(chance, intent, blend)
    return next(k for by in range(12) if not intent.refuses(k := Key((tonic + 7 * by) % 12, minor)) or by == 11)


def _minor(chance: Chance, intent: Intent, blend: Blend) -> bool:
    if intent.minor is not None:
        return intent.minor
    return chance.yes(
        max(
            0.03,
            min(
                0.97,
                blend.number(lambda style: style.minor) - 0.75 * intent.mood("valence") - 0.15 * intent.mood("bright"),
            ),
        )
    )


def _near(key: Key, memory: Memory, intent: Intent) -> list[Key]:
    """Keys within two fifths that were not heard lately, of the mode if one is asked for."""
    lately = {(p.tonic, p.minor) for p in memory.pieces[-_KEY_GAP:]}
    every = [k for k in key.neighbours(2) if not intent.refuses(k)] or key.neighbours(2)
    return [k for k in every if (k.tonic, k.minor) not in lately and intent.minor in (None, k.minor)] or every


def _next_key(chance: Chance, intent: Intent, blend: Blend, memory: Memory, key: Key) -> Key:
    """The key of the piece after this one, so that this one can lead to it."""
    if intent.key is not None:
        return key
    lately = {(p.tonic, p.minor) for p in memory.pieces[-(_KEY_GAP - 1) :]} | {(key.tonic, key.minor)}
    minor = _minor(chance, intent, blend)
    near = [k for k in key.neighbours(2) if (k.tonic, k.minor) not in lately and not intent.refuses(k)]
    near = near or key.neighbours(2)
    return chance.pick([k for k in near if k.minor == minor] or near)


def _form(chance: Chance, memory: Memory) -> str:
    lately = {p.form for p in memory.pieces[-_FORM_GAP:]}
    return chance.pick([f for f in FORMS if f not in lately])


def _bars(chance: Chance, tempo: float, metre: Metre, length: Length) -> tuple[int, int]:
    """How many bars, and the frames of the ring after them. Music shorter than a bar ends inside its only one."""
    bar = metre.bar_frames(tempo)
    if length.frames is None:
        seconds = chance.between(SHORTEST_S + 12, LONGEST_S - 12)
        return 2 * round(seconds * RATE / bar / 2), 0
    if not length.last or length.frames < bar:
        return max(1, round(length.frames / bar)), 0
    return divmod(length.frames, bar)
