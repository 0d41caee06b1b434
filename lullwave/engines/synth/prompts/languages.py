"""Reads words of other languages as the English ones that the vocabulary has; the words are in ``languages.toml``.

Case and accents do not matter. Chinese, Japanese and Korean are cut into the longest known words. A word that means
different things in different languages counts only beside another word of its language, and so does another form of a
word (``inflections``), unless nothing else in the prompt is English.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files

from .inflections import SHORTEST_STEM, compound, stems
from .vocabulary import FILLER, PHRASES, STOPS

_UNSPACED = r"\u3005\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # kana, Han and Hangul
_RUN = re.compile(rf"[{_UNSPACED}]+")
_EDGE = re.compile(rf"(?<=[{_UNSPACED}])(?=[^{_UNSPACED}\s])|(?<=[^{_UNSPACED}\s])(?=[{_UNSPACED}])")
_SPLITS = re.compile(r"[の\u3400-\u9fff]")  # single signs that are words wherever they stand
_ELIDED = re.compile(r"(?:[dljnsm]|un|qu|dell|all|nell|sull|dall)'(?=\w)")  # l'orgue, dell'alba
_ARABIC_PREFIX = re.compile("^(وال|بال|ال|لل|و|ب)(?=..)")
_LONGEST = 4  # words of a phrase

_GRAMMAR = FILLER | STOPS

_Phrase = tuple[str, ...]


@dataclass(frozen=True)
class _Lexicon:
    """What the words of all languages mean, by folded words."""

    spaced: Mapping[_Phrase, tuple[str, str]]  # language, English
    shared: Mapping[str, Mapping[_Phrase, str]]  # by language: words that are ambiguous alone
    before: Mapping[str, Mapping[str, str]]  # by language: words that count directly before a thing
    listed: Mapping[str, frozenset[str]]  # by language: its single words, whichever other has them too
    unspaced: Mapping[str, str]
    single: frozenset[str]  # the words of all languages that stand alone, ambiguous ones too
    stems: Mapping[str, Mapping[str, str]]  # by language: English, by the stems of its single words
    longest: int  # characters of the longest entry of ``unspaced``


@cache
def _lexicon() -> _Lexicon:
    spaced: dict[_Phrase, tuple[str, str]] = {}
    shared: dict[str, dict[_Phrase, str]] = {}
    before: dict[str, dict[str, str]] = {}
    listed: dict[str, frozenset[str]] = {}
    unspaced: dict[str, str] = {}
    stemmed: dict[str, dict[str, str]] = {}
    text = files(__package__).joinpath("languages.toml").read_text(encoding="utf-8")
    for language, entries in tomllib.loads(text).items():
        alone = {english: words for english, words in entries.items() if isinstance(words, str)}
        before[language] = dict(_pairs(entries.get("before", {})))
        listed[language] = frozenset(word for word, english in _pairs(alone) if english)
        for word, english in _pairs(alone):
            if _RUN.fullmatch(word):
                unspaced.setdefault(word, english)
            else:
                spaced.setdefault(tuple(word.split()), (language, english))
                if english and " " not in word:
                    for stem in stems(word, language):
                        stemmed.setdefault(language, {}).setdefault(stem, english)
        shared[language] = {tuple(word.split()): english for word, english in _pairs(entries.get("shared", {}))}
    phrases = [*spaced, *(phrase for table in shared.values() for phrase in table)]
    single = frozenset(phrase[0] for phrase in phrases if len(phrase) == 1)
    return _Lexicon(spaced, shared, before, listed, unspaced, single, stemmed, max(map(len, unspaced)))


def _pairs(entries: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    return ((fold(word.strip()), english) for english, words in entries.items() for word in words.split(","))


def fold(text: str) -> str:
    """Small letters without accents; signs of scripts without blanks as they are."""
    out = []
    for sign in unicodedata.normalize("NFKC", text).lower():
        apart = sign if _RUN.match(sign) else unicodedata.normalize("NFKD", sign)
        out.append("".join(a for a in apart if not unicodedata.combining(a)) or sign)
    return "".join(out)


def apart(text: str) -> str:
    """The text with a blank where a script without blanks meets another: "80bpmのピアノ" names a tempo."""
    return _EDGE.sub(" ", text)


def in_english(words: Sequence[str], known: Iterable[str]) -> list[str]:
    """The words in English where a language has them; the others as they are.

    Single words in ``known`` (the English vocabulary) are never read as another language's.
    """
    lexicon, english = _lexicon(), frozenset(known)
    folded = [fold(word) for word in words]
    spoken = {lexicon.spaced[p][0] for i in range(len(words)) if (p := _longest(folded, i, lexicon.spaced, english))}
    likely = [one for one in lexicon.stems if one in spoken]
    if not (english & set(words)) - lexicon.single:
        likely += [one for one in lexicon.stems if one not in spoken]
    out: list[str] = []
    i = 0
    while i < len(words):
        if meaning := _before_a_thing(folded, i, lexicon, english):
            out += meaning.split()
            i += 1
        elif phrase := _longest(folded, i, lexicon.spaced, english):
            meant = lexicon.spaced[phrase][1]
            for language in lexicon.shared:
                if language in spoken and phrase in lexicon.shared[language]:
                    meant = lexicon.shared[language][phrase]
            out += meant.split()
            i += len(phrase)
        elif found := _shared(folded, i, spoken, english):
            out += found[1].split()
            i += found[0]
        elif _RUN.fullmatch(words[i]):
            out += _segmented(words[i], lexicon)
            i += 1
        elif words[i] not in english and (other := _other_form(folded[i], likely, spoken, english)):
            out += other.split()
            i += 1
        else:
            out += _without_prefix(words[i], folded[i], lexicon, english)
            i += 1
    return out


def known_words() -> list[str]:
    """The single words of all languages that mean more than grammar, folded."""
    spaced = _lexicon().spaced.items()
    return [phrase[0] for phrase, (_, english) in spaced if len(phrase) == 1 and not set(english.split()) <= _GRAMMAR]


def _other_form(folded: str, likely: Sequence[str], spoken: set[str], english: frozenset[str]) -> str | None:
    """What a word in another form, or a compound, means in the first of the likely languages that has it."""
    lexicon = _lexicon()

    def meaning(language: str, word: str) -> str | None:
        found = lexicon.spaced.get((word,))
        if found is not None and found[0] == language:
            return found[1]
        return word if word in english and len(word) > 3 else None

    for language in likely:
        table = lexicon.stems[language]
        for stem in stems(folded, language):
            if stem in table and (language in spoken or len(stem) > SHORTEST_STEM):
                return table[stem]
        if made := compound(folded, language, partial(meaning, language)):
            return made
    return None


def _before_a_thing(folded: Sequence[str], at: int, lexicon: _Lexicon, english: frozenset[str]) -> str:
    """What a word such as Dutch "meer" means directly before a thing; empty elsewhere: "Meer, Wellen" is the sea."""
    following = folded[at + 1] if at + 1 < len(folded) else ""
    for language, table in lexicon.before.items():
        if folded[at] in table:
            other = lexicon.spaced.get((following,))
            if following in lexicon.listed[language] or (following in PHRASES and following in english and not other):
                return table[folded[at]]
    return ""


def _longest(folded: Sequence[str], at: int, table: Mapping[_Phrase, object], english: frozenset[str]) -> _Phrase:
    """The longest phrase of a table that begins here; empty where there is none."""
    for length in range(min(_LONGEST, len(folded) - at), 0, -1):
        phrase = tuple(folded[at : at + length])
        if phrase in table and (length > 1 or phrase[0] not in english):
            return phrase
    return ()


def _shared(folded: Sequence[str], at: int, spoken: set[str], english: frozenset[str]) -> tuple[int, str] | None:
    for language, table in _lexicon().shared.items():
        if language in spoken and (phrase := _longest(folded, at, table, english)):
            return len(phrase), table[phrase]
    return None


def _without_prefix(word: str, folded: str, lexicon: _Lexicon, english: frozenset[str]) -> list[str]:
    """A word without an elided article ("l'orgue") or the prefix that Arabic joins to it."""
    for pattern in (_ELIDED, _ARABIC_PREFIX):
        bare = pattern.sub("", folded, count=1) if pattern.match(folded) else folded
        if bare != folded and (bare,) in lexicon.spaced:
            prefix = ["and"] if folded.startswith("و") else []
            return [*prefix, *lexicon.spaced[(bare,)][1].split()]
        if bare != folded and bare in english and pattern is _ELIDED:
            return [bare]
    return [word]


def _segmented(run: str, lexicon: _Lexicon) -> list[str]:
    """The words of a run without blanks.

    A single sign of a syllabic script is a word only at the beginning and directly after a known word: elsewhere it
    is a part of an unknown one.
    """
    out: list[str] = []
    unknown = ""
    i = 0
    while i < len(run):
        for length in range(min(lexicon.longest, len(run) - i), 0, -1):
            piece = run[i : i + length]
            if piece in lexicon.unspaced and (length > 1 or not unknown or _SPLITS.match(piece)):
                break
        else:
            length, piece = 1, ""
        if piece:
            out += [unknown] if unknown else []
            unknown = ""
            out += lexicon.unspaced[piece].split()
        else:
            unknown += run[i]
        i += length
    return [*out, unknown] if unknown else out
