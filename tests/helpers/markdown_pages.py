"""Reads the repository's Markdown pages for tests: fenced blocks, shell commands, links, anchors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
SHELLS = ("sh", "bash", "console")


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        """The path from the repository's root."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        """The file's text."""
        return self.path.read_text(encoding="utf-8")

    def fences(self, *languages: str) -> list[str]:
        """The contents of the fenced blocks in these languages."""
        return [token.content for token in self._tokens() if token.type == "fence" and token.info in languages]

    def commands(self) -> list[str]:
        """The shell commands, each with its continuation lines or its here-document."""
        found = []
        for block in self.fences(*SHELLS):
            lines = iter(block.splitlines())
            for line in lines:
                if not line.strip() or line.startswith("#"):
                    continue
                while line.endswith("\\"):
                    line += "\n" + next(lines)
                if here := re.search(r"<<'(\w+)'", line):
                    while line.splitlines()[-1] != here[1]:
                        line += "\n" + next(lines)
                found.append(line)
        return found

    def links(self) -> list[str]:
        """The targets of links and pictures."""
        inline = [child for token in self._tokens() for child in token.children or ()]
        return [str(token.attrs.get("href") or token.attrs.get("src", "")) for token in inline if token.attrs]

    def anchors(self) -> set[str]:
        """The names of the headings, as links after ``#`` spell them."""
        tokens = self._tokens()
        headings = [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]
        return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}

    def _tokens(self) -> list[Token]:
        return MarkdownIt("commonmark").enable("table").parse(self.text)


def pages() -> list[Page]:
    """Every page that a reader may follow: README, docs, examples, and the files for contributors."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    return [Page(path) for path in sorted(found)]
