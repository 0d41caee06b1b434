"""Says in the parser's grammar what people say in other ways.

::

    too much piano, too many drums, hardly any drums    less piano, less drums
    the piano is too loud, drums too quiet              piano quieter, drums louder
    too fast, too sad                                   slower, not sad
    not enough bass, not loud enough                    more bass, louder
    drums? no.  sax, but not too loud                   drums off, sax softly
    rain, no music                                      rain, no instruments
    switch from piano to guitar                         replace piano for guitar
    no instruments except piano                         no instruments but piano
    piano, no other instruments                         piano, nothing else
    replace the drums with brushes                      with brushes
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .phrases import LONGEST, Tokens, phrase_at, thing_before
from .vocabulary import NEGATED_AFTER, NEGATIONS, PHRASES

_SOUNDS = frozenset(("instrument", "part", "ambience", "crackle"))
_THINGS = _SOUNDS | {"style"}
_ENDS = (",", ";")
_DRUMS = ("drums", "kick", "snare", "hat")
_JOINTS = ("and", "or", "but")
_ARTICLES = ("a", "an", "the", "of", "my", "any", "more", "some", "this", "that")
_COPULAS = (
    "is", "are", "was", "were", "sounds", "seems", "sound", "seem", "feels", "way", "far", "a", "bit", "little",
    "much", "just", "still", "getting", "slightly", "it's", "and",
)  # fmt: skip
_NOT = frozenset(("not", "never", "nothing", "don't", "dont", "isn't", "isnt", "aren't", "arent", "without", "no"))
_OPPOSITE = {
    **dict.fromkeys(("loud", "louder", "noisy", "prominent", "dominant", "high"), "quieter"),
    **dict.fromkeys(("quiet", "quieter", "soft", "softer", "weak", "low"), "louder"),
    **dict.fromkeys(("fast", "faster", "quick", "rushed", "hurried"), "slower"),
    **dict.fromkeys(("slow", "slower", "sluggish"), "faster"),
}
_MORE_OF = {"loud": "louder", "quiet": "quieter", "soft": "quieter", "fast": "faster", "quick": "faster",
            "slow": "slower"}  # fmt: skip
_NO_MUSIC = ("no", "not", "without", "sans", "stop", "mute", "silence", "zero", "remove", "off")
_ANYTHING = frozenset(("instruments", "instrument", "instrumentation", "music", "sounds", "sound", "parts"))
_EXCEPT = (
    ("except", "for"),
    ("except",),
    ("besides",),
    ("apart", "from"),
    ("other", "than"),
    ("save", "for"),
)
OBJECT, SWAPPED = "§", "§swap"  # "A § B §swap": in Japanese and Korean, A is to become B
_VERY_LITTLE = ["very", "little"]
_REPLACED = frozenset(
    (("replaced", "by"), ("replaced", "with"), ("swapped", "for"), ("changed", "to"), ("changed", "into"))
)
_REPLACING = frozenset(
    ("replace", "swap", "switch", "change", "exchange", "trade", "convert", "turn", "move", "go", "substitute")
)


def rephrased(words: Sequence[str]) -> list[str]:
    """Tokens in English as the parser reads them; what it reads anyway comes back as it is."""
    out = list(words)
    for step in (_replacements, _replaced, _exceptions, _excesses, _shortages, _afterthoughts, _no_music):
        out = step(out)
    return out


def _thing_at(words: Tokens, at: int) -> tuple[int, int]:
    """Where the thing that comes next, articles apart, begins and ends; twice the same place if none does."""
    while words[at : at + 1] and words[at] in _ARTICLES:
        at += 1
    phrase, length = phrase_at(words, at)
    return (at, at + length) if phrase is not None and _THINGS & set(PHRASES[phrase]) else (at, at)


def _last_thing(words: Tokens) -> int:
    """Where the thing begins that these words end with; their number if they end with none."""
    for length in range(min(LONGEST, len(words)), 0, -1):
        phrase, reach = phrase_at(words, len(words) - length)
        if phrase is not None and reach == length and _THINGS & set(PHRASES[phrase]):
            return len(words) - length
    return len(words)


def _replace(one: Tokens, other: Tokens) -> list[str]:
    """ "replace A for B"; of drums, only what they are played with changes: brushes, another kit."""
    if _drums(one) and _drums(other):
        return ["with", *other]
    return ["replace", *one, "for", *other]


def _drums(words: Tokens) -> bool:
    """Whether drums, or what drums are played with, are among these words."""
    return any(one.get("part") in _DRUMS or {"kit", "hats"} & set(one) for one in _effects(words))


def _names_players(words: Tokens) -> bool:
    """Whether an instrument or a part is named."""
    return any({"instrument", "part"} & set(one) for one in _effects(words))


def _effects(words: Tokens) -> Iterator[Mapping[str, Any]]:
    """What each phrase among these words means."""
    return (PHRASES[phrase] for i in range(len(words)) if (phrase := phrase_at(words, i)[0]) is not None)


def _replacements(words: list[str]) -> list[str]:
    """ "switch from A to B", "trade A for B" as "replace A for B"; "substitute B for A" as "B instead of A"."""
    out: list[str] = []
    i = 0
    while i < len(words):
        start, end = (0, 0)
        if words[i] in _REPLACING:
            start, end = _thing_at(words, i + 1 + (words[i + 1 : i + 2] == ["from"]))
        joint = words[end : end + 1]
        if end > start and joint and joint[0] in ("to", "into", "for", "with", "by"):
            other, last = _thing_at(words, end + 1)
            until = next((k for k in range(end + 1, len(words)) if words[k] in (*_ENDS, "and")), len(words))
            if words[i] != "substitute" and _drums(words[start:end]) and _drums(words[end + 1 : until]):
                out.append("with")  # as their kit, or in their manner: they play on
                i = end + 1
                continue
            if last > other:
                first, second = words[start:end], words[other:last]
                if words[i] == "substitute" and joint == ["for"]:
                    out += [*first, "instead", "of", *second]
                else:
                    out += _replace(first, second)
                i = last
                continue
        if words[i : i + 3] == ["music", "none", "for"]:  # in Chinese, "the music is to become"
            i += 3
            continue
        if words[i : i + 3] == ["in", "place", "of"]:
            out += ["instead", "of"]
            i += 3
            continue
        out.append(words[i])
        i += 1
    return out


def _replaced(words: list[str]) -> list[str]:
    """ "A replaced by B", "swap in B for A" and what Japanese and Korean say with particles, as "replace A for B"."""
    out: list[str] = []
    i = 0
    while i < len(words):
        pair, begin = tuple(words[i : i + 2]), _last_thing(out)
        other, end = _thing_at(words, i + 2) if pair in _REPLACED or pair == ("swap", "in") else (0, 0)
        if end > other and pair == ("swap", "in"):
            gone, after = _thing_at(words, end + 1)
            if words[end : end + 1] == ["for"] and after > gone:
                out += _replace(words[gone:after], words[other:end])
                end = after
            else:
                out += ["add", *words[other:end]]
            i = end
        elif end > other and begin < len(out):
            out[begin:] = _replace(out[begin:], words[other:end])
            i = end
        elif words[i] == SWAPPED:
            before = _last_thing(out[: begin - 1])
            if before < begin - 1 and out[begin - 1] == OBJECT and begin < len(out):
                out[before:] = _replace(out[before : begin - 1], out[begin:])
            i += 1
        else:
            out.append(words[i])
            i += 1
    return [word for word in out if word != OBJECT]


def _exceptions(words: list[str]) -> list[str]:
    """ "no instruments except piano" as "no instruments but piano"; "piano, no other instruments" as "nothing else"."""
    out: list[str] = []
    i = 0
    while i < len(words):
        at = i + 1
        while words[i] in _NO_MUSIC and words[at : at + 1] and words[at] in ("any", "other", "the", "of", "all"):
            at += 1
        if words[i] not in _NO_MUSIC or words[at : at + 1] == [] or words[at] not in _ANYTHING:
            out.append(words[i])
            i += 1
            continue
        after = at + 1 + 2 * (words[at + 1 : at + 3] == ["at", "all"])
        after += words[after : after + 1] in ([","], [";"])
        length = next((len(form) for form in _EXCEPT if tuple(words[after : after + len(form)]) == form), 0)
        start, end = _thing_at(words, after + length)
        if length and end > start:
            out += ["no", words[at], "but"]
            i = after + length
        elif (
            "other" in words[i:at]
            and words[at].startswith("instrument")
            and _ends(words, at + 1)
            and _names_players(out)
        ):
            out += ["nothing", "else"]
            i = at + 1
        else:
            out.append(words[i])
            i += 1
    return out


def _ends(words: Tokens, at: int) -> bool:
    """Whether a part of the prompt ends here, but for politeness."""
    return words[at : at + 1] in ([], [","], [";"], ["please"], ["at"], ["thanks"])


def _after_a_sound(out: list[str]) -> bool:
    """Whether these words end with a sound that is wanted and, perhaps, "is"; the "is" goes then."""
    bare = list(out)
    while bare and bare[-1] in _COPULAS and not thing_before(bare):
        bare.pop()
    if not _names_a_sound(bare):
        return False
    out[:] = bare
    return True


def _excesses(words: list[str]) -> list[str]:
    """What is too much, too loud, too fast, as a wish for less of it."""
    out: list[str] = []
    i = 0
    while i < len(words):
        after = words[i + 1] if i + 1 < len(words) else ""
        if words[i] != "too" or (out and out[-1] in _NOT) or not after:
            out.append(words[i])
            i += 1
            continue
        start, end = _thing_at(words, i + 2)
        if after in ("much", "many"):
            out += ["less"] if end > start or not _after_a_sound(out) else ["quieter"]
            i += 2
        elif after in _OPPOSITE:
            opposite = _OPPOSITE[after]
            if end == start:
                _after_a_sound(out)
            out.append(opposite)
            i += 2
        else:
            phrase, _ = phrase_at(words, i + 1)
            if phrase is None or not PHRASES[phrase]:
                out.append("too")
            else:
                out.append("less" if _SOUNDS & set(PHRASES[phrase]) else "not")
            i += 1
    return out


def _shortages(words: list[str]) -> list[str]:
    """What there is not enough of, as a wish for more; what there is hardly any of, as one for less."""
    out: list[str] = []
    i = 0
    while i < len(words):
        pair = words[i : i + 2]
        if pair in (
            ["hardly", "any"],
            ["barely", "any"],
            ["scarcely", "any"],
            ["almost", "no"],
            ["nearly", "no"],
            _VERY_LITTLE,
        ):
            out.append("less")
            i += 2
        elif pair == ["a", "few"]:
            i += 2
        elif words[i] == "enough" and (denied := _denial(out)) is not None:
            del out[denied]
            if _thing_at(words, i + 1)[1] == _thing_at(words, i + 1)[0] and _after_a_sound(out):
                out.append("louder")
            else:
                out.append("more")
            i += 1
        elif words[i + 1 : i + 2] == ["enough"] and out and out[-1] in _NOT:
            out.pop()
            if words[i] in _MORE_OF:
                _after_a_sound(out)
                out.append(_MORE_OF[words[i]])
            else:
                out += ["more", words[i]]
            i += 2
        else:
            out.append(words[i])
            i += 1
    return out


def _denial(out: Tokens) -> int | None:
    """Where the "not" of "not enough" stands: directly before, or before a verb ("don't hear enough")."""
    for back in range(1, min(3, len(out)) + 1):
        if out[-back] in (*_ENDS, *_JOINTS):
            break
        if out[-back] in _NOT:
            return len(out) - back
    return None


def _afterthoughts(words: list[str]) -> list[str]:
    """Words after a thing that belong to it: "drums? no." as "drums off", "sax, but not too loud" as "sax softly"."""
    out: list[str] = []
    i = 0
    while i < len(words):
        at = i
        while at < i + 2 and words[at : at + 1] in ([","], [";"], ["but"], ["and"]):
            at += 1
        length = 3 if words[at + 1 : at + 2] in (["too"], ["so"]) else 2
        softer = words[at : at + 1] == ["not"] and words[at + length - 1 : at + length] == ["loud"]
        length = length if softer else 1
        ends = words[at + length : at + length + 1] in ([], [";"], [","], ["and"])
        if ends and softer and _names_a_sound(out):
            out.append("softly")
        elif ends and words[at : at + 1] in (["softer"], ["quieter"], ["louder"]) and _names_a_sound(out):
            out.append("louder" if words[at] == "louder" else "softly" if at > i else words[at])
        elif at > i and words[at : at + 1] == ["no"] and words[at + 1 : at + 2] in ([], [";"]) and _names_a_sound(out):
            out.append("off")
        elif at == i and ends and words[at] in ("more", "remove") and _names_a_sound(out):  # as other languages say it
            out.append("louder" if words[at] == "more" else "off")
        else:
            out.append(words[i])
            at, length = i, 1
        i = at + length
    return out


def _names_a_sound(words: Tokens) -> bool:
    """Whether these words end with an instrument or a part, and nothing in them refuses it."""
    if any(word in NEGATIONS for word in words):
        return False
    return bool({"instrument", "part", "ambience"} & thing_before(words))


def _no_music(words: list[str]) -> list[str]:
    """Music that is not wanted as instruments that are not: rain alone sounds."""
    out: list[str] = []
    for i, word in enumerate(words):
        ends = words[i + 1 : i + 2] in ([], [","], [";"], ["and"], ["but"], ["or"], ["please"], ["just"], ["only"])
        if word == "music" and phrase_at(words[: i + 1], max(0, i - 1))[1] < 2:
            before = len(out)
            while before and out[before - 1] in _ARTICLES:
                before -= 1
            denied = before > 0 and out[before - 1] in _NO_MUSIC and out[max(0, before - 2)] not in ("don't", "dont")
            if (denied and ends) or (words[i + 1 : i + 2] and words[i + 1] in NEGATED_AFTER):
                word = "instruments"
        out.append(word)
    return out
