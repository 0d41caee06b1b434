"""Words that the owner does not want in prompts, found however they are written. Knows no station.

Two texts are compared after Unicode normalisation (NFKC), without regard to case or to
characters that nobody sees. Marks that are put on Latin letters do not hide a word, nor do escapes of JSON in a text. A
word counts only as a whole ("ass" is not in "bass"), except in scripts that put no spaces between words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from .errors import PromptError
from .prompt import MAX_PROMPT_CHARS, Prompt

MAX_WORDS = 1000
UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")  # scripts, as Unicode names begin
# Letters that are drawn as nothing but take room, as a space does: fillers of Hangul and the empty Braille pattern.
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"
# Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt), without those above and what Cf has.
_IGNORED = re.compile("[\u034f\u17b4\u17b5\u180b-\u180f\u2065\ufe00-\ufe0f\ufff0-\ufff8\U000e0000-\U000e0fff]")
_BLANKS = re.compile(f"[{_BLANK}]")
_MARK = "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"  # combining, of no one script
_LATIN = "a-z\u00df-\u02af\u1d00-\u1d7f\u1e00-\u1eff\ua720-\ua7ff"
_MARKED_LATIN = re.compile(f"(?<=[{_LATIN}]){_MARK}")
_MARKED = re.compile(f"(?<=[{_LATIN}\u0370-\u052f]){_MARK}")  # also Greek and Cyrillic
_ESCAPE = re.compile(r"(?<!\\)\\++(?:u([0-9a-fA-F]{4})|[bfnrt])")  # of JSON; with more backslashes in JSON within JSON


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
        writings = _writings(prompt)
        for word, wanted, unspaced in self._searched:
            if any((wanted.strip() if unspaced else wanted) in writing for writing in writings):
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


def _writings(text: str) -> set[str]:
    """A text as readers may take it, each time as ``_searchable`` has it."""
    texts = {text, _unescaped(text)}
    found = {_searchable(one) for one in texts | {_BLANKS.sub(" ", one) for one in texts}}
    return found | {_MARKED_LATIN.sub("", unicodedata.normalize("NFD", one)) for one in found}


def _unescaped(text: str) -> str:
    """A text that may be JSON, with the characters that its escapes stand for."""
    plain = _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else " ", text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # joins surrogate pairs


def _searchable(text: str) -> str:
    """The words of a text in one writing, with one space before, between and after them."""
    seen = _visible(text)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())
    letters = _MARKED.sub("", _visible(folded))  # marks that no letter has: the others are part of it by now
    kept = [c if unicodedata.category(c)[0] in "LMN" else " " for c in letters]
    return " " + " ".join("".join(kept).split()) + " "


def _visible(text: str) -> str:
    """A text without characters that nobody sees: zero-width, soft, blank, selectors of variants, controls."""
    kept = _BLANKS.sub("", _IGNORED.sub("", text))
    return kept if kept.isprintable() else "".join(c for c in kept if not _is_hidden(c))


def _is_hidden(c: str) -> bool:
    return unicodedata.category(c) == "Cf" or (unicodedata.category(c) == "Cc" and not c.isspace())


def _is_unspaced(word: str) -> bool:
    return any(unicodedata.name(c, "").startswith(UNSPACED) for c in word)
