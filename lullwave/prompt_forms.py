"""Rewrites prompts in the notations of other programs into the grammar of ``prompt``.

::

    {"style": "jazz", "bpm": 90, "drums": false}    JSON: values, numbers with their names, false as a term to avoid
    - piano                                         bulleted and numbered lines lose their bullets
    jazz::2 drums::-1 synthwave::1                  weighted parts; a weight of 0 or less means to avoid
    piano -drums warm pads --no bass, vocals        exclusions inside a line
    Negative prompt: drums, bass                    and as a labelled line
    Beats per Minute (BPM): 100,5                   labels of a tempo, decimal commas
    72,5 Schläge pro Minute; 毎分80拍               tempos in other languages
"""

from __future__ import annotations

import json
import re
from typing import Any

_BULLET = re.compile(r"^[ \t]*(?:[-*+•◦‣·–—][ \t]+|\(?\d{1,2}[.)][ \t]+)(?=\S)", re.MULTILINE)
_MULTI = re.compile(r"::[ \t]*(-?\d+(?:[.,]\d+)?)?")  # a weight behind a part
_EXCLUDED = re.compile(r"(?<=\s)-([^\W\d_][\w'’-]*)")  # one word, as in web searches
_EXCLUDED_LINE = re.compile(r"(?<=[;.\n])[ \t]*-(?=[^\W\d_])")
_NO = re.compile(r"--no[ \t]+((?:(?!--)[^\n|])+)", re.IGNORECASE)
_NEGATIVE = re.compile(
    r"(?:^|(?<=[.;,\n|]))[ \t]*"
    r"(?:negative(?:[ _-]?prompts?)?|(?:\w+[ \t]+to[ \t]+)?avoid|exclude|without|unwanted)"
    r"[ \t]*[:=][ \t]*([^\n|]+)",
    re.IGNORECASE,
)
_TEMPO_LABEL = re.compile(
    r"\b(?:tempo|beats?[ \t]*(?:per|a|/)[ \t]*min(?:ute)?)[ \t]*[(\[]?[ \t]*(?:in[ \t]+)?"
    r"(?:bpm|beats?[ \t]*(?:per|a|/)[ \t]*min(?:ute)?)?[ \t]*[)\]]?[ \t]*[:=][ \t]*(?=[~\d])",
    re.IGNORECASE,
)
_DECIMAL = re.compile(
    r"(?<![\d,.])(\d+),(\d{1,3})(?=[ \t]*(?:bpm|beats|[)\]|%]))|((?:tempo|bpm)[ \t]*[:=]?[ \t]*\d+),(\d{1,2})(?![\d,])",
    re.IGNORECASE,
)
_BEATS = re.compile(
    r"(?<![\d,.])(\d+)(?:[.,](\d+))?[ \t]*"
    r"(?:schläge|beats|battements|pulsaciones|battiti|batidas|slagen|tellen|uderzeń|удар\w*|박|拍)[ \t]*"
    r"(?:(?:pro|in der|par|por|al|per|na|в|a)[ \t]+)?(?:min(?:ut\w+|\b)|минуту|分|분)",
    re.IGNORECASE,
)
_A_MINUTE = re.compile(r"(?:毎分|每分钟|每分鐘|분당)[ \t]*(\d+)[ \t]*(?:拍|박|ビート)?")
_PER_MINUTE = re.compile(r"(?<=\d)[ \t]*/[ \t]*min(?:ute)?\b", re.IGNORECASE)
_QUOTED_NUMBER = re.compile(r"(?<=[:=])([ \t]*)[\"'“](\d+(?:[.,]\d+)?)[\"'”]")
_NOTHING_OF = re.compile(
    r"(?:^|(?<=[.,;\n|]))[ \t]*([^\W\d][^\W\d ]*)[ \t]*[:=]?[ \t]*\b0(?:[.,]0+)?[ \t]*%"
)  # "drums 0%"
_MINUS = re.compile(r"(?<![\w])[−﹣－](?=\w)")  # other signs than the hyphen
_MARKDOWN = re.compile(r"\*\*(\w(?:[^*\n]*\S)?)\*\*")  # bold words
_AVOIDING = re.compile(r"negative|avoid|exclude|without|forbidden|unwanted", re.IGNORECASE)
_TEMPO_NAME = re.compile(r"bpm|tempo|beats.?per.?min", re.IGNORECASE)
_PLAIN_NAMES = re.compile(
    r"prompts?|text|description|caption|genres?|styles?|moods?|instruments?|instrumentation|tags?|sounds?|elements?|"
    r"ambien(?:ce|t)|music|include|title|keywords?|weights?|positive.?prompt",
    re.IGNORECASE,
)
_LARGEST = 10**300  # integers from here on are no floating-point numbers
_MAX_DEPTH = 8  # of JSON; deeper values are passed as text


def rewritten(source: str) -> str:
    """``source`` in the grammar of ``prompt``; text in no other notation comes back as it is."""
    text = _of_json(source)
    if text is None:
        text = source
    text = _MARKDOWN.sub(r"\1", text)
    text = _MINUS.sub("-", text)
    text = _PER_MINUTE.sub(" bpm", text)
    text = _BEATS.sub(lambda m: f"{m[1]}.{m[2]} bpm" if m[2] else f"{m[1]} bpm", text)
    text = _A_MINUTE.sub(r"\1 bpm ", text)
    text = _QUOTED_NUMBER.sub(r"\1\2", text)
    text = _NOTHING_OF.sub(r" -\1", text)
    text = _DECIMAL.sub(lambda m: f"{m[1] or m[3]}.{m[2] or m[4]}", text)
    text = _TEMPO_LABEL.sub("tempo: ", text)
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > 1 and len(_BULLET.findall(text)) > 1:
        text = _BULLET.sub("", text)
    if "::" in text:
        text = _blended(text)
    text = _NEGATIVE.sub(lambda m: ", " + _avoided(m[1]), text)
    text = _NO.sub(lambda m: ", " + _avoided(m[1]) + ", ", text)
    text = _EXCLUDED_LINE.sub(", -", text)
    return _outside_brackets(text)


def _of_json(source: str) -> str | None:
    """The terms of a JSON object or list; None if ``source`` is none."""
    if re.match(r'\s*"[^"\n]+"\s*:', source):
        source = "{" + source + "}"
    if source.strip()[:1] not in ("{", "["):
        return None
    try:
        value = json.loads(source)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, (dict, list)):
        return None
    if isinstance(value, list) and not any(isinstance(one, str) and len(one) > 1 for one in value):
        return None  # "[3]" is text with a weight
    return ", ".join(term for term in _terms("", value, False, _MAX_DEPTH) if term.strip()) or None


def _terms(name: str, value: Any, avoid: bool, depth: int) -> list[str]:
    """The terms of one JSON value, called ``name``."""
    if isinstance(value, dict) and depth:
        return [
            term
            for key, one in value.items()
            for term in _terms(str(key), one, avoid or bool(_AVOIDING.search(str(key))), depth - 1)
        ]
    if isinstance(value, list) and depth:
        return [term for one in value for term in _terms(name, one, avoid, depth - 1)]
    words = name.replace("_", " ")
    sign = "-" if avoid else ""
    if value is None:
        return []
    if isinstance(value, bool):
        return [f"{'' if value != avoid else '-'}{words}"]
    if isinstance(value, (int, float)):
        whole = isinstance(value, int) and abs(value) >= _LARGEST
        number = ("inf" if value > 0 else "-inf") if whole else f"{value:g}"
        return [f"{number} bpm"] if _TEMPO_NAME.search(name) else [f"{sign}{words}: {number}"]
    text = str(value)
    if text.strip().lower() in ("none", "no", "off", "false"):
        return [f"-{words}"]
    if _TEMPO_NAME.search(name) and re.fullmatch(r"[~\d.,\s-]+", text):
        return [f"{text.strip()} bpm"]
    if avoid:
        return [_avoided(text)]
    return [text if not name or _PLAIN_NAMES.fullmatch(name.replace("_", " ")) else f"{words}: {text}"]


def _avoided(text: str) -> str:
    """Each term of a list as one to avoid."""
    terms = [term.strip().removeprefix("-").strip() for term in re.split(r"[,;]", text.strip().rstrip("."))]
    return ", ".join(f"-{term}" for term in terms if term)


def _blended(text: str) -> str:
    """``a::2 b::-1`` as a blend."""
    pieces = _MULTI.split(text)
    parts: list[str] = []
    avoided: list[str] = []
    for words, weight in zip(pieces[::2], [*pieces[1::2], None], strict=True):
        words = words.strip().strip("|,").strip()
        if not words:
            continue
        share = float((weight or "1").replace(",", "."))
        if share <= 0:
            avoided.append(_avoided(words))
        else:
            parts.append(f"{words} :{share:g}")
    if len(parts) == 1:
        parts = [parts[0].rpartition(" :")[0]]
    return ", ".join(filter(None, [*avoided, " | ".join(parts)]))


def _outside_brackets(text: str) -> str:
    """``piano -drums pads`` as ``piano, -drums, pads``, but not inside brackets, and not where a term begins."""
    out: list[str] = []
    at = depth = 0
    for found in _EXCLUDED.finditer(text):
        between = text[at : found.start()]
        depth += len(re.findall(r"(?<!\\)[(\[]", between)) - len(re.findall(r"(?<!\\)[)\]]", between))
        before = text[: found.start()].rstrip()
        out.append(between)
        if depth > 0 or before[-1:] in ("", ",", "|"):
            out.append(found[0])
        else:
            after = text[found.end() :].lstrip(" \t")[:1]
            out.append(f", {found[0]}" + ("" if after in ("", *",|\n)];.:") else ","))
        at = found.end()
    return "".join(out) + text[at:]
