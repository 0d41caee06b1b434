"""Where wishes for a station's music are handed in: who may, when it is their turn, votes, undo.

One desk per station, on the event loop; knows nothing of HTTP. A station turns at most once in a while, so wishes wait
in a queue that everybody can see.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...engines.base import Understanding
from ...errors import Busy, LullwaveError
from ...settings import Settings
from ...station import RATE, Event, SteerResult
from .channel import Channel

UNDO_KEPT = 32
TURN_S = 4.0  # how long the music takes to turn

log = logging.getLogger(__name__)


class NothingToUndo(Busy):
    """The station plays what it played from the beginning."""

    def __init__(self) -> None:
        super().__init__("there is nothing to undo", 60.0)


@dataclass(frozen=True)
class PromptReceipt:
    """What became of a wish."""

    state: str  # "turning", "queued", "voted"
    understanding: Understanding
    frame: int | None = None  # from which it is heard, once known
    heard_in_s: float = 0.0  # after now, on air; an estimate while it waits
    votes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Wish:
    prompt: str
    who: str  # one waiting wish each
    undo: bool = False


class PromptQueue:
    """The desk of one station."""

    def __init__(self, channel: Channel, settings: Settings) -> None:
        self._channel = channel
        self._station = channel.station
        self._every_s = settings.steer_every_s
        self._vote_s = settings.vote_s
        self._max = settings.max_wishes
        self._waiting: deque[_Wish] = deque()
        self._ballots: dict[str, str] = {}  # who → prompt
        self._voting: asyncio.TimerHandle | None = None
        self._turned_at = -1e9
        self._timer: asyncio.TimerHandle | None = None
        self._turning = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._before: deque[str] = deque(maxlen=UNDO_KEPT)  # prompts that were turned away from

    @property
    def waiting(self) -> list[dict[str, Any]]:
        """The queue as everybody may see it."""
        return [{"prompt": wish.prompt, "undo": wish.undo} for wish in self._waiting]

    @property
    def votes(self) -> dict[str, int]:
        """The open vote: prompt → votes, most first."""
        return dict(Counter(self._ballots.values()).most_common())

    async def submit(self, prompt: str, who: str) -> PromptReceipt:
        """Hand in a wish.

        Raises:
            PromptError: it does not parse.
            Busy: the queue is full.
        """
        understanding = await asyncio.to_thread(self._station.understand, prompt)
        if self._station.config.policy == "vote":
            return self._vote(prompt, who, understanding)
        return await self._queue(_Wish(prompt, who), understanding)

    async def undo(self, who: str) -> PromptReceipt:
        """Go back to the prompt before. Where votes decide, this is a vote for it.

        Raises:
            NothingToUndo
            Busy: the queue is full.
        """
        if not self._before:
            raise NothingToUndo
        prompt = self._before[-1]
        understanding = await asyncio.to_thread(self._station.understand, prompt)
        if self._station.config.policy == "vote":
            return self._vote(prompt, who, understanding)
        return await self._queue(_Wish(prompt, who, undo=True), understanding)

    def close(self) -> None:
        for timer in (self._timer, self._voting):
            if timer is not None:
                timer.cancel()
        for task in self._tasks:
            task.cancel()

    async def _queue(self, wish: _Wish, understanding: Understanding) -> PromptReceipt:
        now = asyncio.get_running_loop().time()
        left_s = self._turned_at + self._every_s - now
        if left_s <= 0 and not self._waiting and not self._turning.locked():
            steered = await self._turn(wish)
            heard_in_s = max(0, steered.frame - self._station.edge) / RATE
            return PromptReceipt("turning", steered.understanding, steered.frame, heard_in_s)
        self._waiting = deque(w for w in self._waiting if w.who != wish.who)
        if len(self._waiting) >= self._max:
            raise Busy(f"{len(self._waiting)} wishes are waiting at this station; try again later", self._every_s)
        self._waiting.append(wish)
        self._tell()
        self._schedule(max(0.0, left_s))
        estimate = max(0.0, left_s) + (len(self._waiting) - 1) * self._every_s + 3.0
        return PromptReceipt("queued", understanding, None, estimate)

    def _vote(self, prompt: str, who: str, understanding: Understanding) -> PromptReceipt:
        loop = asyncio.get_running_loop()
        if prompt not in self._ballots.values() and len(set(self._ballots.values())) >= self._max:
            raise Busy(f"{self._max} prompts are up for the vote; choose one of them", self._vote_s)
        self._ballots[who] = prompt
        if self._voting is None:
            self._voting = loop.call_later(self._vote_s, self._count)
        self._tell()
        return PromptReceipt(
            "voted", understanding, None, max(0.0, self._voting.when() - loop.time()) + 3.0, self.votes
        )

    def _count(self) -> None:
        """The vote is over: the prompt with most votes, the first of equals."""
        self._voting = None
        votes, self._ballots = self.votes, {}
        if votes:
            self._waiting.append(_Wish(next(iter(votes)), "vote"))
            self._schedule(0.0)
        self._tell()

    def _schedule(self, after_s: float) -> None:
        if self._timer is None and self._waiting:
            self._timer = asyncio.get_running_loop().call_later(after_s, self._next)

    def _next(self) -> None:
        self._timer = None
        if self._waiting:
            task = asyncio.ensure_future(self._turn_next())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _turn_next(self) -> None:
        wish = self._waiting.popleft()
        self._tell()
        try:
            await self._turn(wish)
        except LullwaveError as error:
            log.warning("station %s: a wish could not be granted: %s", self._station.id, error)
        finally:
            self._schedule(self._every_s)

    async def _turn(self, wish: _Wish) -> SteerResult:
        async with self._turning:
            before = self._station.prompt
            if wish.undo and not self._before:
                raise NothingToUndo
            prompt = self._before[-1] if wish.undo else wish.prompt  # others may have had their turn since
            self._turned_at = asyncio.get_running_loop().time()
            steered = await asyncio.wrap_future(self._station.steer(prompt, TURN_S))
            if wish.undo:
                self._before.pop()
            else:
                self._before.append(before)
            return steered

    def _tell(self) -> None:
        data = {"policy": self._station.config.policy, "waiting": self.waiting, "votes": self.votes}
        self._channel.events.publish(Event("queue", self._station.edge, data))
