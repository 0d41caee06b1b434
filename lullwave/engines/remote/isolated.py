"""Runs an engine in a child process, so that its crash is only a lost connection.

An isolated engine is a remote engine whose server is the child process. Its options are those of the engine inside.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar

from ..base import EngineFacts
from .engine import RemoteEngine
from .options import ISOLATED
from .process import EngineProcess


class IsolatedEngine(RemoteEngine):
    """The base of the classes that ``isolated_class`` makes. Loading the engine starts the process."""

    inside: ClassVar[str]  # name of the engine in the process

    def __init__(self, **options: Any) -> None:
        super().__init__(url="ws://127.0.0.1")
        self.url = self.shown = self.name
        defaults = self.load_options()
        known = {field.name for field in fields(defaults) if getattr(defaults, field.name) != options.get(field.name)}
        self.process = EngineProcess(self.inside, {name: value for name, value in options.items() if name in known})

    @property
    def available(self) -> bool:
        """Whether its process answers, or is starting for the first time."""
        return self.process.available

    def lower_priority(self, niceness: int) -> None:
        """Let other processes go first; ``niceness`` as of the system's ``nice``."""
        self.process.lower_priority(niceness)

    def address(self) -> tuple[str, str]:
        return self.process.address()

    def close(self) -> None:
        super().close()
        self.process.close()


def isolated_class(facts: type[EngineFacts]) -> type[IsolatedEngine]:
    """Return the engine class that runs the engine described by ``facts`` in a child process."""

    class Isolated(IsolatedEngine):
        name = ISOLATED + facts.name
        summary = f"{facts.summary}; in a child process"
        inside = facts.name
        load_options = facts.load_options
        options = facts.options

    return Isolated
