"""Words that the owner does not want in prompts, found however they are written. Knows no station.

Two texts are compared after Unicode normalisation (NFKC), without regard to case or to
characters that nobody sees. A word counts only as a whole ("ass" is not in "bass"), except in scripts
that put no spaces between words.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from .errors import PromptError
from .prompt import MAX_PROMPT_CHARS, Prompt

MAX_WORDS = 1000
UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")  # scripts, as Unicode names begin


class RefusedWords:
    """A list of words and phrases. Immutable, so thread-safe."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self.words = tuple(dict.fromkeys(stripped for word in words if (stripped := " ".join(word.split()))))
        self._searched = [(word, _searchable(word), _is_unspaced(word)) for word in self.words]

    @classmethod
    def parse(cls, text: str) -> RefusedWords:
        """Words that are separated by commas.

        Raises:
            ValueError: one has neither letters nor digits, or there are more than MAX_WORDS.
        """
        found = cls(text.split(","))
        for word, searched, _ in found._searched:
            if not searched.strip():
                raise ValueError(f"{word!r} has neither letters nor digits")
        if len(found.words) > MAX_WORDS:
            raise ValueError(f"at most {MAX_WORDS} words")
        return found

    def find(self, prompt: str) -> str | None:
        """The first refused word in a prompt; None if there is none."""
        searched = _searchable(prompt)
        for word, wanted, unspaced in self._searched:
            if (wanted.strip() if unspaced else wanted) in searched:
                return word
        return None

    def check(self, prompt: str, field: str = "prompt") -> None:
        """Refuse a prompt that has one of the words, as it is written or as it is read.

        Raises:
            PromptError: names ``field`` and the word.
        """
        if not self.words:
            return
        if (word := self.find(prompt) or self._find_read(prompt)) is not None:
            allowed = f"prompts without the word {word!r}"
            raise PromptError(field, prompt, allowed, f"{field}: the word {word!r} is refused at this server")

    def _find_read(self, prompt: str) -> str | None:
        """The first refused word in what a prompt means; None also if it does not parse or is too long to be one."""
        if len(prompt) > MAX_PROMPT_CHARS:
            return None
        try:
            parsed = Prompt.parse(prompt)
        except PromptError:
            return None
        return self.find(", ".join(part.text for part in parsed.parts)) or self.find(
            ", ".join(span.text for span in parsed.avoid)
        )


def _searchable(text: str) -> str:
    """The words of a text in one writing, with one space before, between and after them."""
    seen = "".join(c for c in text if unicodedata.category(c) != "Cf")  # without zero-width and soft characters
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())
    kept = [c if unicodedata.category(c)[0] in "LMN" else " " for c in folded]
    return " " + " ".join("".join(kept).split()) + " "


def _is_unspaced(word: str) -> bool:
    return any(unicodedata.name(c, "").startswith(UNSPACED) for c in word)
