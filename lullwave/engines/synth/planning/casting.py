"""Casts the band: which instrument plays which role, on which kit and with what feel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from ..catalogue.drums import KITS, KitName
from ..catalogue.instruments import INSTRUMENTS, Family, InstrumentName, Role
from ..catalogue.productions import PRODUCTIONS, ProductionName
from ..chance import Chance
from ..prompts.intent import Intent
from ..score import Ambience
from ..spec import Band
from ..writing.groove import HATS
from .blend import Blend
from .memory import Memory
from .styles import Style

PAD: InstrumentName = "pad"  # holds chords in the background where the prompt names nothing for it
_PLACE_OF_STYLE = 1.0  # weight of an ambience that a style brings, as of one that is asked for
_BARE = 0.3  # how likely a named melody plays over drums and bass without chords
_PAIR_GAP = 4  # pieces before the same pair of chord player and melody player may return

_BEHIND_BEAT_DB = -12.0  # of melodic parts where the beat leads
_BEHIND_SOLO_DB = -8.0  # of chords behind a soloist, beside what they are behind anything named
_FAMILY_WEIGHTS: dict[Family, float] = {"synths": 1.5, "mallets": 0.7}  # as beds; the others 1
_STRUCK: tuple[Family, ...] = ("pianos", "plucked", "mallets")  # families too percussive to hold chords
_OPEN: tuple[Family, ...] = ("plucked", "mallets", "synths")  # families whose chords leave room for drums

_Pair = tuple[InstrumentName, InstrumentName]  # chord player, melody player


def cast(chance: Chance, intent: Intent, blend: Blend, memory: Memory) -> dict[Role, InstrumentName]:
    """The instrument of each role; a role without a player is absent."""
    avoid = set(intent.avoid.names)
    named = list(intent.instruments)
    if (intent.only or "instruments" in avoid) and (named or intent.parts or intent.drums):
        shared = _shared(named, intent.parts)
        return shared | {r: i for r, i in _drawn(chance, intent, blend).items() if r not in shared}
    if "instruments" in avoid or (intent.only and intent.ambience):  # "only rain": no band
        return {}
    chords = [i for i in chord_players(intent) if not is_pad(i)]
    melodies, basses = melody_players(intent), bass_players(intent)
    featured = featured_players(intent)
    free = not intent.styles or chance.of("open").yes(blend.number(lambda style: style.open))
    previous = memory.pieces[-1].comp if memory.pieces else ""
    keys_weights = every_player(("keys", "pad"), previous) if free else blend.weights(lambda style: style.keys)
    pads = [name for name in named if is_pad(name)]
    if chords or pads:
        keys_weights = {(chords or pads)[0]: 1.0}
    elif featured and free:  # sustained chords under the named melody
        keys_weights = {k: w for k, w in keys_weights.items() if k not in named}
        if intent.drums:  # bowed, sung and blown chords would cover the drums
            keys_weights = {k: w for k, w in keys_weights.items() if INSTRUMENTS[k].family in _OPEN}
        elif own := INSTRUMENTS[featured[0]].bed:
            keys_weights = dict.fromkeys(own, 1.0)
        else:
            keys_weights = {k: w for k, w in keys_weights.items() if INSTRUMENTS[k].family not in _STRUCK}
    elif beat_leads(intent) and free:  # short chords, which leave the room to the drums
        struck = {k: w for k, w in keys_weights.items() if INSTRUMENTS[k].family in _STRUCK}
        keys_weights = {k: w for k, w in struck.items() if not INSTRUMENTS[k].comps}
    lead_weights = every_player(("lead",), "") if free else blend.weights(lambda style: style.lead)
    if chords:  # a named chord player also plays the melody, unless another is named
        lead_weights = {chords[0]: 1.0}
    elif pads and "lead" in INSTRUMENTS[pads[0]].roles:  # strings and choirs sing over their own chords
        lead_weights = {pads[0]: 1.0}
    if melodies:
        lead_weights = {melodies[0]: 1.0}
    pairs = {
        (keys, lead): a * b
        for keys, a in (_allowed(keys_weights, avoid) or {PAD: 1.0}).items()
        for lead, b in (_allowed(lead_weights, avoid) or {"vibraphone": 1.0}).items()
        if keys != lead or chords or len(lead_weights) == 1
    } or {(PAD, "vibraphone"): 1.0}
    keys, lead = chance.weighted(_fresh(pairs, memory) or pairs)
    others = {k: w for k, w in blend.weights(lambda style: style.answer).items() if k not in (keys, lead)}
    band: dict[Role, InstrumentName] = {"keys": keys}
    if basses:
        band["bass"] = basses[0]
    elif low := blend.weights(lambda style: style.bass):
        band["bass"] = _draw(chance, low, avoid, "sub_bass")
    elif "bass" in intent.parts:
        band["bass"] = "bowed_bass"
    band["lead"] = lead
    if len(melodies) > 1:
        band["answer"] = melodies[1]
    elif not featured:
        band["answer"] = _draw(chance, others, avoid, "vibraphone")
    if pads and (not is_pad(keys) or "keys" in avoid):
        band["pad"] = pads[0]
    elif not is_pad(keys) and blend.number(lambda style: style.pad) > 0.0:
        band["pad"] = PAD
    beat = free and blend.number(lambda style: style.drums) > 0.65 and "drums" not in avoid
    if melodies and beat and not (chords or pads or "keys" in intent.parts) and chance.of("bare").yes(_BARE):
        band = {role: player for role, player in band.items() if role not in ("keys", "pad")}
    refused: dict[str, tuple[Role, ...]] = {
        "pad": ("pad",), "bass": ("bass",), "melody": ("lead", "answer"), "keys": ("keys",),
    }  # fmt: skip
    gone = {role for part, roles in refused.items() if part in avoid for role in roles}
    if {"keys", "bass", "melody"} <= avoid and not pads and drum_limit(intent, blend):
        gone.add("pad")  # the drums alone are meant
    return {r: i for r, i in band.items() if r not in gone and (i not in avoid or (i in named and r != "bass"))}


def every_player(roles: tuple[Role, ...], previous: str) -> dict[InstrumentName, float]:
    """All instruments of the catalogue that can take one of the roles, the families with equal chances.

    The family of ``previous``, the chord player of the last piece, gets a fifth of its chance, so that palettes rotate.
    """
    players = [one for one in INSTRUMENTS.values() if set(roles) & set(one.roles)]
    before = next((one.family for one in players if one.name == previous), None)
    sizes: dict[str, float] = defaultdict(float)
    for one in players:
        sizes[one.family] += one.unasked
    return {
        one.name: _FAMILY_WEIGHTS.get(one.family, 1.0)
        * (one.unasked / sizes[one.family])
        * (0.2 if one.family == before else 1.0)
        for one in players
    }


def beat_leads(intent: Intent) -> bool:
    """Whether the drums are what the prompt asks for: it names neither a style nor anything melodic."""
    return intent.drums and not (intent.styles or intent.instruments or intent.parts)


def unaccompanied(intent: Intent) -> bool:
    """Whether the prompt names one player of melodies from chamber music and nothing that would play with it.

    Such a piece begins with the player alone, and its accompaniment stays far behind.
    """
    if len(intent.instruments) != 1 or intent.styles or intent.parts or intent.drums or intent.kit:
        return False
    one = INSTRUMENTS[intent.instruments[0]]
    return one.roles == ("lead",) and one.style == "classical"


def featured_players(intent: Intent) -> tuple[InstrumentName, ...]:
    """The named instruments that are mixed in front: no basses, and pads only if nothing else is named."""
    named = [name for name in intent.instruments if INSTRUMENTS[name].role != "bass"]
    return tuple([name for name in named if not is_pad(name)] or named)


def leads_by_name(band: Band) -> bool:
    """Whether the melody is played by an instrument that the prompt names and that is made for it."""
    lead = band.instruments.get("lead")
    return lead is not None and lead in band.featured and INSTRUMENTS[lead].role in ("lead", "pad")


def is_pad(name: InstrumentName) -> bool:
    """Whether an instrument holds chords in the background."""
    return INSTRUMENTS[name].role == "pad"


def pad_plays_chords(band: Band) -> bool:
    """Whether the chords are held by a pad, which has no rhythm."""
    keys = band.instruments.get("keys")
    return keys is not None and is_pad(keys)


def melody_players(intent: Intent) -> list[InstrumentName]:
    """The named instruments that play the melody: those made for it, else the second of those that play chords."""
    leads = [i for i in intent.instruments if INSTRUMENTS[i].role == "lead"]
    return leads or [i for i in _accompanists(intent.instruments) if not is_pad(i)][1:2]


def chord_players(intent: Intent) -> list[InstrumentName]:
    """The named instruments that play the chords; a pad only where it is the only one named for them."""
    players = _accompanists(intent.instruments)
    melodies = melody_players(intent)
    return [i for i in players if (not is_pad(i) or len(players) == 1) and i not in melodies]


def bass_players(intent: Intent) -> list[InstrumentName]:
    """The named basses."""
    return [i for i in intent.instruments if INSTRUMENTS[i].role == "bass"]


def _accompanists(names: Sequence[InstrumentName]) -> list[InstrumentName]:
    return [i for i in names if INSTRUMENTS[i].role in ("keys", "pad")]


def _drawn(chance: Chance, intent: Intent, blend: Blend) -> dict[Role, InstrumentName]:
    """Players for the parts ("bass") that the prompt names without an instrument."""
    avoid = set(intent.avoid.names)
    drawn: dict[Role, InstrumentName] = {}
    if "bass" in intent.parts:
        drawn["bass"] = _draw(chance.of("bass"), blend.weights(lambda style: style.bass), avoid, "sub_bass")
    if "keys" in intent.parts:
        drawn["keys"] = _draw(chance.of("keys"), blend.weights(lambda style: style.keys), avoid, "rhodes")
    if "melody" in intent.parts:
        drawn["lead"] = _draw(chance.of("melody"), blend.weights(lambda style: style.lead), avoid, "vibraphone")
    return drawn


def _shared(named: list[InstrumentName], parts: Sequence[str]) -> dict[Role, InstrumentName]:
    """All roles shared among the named instruments alone; a bass that is asked for beside them is left to another."""
    if not named:
        return {}
    chords = _accompanists(named)
    leads = [i for i in named if INSTRUMENTS[i].role == "lead"]
    basses = [i for i in named if INSTRUMENTS[i].role == "bass"]
    keys = chords[0] if chords else next((i for i in leads if "keys" in INSTRUMENTS[i].roles), None)
    band: dict[Role, InstrumentName] = {}
    if keys is not None:
        band["keys"] = keys
    melodies = [*leads, *chords[1:]] or chords[:1] or basses[:1]
    band["lead"] = melodies[0]
    if len(melodies) > 1:
        band["answer"] = melodies[1]
    if basses:
        band["bass"] = basses[0]
    elif keys is not None and "bass" in INSTRUMENTS[keys].roles and "bass" not in parts:
        band["bass"] = keys
    pads = [i for i in named if is_pad(i) and i != keys]
    if pads:
        band["pad"] = pads[0]
    return band


def _allowed(weights: dict[InstrumentName, float], avoid: set[str]) -> dict[InstrumentName, float]:
    return {k: w for k, w in weights.items() if k not in avoid}


def _fresh(pairs: dict[_Pair, float], memory: Memory) -> dict[_Pair, float]:
    """The pairs that the last pieces did not use; if all were used, those used longest ago."""
    for gap in range(_PAIR_GAP, 0, -1):
        heard = {(p.comp, p.lead) for p in memory.pieces[-gap:]}
        if fresh := {pair: w for pair, w in pairs.items() if pair not in heard}:
            return fresh
    return {}


def _draw(
    chance: Chance, weights: dict[InstrumentName, float], avoid: set[str], otherwise: InstrumentName
) -> InstrumentName:
    allowed = _allowed(weights, avoid)
    return chance.weighted(allowed) if allowed else otherwise


def make_band(chance: Chance, intent: Intent, blend: Blend, memory: Memory, keep: ProductionName | None = None) -> Band:
    """The band and its manner; ``keep`` is the current production, used unless the prompt names another."""
    draw = chance.of("manner")
    style = blend.draw(chance.of("style"))
    instruments = cast(chance.of("cast"), intent, blend, memory)
    kit = intent.kit or _kit(draw, style, intent)
    low, high = blend.span(lambda style: style.swing)
    swing = draw.between(low, high)
    asked = intent.mood("swing")
    if asked > 0.0:  # 0.54 light, 0.61 swung, 0.66 the triplet's
        swing = 0.51 + 0.15 * asked + 0.02 * min(asked, 0.5)
    elif asked < 0.0:
        swing = max(0.5, swing + 0.2 * asked)
    bright = intent.mood("bright")
    production = PRODUCTIONS[intent.production or keep or _production(draw.of("production"), intent, blend)]
    feel = {
        "kick": draw.between(-4, 6),
        "snare": draw.between(8, 20),
        "hat": draw.between(-6, 8),
        "bass": draw.between(5, 13),
        "keys": draw.between(5, 18),
        "lead": draw.between(6, 20),
        "answer": draw.between(6, 20),
        "pad": 0.0,
    }
    side = 1.0 if draw.yes(0.5) else -1.0
    near = side * production.width
    crackle = -47.0 + 3.0 * intent.crackle + production.crackle_db + draw.between(-2, 1)
    return Band(
        instruments=instruments,
        kit=kit,
        swing=round(max(0.5, min(0.67, swing)), 3),
        swing_unit=style.unit,
        feel_ms=feel,
        pan={"keys": -0.1 * near, "lead": 0.12 * near, "answer": -0.55 * side, "bass": 0.0, "pad": 0.0},
        wet=max(0.1, min(1.0, blend.number(lambda style: style.wet) + 0.4 * intent.mood("wet") + production.wet)),
        warmth=max(
            0.1,
            min(1.0, blend.number(lambda style: style.warmth) + 0.25 * intent.mood("warm") + production.warmth),
        ),
        wow=min(1.0, blend.number(lambda style: style.wow) * production.wow),
        cutoff_hz=max(
            min(4800.0, production.cutoff_hz),
            min(
                14000.0,
                blend.number(lambda style: style.cutoff_hz) * production.cutoff_hz / 10000.0 * 2.0 ** (0.5 * bright),
            ),
        ),
        crackle_db=-120.0 if intent.crackle <= -1.0 else crackle,
        hiss_db=-120.0 if intent.crackle <= -1.0 else -59.0,
        ambience_lufs={layer: -36.0 + 3.0 * min(2.0, weight) for layer, weight in _places(draw, style, intent)},
        drums_db=2.5 * intent.mood("beat")
        + (1.5 if beat_leads(intent) else 0.0)
        + (-2.0 if intent.mood("energy") < -0.3 else 0.0)
        - (1.0 if style.drums < 0.8 else 0.0),
        gate=style.gate,
        muted=tuple(d for d in ("kick", "snare", "hat") if d in intent.avoid.names),
        levels_db=_levels_db(intent),
        production=production.name,
        featured=featured_players(intent),
    )


def _places(chance: Chance, style: Style, intent: Intent) -> tuple[tuple[Ambience, float], ...]:
    """The ambience that is asked for, or one that belongs to the style."""
    left = {name: w for name, w in style.ambience.items() if not {name, "ambience"} & set(intent.avoid.names)}
    if intent.ambience or not left:
        return intent.ambience
    return ((chance.of("place").weighted(left), _PLACE_OF_STYLE),)


def _levels_db(intent: Intent) -> dict[str, float]:
    """Levels of instruments and parts as they are asked for, behind a beat or a soloist that leads."""
    levels = dict.fromkeys(("keys", "melody", "pad"), _BEHIND_BEAT_DB) if beat_leads(intent) else {}
    if unaccompanied(intent):
        levels |= {"keys": _BEHIND_SOLO_DB, "pad": _BEHIND_SOLO_DB}
    for name, level in intent.levels_db:
        levels[name] = levels.get(name, 0.0) + level
    return levels


def _production(chance: Chance, intent: Intent, blend: Blend) -> ProductionName:
    """One of the styles' productions; darkness and brightness pull to their side."""
    weights = blend.weights(lambda style: style.productions)
    bright = intent.mood("bright")
    pull: dict[ProductionName, float] = {"night": -bright, "bright": bright, "clean": 0.5 * bright}
    weights = {name: w * 4.0 ** pull.get(name, 0.0) for name, w in weights.items()}
    if intent.crackle > 0.0:
        weights = {name: w * (3.0 if name in ("dusty", "tape") else 1.0) for name, w in weights.items()}
    return chance.weighted(weights)


def _kit(chance: Chance, style: Style, intent: Intent) -> KitName:
    """One of the style's kits that is not refused."""
    refused = intent.avoid.kits
    others: tuple[Mapping[KitName, float], ...] = ({"dusty": 2.0, "acoustic": 1.0}, {"electronic": 1.0, "brushes": 1.0})
    for kits in (style.kits, *others):
        if left := {k: w for k, w in kits.items() if k not in refused}:
            return chance.weighted(left)
    return "dusty"


def drum_limit(intent: Intent, blend: Blend) -> int:
    """The fullest that the drums may play, 0 … 3."""
    if "drums" in intent.avoid.names or ((intent.only or "instruments" in intent.avoid.names) and not intent.drums):
        return 0
    share = blend.number(lambda style: style.drums)
    if intent.drums:
        return 3 if share > 0.5 and intent.mood("beat") > -0.3 else 2
    if intent.mood("energy") < -0.65 or intent.mood("dense") < -0.6:
        share -= 0.4
    return 0 if share < 0.2 else 1 if share < 0.45 else 2 if share < 0.75 else 3


def draw_hats(chance: Chance, blend: Blend, kit: KitName, intent: Intent) -> str:
    """How the cymbals go; brushes go round."""
    if intent.hats:
        return intent.hats
    if KITS[kit].brushed:
        return "brushes"
    weights = {h: w for h, w in blend.weights(lambda style: style.hats).items() if h != "brushes"}
    if "shaker" in intent.avoid.names:  # the bossa's time is kept by one, too
        weights = {h: w for h, w in weights.items() if h not in ("shaker", "bossa")}
    weights = weights or {"eighths": 1.0}
    hats = chance.weighted(weights)
    assert hats in HATS
    return hats
