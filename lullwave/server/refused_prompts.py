"""Refuses every request that has one of the refused words where its text becomes music.

One check for the whole application, before any route: a route cannot forget it. Looks at the bodies, not at the routes,
save for those that take files.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Coroutine, Iterator
from typing import Any

from fastapi import Request
from starlette.requests import HTTPConnection

from ..errors import InvalidInput
from ..refused_words import RefusedWords
from .errors import TooLarge

MAX_PARSED = 512 * 1024  # bytes of a body: no route takes more JSON, and parsing holds up the stations
MAX_TEXTS, MAX_CHARS = 64, 40_000  # in one body: a station has 60 prompts, two ends of Riffusion 40,000 characters
# Fields whose text becomes music, of every route's body and at any depth.
PROMPT_FIELDS = frozenset({"prompt", "negative_prompt", "prompts", "hours", "ambience"})


def refuse_words(
    refused: Callable[[], RefusedWords], files: Collection[str] = ()
) -> Callable[[HTTPConnection], Coroutine[Any, Any, None]]:
    """Make the dependency of all routes that checks bodies for the words that ``refused`` returns.

    The dependency raises ``PromptError``, which names the field and the word, and ``TooLarge`` for a body that is too
    large to be checked. ``files`` are the starts of the paths whose bodies are files: they are not read.
    """

    async def check(connection: HTTPConnection) -> None:
        words = refused()
        if not words.words or not isinstance(connection, Request) or connection.method in ("GET", "HEAD", "OPTIONS"):
            return
        if connection.scope["path"].startswith(tuple(files)):
            return
        data = await connection.body()
        if len(data) > MAX_PARSED:
            raise TooLarge(MAX_PARSED)
        await asyncio.to_thread(_check, words, data)

    return check


def _check(words: RefusedWords, data: bytes) -> None:
    """Check every prompt in a body.

    Raises:
        PromptError: it has a refused word.
        InvalidInput: it has more text than any route takes.
    """
    try:
        body = json.loads(data)  # whatever type it claims: some routes take any
    except (ValueError, RecursionError):
        return  # something that the route refuses
    texts = chars = 0
    for field, text in _prompts(body):
        texts, chars = texts + 1, chars + len(text)
        if texts > MAX_TEXTS or chars > MAX_CHARS:
            allowed = f"at most {MAX_TEXTS} prompts with {MAX_CHARS} characters together"
            raise InvalidInput(field, text[:40], allowed)
        words.check(text, field)


def _prompts(body: Any) -> Iterator[tuple[str, str]]:
    """Every text that becomes music, and its field."""
    waiting: list[tuple[str, Any, bool]] = [("", body, False)]
    while waiting:
        field, value, becomes_music = waiting.pop()
        if isinstance(value, dict):
            for name, inner in value.items():
                at = f"{field}.{name}" if field else str(name)
                waiting.append((at[:80], inner, becomes_music or name in PROMPT_FIELDS))
        elif isinstance(value, list):
            waiting += [(field, inner, becomes_music) for inner in value]
        elif becomes_music and isinstance(value, str):
            yield field, value
