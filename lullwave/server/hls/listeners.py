"""Counts the listeners of HLS: those that asked for a playlist within the last seconds. Knows nothing of audio.

A player of HLS keeps no connection open. Each gets an id with its first playlist, and asks with it again and again;
requests without an id count together as one listener of their station.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from functools import partial

from ..live.audience import Audience
from ..live.idle_timer import IdleTimer
from ..live.responses import counted
from .feed import HOLD_S

UNNAMED = "hls"  # the listener that all requests without an id are


class HlsListeners:
    """The listeners of all stations by HLS. Event loop only. ``by_address`` counts audio connections by address."""

    def __init__(self, audience: Audience, by_address: Counter[str]) -> None:
        self._audience = audience
        self._by_address = by_address
        self._leaving: dict[tuple[str, str], tuple[IdleTimer, ExitStack]] = {}

    def knows(self, station: str, listener: str | None) -> bool:
        """Tell whether a listener has asked within ``HOLD_S``."""
        return (station, listener or UNNAMED) in self._leaving

    def heard(self, station: str, listener: str | None, address: str) -> None:
        """Count a listener for ``HOLD_S`` from now on."""
        key = (station, listener or UNNAMED)
        if key not in self._leaving:
            stack = ExitStack()
            stack.enter_context(counted(self._by_address, address))
            stack.enter_context(self._audience.audio(*key))
            self._leaving[key] = IdleTimer(partial(self._left, key)), stack
        self._leaving[key][0].hold(HOLD_S)

    def close(self) -> None:
        """Count nobody any more."""
        for key in list(self._leaving):
            self._left(key)

    def _left(self, key: tuple[str, str]) -> None:
        timer, stack = self._leaving.pop(key)
        timer.cancel()
        stack.close()
