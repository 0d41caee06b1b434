"""Whether a prompt changes the music that plays, or asks for other music."""

from __future__ import annotations

from ....prompt_forms import rewritten
from .intent import Intent
from .tokens import tokens_of
from .vocabulary import ADDING


def is_addition(prompt: str, intent: Intent) -> bool:
    """Whether a prompt builds on the earlier one ("add rain", "no drums") instead of replacing it."""
    text = rewritten(prompt)
    first = next((t for t in tokens_of(text) if t not in (",", ";", "please", "can", "could", "you", "now")), "")
    if first in ("no", "without", "with", "and", "but") or text.lstrip(" ,").startswith("-"):
        return not intent.styles and (not intent.instruments or first in ("with", "and", "but"))
    return first in ADDING
