r"""The prompt grammar that every engine shares.

::

    rainy night piano                     plain words
    (warm:1.3) pads, [drums]              weights: (x:1.3), (x) is 1.1, [x] is 1/1.1; they nest and multiply
    jazz :2 | synthwave :1                a blend: parts split by |, each with an optional share after " :"
    piano, -drums, -(vocals:1.5)          a term that begins with a minus is excluded
    \( \) \[ \] \: \| \- \, \\            escapes

A term ends at a comma. Blend shares are relative: 2 and 1 mean two thirds and one third. An excluded term applies to
the whole prompt, whichever part it is in.

The weight syntax is that of Stable Diffusion front ends, except that unmatched brackets are an error, not text.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import PromptError
from .prompt_forms import rewritten

MAX_PROMPT_CHARS = 1000
MAX_PARTS = 8
MAX_WEIGHT = 10.0
_EMPHASIS = 1.1
_NUMBERED = ("tempo", "bpm", "key", "bars", "seed")  # names of numbers, which are no shares
_SPECIAL = "()[]:|-,\\"


@dataclass(frozen=True)
class Span:
    """A run of text with one weight."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True)
class Part:
    """One part of a blend: its spans in order, and its share of the whole (shares add up to 1)."""

    spans: tuple[Span, ...]
    share: float

    @property
    def text(self) -> str:
        """The words without their weights."""
        return _joined(self.spans)


@dataclass(frozen=True)
class Prompt:
    """A parsed prompt. An empty prompt has one part without spans."""

    source: str
    parts: tuple[Part, ...]
    avoid: tuple[Span, ...] = ()

    @classmethod
    def parse(cls, source: str) -> Prompt:
        """Parse ``source``.

        Raises:
            PromptError: too long, brackets that do not match, weights out of range, too many parts.
        """
        if len(source) > MAX_PROMPT_CHARS:
            raise PromptError("prompt", f"{len(source)} characters", f"at most {MAX_PROMPT_CHARS} characters")
        if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n\r" for c in source):
            raise PromptError("prompt", source, "text without control characters and lone surrogates")
        texts = _split(rewritten(source), "|")
        if len(texts) > MAX_PARTS:
            raise PromptError("prompt", f"{len(texts)} parts", f"at most {MAX_PARTS} parts split by |")
        avoid: list[Span] = []
        wanted: list[tuple[tuple[Span, ...], float]] = []
        for text in texts:
            text, share = _share(text, len(texts) > 1)
            spans: list[Span] = []
            for term in _split(text, ","):
                stripped = term.strip()
                if stripped.startswith("-"):
                    avoid.extend(_spans(stripped[1:], source))
                elif stripped:
                    if spans:
                        spans.append(Span(", "))
                    spans.extend(_spans(stripped, source))
            if spans or len(texts) == 1:
                wanted.append((merge_spans(spans), share))
        total = sum(share for _, share in wanted)
        if wanted and total <= 0:
            raise PromptError("prompt", source, "a blend with at least one share above 0")
        if not wanted:
            wanted, total = [((), 1.0)], 1.0
        return cls(source, tuple(Part(s, share / total) for s, share in wanted), tuple(avoid))

    @property
    def text(self) -> str:
        """All words except the excluded ones, without weights and shares, for engines without blends."""
        return ", ".join(part.text for part in self.parts if part.text)

    @property
    def avoid_text(self) -> str:
        """The excluded words, without weights."""
        return ", ".join(span.text.strip() for span in self.avoid)


def _split(text: str, mark: str) -> list[str]:
    """Split at ``mark`` outside brackets and escapes; the escapes remain."""
    pieces, start, depth, i = [], 0, 0, 0
    while i < len(text):
        c = text[i]
        if c == "\\":
            i += 1
        elif c in "([":
            depth += 1
        elif c in ")]":
            depth -= 1
        elif c == mark and depth <= 0:
            pieces.append(text[start:i])
            start = i + 1
        i += 1
    pieces.append(text[start:])
    return pieces


def _share(text: str, blend: bool) -> tuple[str, float]:
    """Split off a share at the end: ``"jazz :2"`` is ``("jazz", 2.0)``; in a blend ``"jazz:2"``, too."""
    head, colon, tail = text.rpartition(":")
    spaced = head.endswith(" ") and not head.endswith("\\ ")
    try:
        share = float(tail.replace(",", ".")) if colon and tail.strip() and not head.endswith("\\") else math.nan
    except ValueError:
        share = math.nan
    label = not spaced and (not blend or share > MAX_WEIGHT or head.rstrip().lower().endswith(_NUMBERED))  # "bpm:90"
    if math.isnan(share) or label:
        return text, 1.0
    if not 0 <= share <= MAX_WEIGHT:
        raise PromptError("prompt", text.strip(), f"a blend share from 0 to {MAX_WEIGHT:g}")
    return head, share


def _spans(text: str, source: str) -> list[Span]:
    """Parse the weights of a term into spans."""
    spans: list[Span] = []
    opened: list[tuple[str, int]] = []  # (bracket, number of spans before it)
    run = ""
    i = 0

    def close_run() -> None:
        nonlocal run
        if run:
            spans.append(Span(run))
            run = ""

    def scale(since: int, factor: float) -> None:
        for k in range(since, len(spans)):
            weight = spans[k].weight * factor
            if weight > MAX_WEIGHT:
                raise PromptError("prompt", source, f"nested weights that multiply to {MAX_WEIGHT:g} at most")
            spans[k] = Span(spans[k].text, weight)

    while i < len(text):
        c = text[i]
        if c == "\\" and i + 1 < len(text) and text[i + 1] in _SPECIAL:
            run += text[i + 1]
            i += 2
            continue
        if c in "([":
            close_run()
            opened.append((c, len(spans)))
        elif c in ")]":
            if not opened or opened[-1][0] != {")": "(", "]": "["}[c]:
                raise PromptError("prompt", source, f"brackets that match (write \\{c} for the sign itself)")
            factor = _EMPHASIS if c == ")" else 1 / _EMPHASIS
            if c == ")":
                words, colon, number = run.rpartition(":")
                if colon:
                    factor = _weight(number, source)
                    run = words
            close_run()
            scale(opened.pop()[1], factor)
        else:
            run += c
        i += 1
    if opened:
        raise PromptError("prompt", source, f"brackets that match (write \\{opened[-1][0]} for the sign itself)")
    close_run()
    return [span for span in spans if span.text]


def _weight(number: str, source: str) -> float:
    try:
        weight = float(number)
    except ValueError:
        raise PromptError("prompt", source, "a number after the colon in (words:1.3)") from None
    if not 0 <= weight <= MAX_WEIGHT:
        raise PromptError("prompt", source, f"weights from 0 to {MAX_WEIGHT:g}")
    return weight


def merge_spans(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Join neighbouring spans of equal weight."""
    merged: list[Span] = []
    for span in spans:
        if merged and merged[-1].weight == span.weight:
            merged[-1] = Span(merged[-1].text + span.text, span.weight)
        else:
            merged.append(span)
    return tuple(merged)


def _joined(spans: tuple[Span, ...]) -> str:
    return "".join(span.text for span in spans).strip()
