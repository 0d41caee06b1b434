"""An engine in a process of its own on this machine, so that its crash is no more than a lost connection.

It is a remote engine whose server is a child process. Its options are those of the engine inside.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar

from ..base import EngineFacts
from .engine import RemoteEngine
from .options import ISOLATED
from .process import Child


class IsolatedEngine(RemoteEngine):
    """See ``isolated_class``. Loading it starts the process."""

    inside: ClassVar[str]

    def __init__(self, **options: Any) -> None:
        super().__init__(url="ws://127.0.0.1")
        self.url = self.name
        defaults = self.load_options()
        known = {field.name for field in fields(defaults) if getattr(defaults, field.name) != options.get(field.name)}
        self.child = Child(self.inside, {name: value for name, value in options.items() if name in known})

    def address(self) -> tuple[str, str]:
        return self.child.address()

    def close(self) -> None:
        super().close()
        self.child.close()


def isolated_class(facts: type[EngineFacts]) -> type[IsolatedEngine]:
    """The engine that ``facts`` speaks of, in a process of its own."""
    return type(
        "Isolated" + facts.__name__,
        (IsolatedEngine,),
        {
            "__doc__": f"Engine {facts.name} in a process of its own.",
            "name": ISOLATED + facts.name,
            "summary": f"{facts.summary}; in a process of its own",
            "inside": facts.name,
            "load_options": facts.load_options,
            "options": facts.options,
        },
    )
