"""Writes Python calls, for the programs that repeat a job."""

from __future__ import annotations

from typing import Any


def call(name: str, *given: Any, **named: Any) -> str:
    """``call("f", 1, x="a", y=None)`` is ``f(1, x='a')``: named values that are None are left out."""
    said = [repr(value) for value in given]
    said += [f"{name}={value!r}" for name, value in named.items() if value is not None]
    return f"{name}({', '.join(said)})"
