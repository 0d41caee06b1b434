"""Who plays: from wishes and styles to a band; knows nothing of keys, chords and forms."""

from __future__ import annotations

from ..chance import Chance
from ..prompts.intent import Wishes
from ..spec import Band, Role
from ..writing.groove import HATS
from .memory import Memory
from .styles import Blend, Style

_BASSES = ("upright_bass", "sub_bass", "synth_bass")
_COMPS = ("rhodes", "wurli", "felt_piano", "nylon_guitar", "pad")
LEADS = ("flute", "muted_trumpet", "synth_lead", "vibraphone", "music_box")
_HANDS = ("felt_piano", "nylon_guitar", "rhodes", "wurli", "pad", "vibraphone", "music_box")  # can play low notes too
_PAIR_GAP = 4


def cast(chance: Chance, wishes: Wishes, blend: Blend, memory: Memory) -> dict[Role, str]:
    """The instrument of each role; a role that nobody plays is absent."""
    avoid = set(wishes.avoid)
    wanted = list(wishes.instruments)
    if wishes.only and (wanted or wishes.parts or wishes.drums):
        return _only(wanted) | {r: i for r, i in _drawn(chance, wishes, blend).items() if r not in _only(wanted)}
    if wishes.only and wishes.ambience:  # "just rain": as little music as music can be
        return {"keys": "pad"}
    comps = hands_of(wishes) or [i for i in wanted if i == "pad"]
    leads = tunes_of(wishes)
    hands = blend.weights("keys")
    if comps:
        hands = {comps[0]: 1.0} if comps[0] != "pad" else {k: w for k, w in hands.items() if k != "pad"}
    tunes = blend.weights("lead")
    if comps and comps[0] != "pad":  # who was asked for sings, too
        tunes[comps[0]] = tunes.get(comps[0], 0.0) + 1.2
    if leads:
        tunes = {leads[0]: 1.0}
    pairs = {
        (keys, lead): a * b
        for keys, a in (_allowed(hands, avoid) or {"rhodes": 1.0}).items()
        for lead, b in (_allowed(tunes, avoid) or {"vibraphone": 1.0}).items()
    }
    keys, lead = chance.weighted(_fresh(pairs, memory) or pairs)
    others = {k: w for k, w in blend.weights("answer").items() if k != lead}
    answer = leads[1] if len(leads) > 1 else _draw(chance, others, avoid, "vibraphone")
    basses = basses_of(wishes)
    low = basses[0] if basses else _draw(chance, blend.weights("bass"), avoid, "sub_bass")
    best: dict[Role, str] = {"keys": keys, "bass": low, "lead": lead, "answer": answer, "pad": "pad"}
    if "pad" in avoid or best["keys"] == "pad":
        del best["pad"]
    if avoid & {"bass"} or best["bass"] in avoid:
        best.pop("bass", None)
    if "melody" in avoid:
        best.pop("lead", None)
        best.pop("answer", None)
    if "keys" in avoid:
        best.pop("keys", None)
    return {role: instrument for role, instrument in best.items() if instrument not in avoid or instrument in wanted}


def tunes_of(wishes: Wishes) -> list[str]:
    """Who was asked for and carries tunes: those made for it, else the second of those that play chords."""
    leads = [i for i in wishes.instruments if i in LEADS]
    return leads or [i for i in _hands(wishes) if i != "pad"][1:2]


def hands_of(wishes: Wishes) -> list[str]:
    """Who was asked for and plays chords."""
    hands = [i for i in _hands(wishes) if i != "pad" or len(_hands(wishes)) == 1]
    return [i for i in hands if i not in tunes_of(wishes)]


def basses_of(wishes: Wishes) -> list[str]:
    return [i for i in wishes.instruments if i in _BASSES]


def _hands(wishes: Wishes) -> list[str]:
    return [i for i in wishes.instruments if i in _COMPS]


def _drawn(chance: Chance, wishes: Wishes, blend: Blend) -> dict[Role, str]:
    """Players for the parts that were asked for by no more than their name."""
    avoid = set(wishes.avoid)
    drawn: dict[Role, str] = {}
    for part, role, otherwise in (
        ("bass", "bass", "sub_bass"),
        ("keys", "keys", "rhodes"),
        ("melody", "lead", "vibraphone"),
    ):
        if part in wishes.parts:
            drawn[role] = _draw(chance.of(part), blend.weights(role), avoid, otherwise)
    return drawn


def _only(wanted: list[str]) -> dict[Role, str]:
    """The named instruments share all the parts between them."""
    comps = [i for i in wanted if i in _COMPS]
    if not wanted:
        return {}
    leads = [i for i in wanted if i in LEADS]
    basses = [i for i in wanted if i in _BASSES]
    keys = comps[0] if comps else next((i for i in leads if i in _HANDS), "")
    band: dict[Role, str] = {}
    if keys:
        band["keys"] = keys
    tune = [*leads, *comps[1:]] or comps[:1] or basses[:1]
    band["lead"] = tune[0]
    if len(tune) > 1:
        band["answer"] = tune[1]
    if basses:
        band["bass"] = basses[0]
    elif keys in ("felt_piano", "nylon_guitar", "rhodes", "wurli"):
        band["bass"] = keys
    if "pad" in wanted and keys != "pad":
        band["pad"] = "pad"
    return band


def _allowed(weights: dict[str, float], avoid: set[str]) -> dict[str, float]:
    return {k: w for k, w in weights.items() if k not in avoid}


def _fresh(pairs: dict[tuple[str, str], float], memory: Memory) -> dict[tuple[str, str], float]:
    """The pairs not heard in the last pieces; where all were, those of longest ago."""
    for gap in range(_PAIR_GAP, 0, -1):
        heard = {(p.comp, p.lead) for p in memory.pieces[-gap:]}
        if fresh := {pair: w for pair, w in pairs.items() if pair not in heard}:
            return fresh
    return {}


def _draw(chance: Chance, weights: dict[str, float], avoid: set[str], otherwise: str) -> str:
    allowed = _allowed(weights, avoid)
    return chance.weighted(allowed) if allowed else otherwise


def make_band(chance: Chance, wishes: Wishes, blend: Blend, memory: Memory) -> Band:
    """The band and its manner."""
    draw = chance.of("manner")
    style = blend.draw(chance.of("style"))
    instruments = cast(chance.of("cast"), wishes, blend, memory)
    kits = wishes.kit or _kit(draw, style, wishes)
    low, high = blend.span("swing")
    swing = draw.between(low, high) + 0.05 * wishes.mood("swing")
    if wishes.mood("swing") > 0.3:
        swing = max(swing, 0.58)
    elif wishes.mood("swing") < -0.3:
        swing = 0.5
    bright = wishes.mood("bright")
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
    crackle = -120.0 if wishes.crackle <= -1.0 else -44.0 + 3.0 * wishes.crackle + draw.between(-2, 1)
    return Band(
        instruments=instruments,
        kit=kits,
        swing=round(max(0.5, min(0.67, swing)), 3),
        swing_unit=style.unit,
        feel_ms=feel,
        pan={"keys": -0.12 * side, "lead": 0.16 * side, "answer": -0.3 * side, "bass": 0.0, "pad": 0.0},
        wet=max(0.1, min(1.0, blend.number("wet") + 0.4 * wishes.mood("wet"))),
        warmth=max(0.1, min(1.0, blend.number("warmth") + 0.25 * wishes.mood("warm"))),
        wow=blend.number("wow"),
        cutoff_hz=max(5500.0, min(12000.0, blend.number("cutoff_hz") * 2.0 ** (0.5 * bright))),
        crackle_db=crackle,
        hiss_db=-120.0 if wishes.crackle <= -1.0 else -59.0,
        ambience_lufs={layer: -36.0 + 3.0 * min(2.0, weight) for layer, weight in wishes.ambience},
        drums_db=2.5 * wishes.mood("beat")
        + (-2.0 if wishes.mood("energy") < -0.3 else 0.0)
        - (1.0 if style.drums < 0.8 else 0.0),
        gate=style.gate,
        muted=tuple(d for d in ("kick", "snare", "hat") if d in wishes.avoid),
        levels_db=dict(wishes.levels_db),
    )


def _kit(chance: Chance, style: Style, wishes: Wishes) -> str:
    """One of the style's kits that is not refused."""
    refused = {k.removeprefix("kit ") for k in wishes.avoid if k.startswith("kit ")}
    for kits in (dict(style.kits), {"dusty": 2.0, "acoustic": 1.0}, {"electronic": 1.0, "brushes": 1.0}):
        if left := {k: w for k, w in kits.items() if k not in refused}:
            return chance.weighted(left)
    return "dusty"


def drum_limit(wishes: Wishes, blend: Blend) -> int:
    """The fullest that the drums may play, 0 … 3."""
    if "drums" in wishes.avoid or (wishes.only and not wishes.drums):
        return 0
    share = blend.number("drums")
    if wishes.drums:
        return 3 if share > 0.5 and wishes.mood("beat") > -0.3 else 2
    if wishes.mood("energy") < -0.65 or wishes.mood("dense") < -0.6:
        share -= 0.4
    return 0 if share < 0.2 else 1 if share < 0.45 else 2 if share < 0.75 else 3


def draw_hats(chance: Chance, blend: Blend, kit: str, wishes: Wishes) -> str:
    """How the cymbals go; brushes go round."""
    if wishes.hats:
        return wishes.hats
    if kit == "brushes":
        return "brushes"
    weights = {h: w for h, w in blend.weights("hats").items() if h != "brushes"}
    if "shaker" in wishes.avoid:  # the bossa's time is kept by one, too
        weights = {h: w for h, w in weights.items() if h not in ("shaker", "bossa")}
    weights = weights or {"eighths": 1.0}
    hats = chance.weighted(weights)
    assert hats in HATS
    return hats
