r"""Weighted words in the prompts of Riffusion's interface; knows nothing of tokens or models.

``(word:1.3)`` sets a weight, ``(word)`` is 1.1, ``[word]`` is 1/1.1, brackets nest and multiply, and a backslash
makes a bracket plain text. People type smileys into prompts, so nothing here is a syntax error: a bracket that closes
nothing is text, and one that is never closed holds to the end. (Lullwave's own grammar, ``lullwave.prompt``, is
strict and knows blends too.)
"""

from __future__ import annotations

import re

from ...errors import PromptError
from ...prompt import Prompt, Span

STEP = 1.1  # what one pair of brackets is worth
MAX_WEIGHT = 10.0

_TOKEN = re.compile(r"\\[()\[\]\\]|:\s*(?P<weight>[+-]?(?:\d+\.?\d*|\.\d+))\s*\)|[()\[\]]|\\|:|[^\\()\[\]:]+")


def parse(text: str) -> tuple[Span, ...]:
    """The runs of ``text`` with their weights; an empty text gives one empty run.

    Raises:
        PromptError: a weight beyond ±10.
    """
    spans: list[Span] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}

    def scale(since: int, factor: float) -> None:
        spans[since:] = [Span(span.text, span.weight * factor) for span in spans[since:]]

    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in opened:
            opened[token].append(len(spans))
        elif match["weight"] and opened["("]:
            scale(opened["("].pop(), float(match["weight"]))
        elif token == ")" and opened["("]:
            scale(opened["("].pop(), STEP)
        elif token == "]" and opened["["]:
            scale(opened["["].pop(), 1 / STEP)
        else:
            spans.append(Span(token[1:] if len(token) == 2 and token[0] == "\\" else token))
    for since in opened["("]:
        scale(since, STEP)
    for since in opened["["]:
        scale(since, 1 / STEP)
    for span in spans:
        if abs(span.weight) > MAX_WEIGHT:
            raise PromptError("prompt", text, f"weights from -{MAX_WEIGHT:g} to {MAX_WEIGHT:g}")
    return merged(spans) or (Span(""),)


def parts(prompt: Prompt) -> list[tuple[tuple[Span, ...], float]]:
    """The parts of a prompt in Lullwave's own grammar, each with its share."""
    return [(part.spans or (Span(""),), part.share) for part in prompt.parts]


def merged(spans: list[Span]) -> tuple[Span, ...]:
    """Neighbours of equal weight become one run."""
    out: list[Span] = []
    for span in spans:
        if out and out[-1].weight == span.weight:
            out[-1] = Span(out[-1].text + span.text, span.weight)
        else:
            out.append(span)
    return tuple(out)
