"""The queue of one station's prompt requests: the shortest time between two changes, votes, and undo.

A station changes at most every ``steer_every_s`` seconds, so further requests wait in a queue that all listeners see.
Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from ...engines.base import Understanding
from ...errors import Busy, EngineFailed, LullwaveError
from ...refused_words import RefusedWords
from ...settings import Settings
from ...station import RATE, Event, SteerResult
from ..errors import Frozen
from ..ownership import public_words
from ..rate_limits import RateLimits
from .prompt_request import NothingToUndo, PromptReceipt, PromptRequest, Requester, Steered

UNDO_KEPT = 32  # earlier prompts that undo can go back through
STEER_OVER_S = 4.0  # seconds over which the music changes
ANSWER_S = 3.0  # seconds after which a request is answered, whatever the engine's speed
STEER_LIMIT_S = 120.0  # seconds after which a request fails that the engine does not carry out
RENDER_S = 3.0  # estimate of the time from a change to its sound on air

PUBLISH_EVERY_S = 0.2  # shortest time between two ``queue`` events: many requests cause one
SUBMITS_PER_S, SUBMIT_BURST = 2.0, 30  # requests of one address
PREVIEWS_PER_S, PREVIEW_BURST = 4.0, 30  # questions of one address what a request would mean

T = TypeVar("T")

log = logging.getLogger(__name__)


VOTE = Requester("", "vote")  # requests what a vote has decided


class PromptQueue:
    """Accepts requests for one station and steers it, one request at a time. Event loop only.

    Several stations that share ``turns`` are steered in turn.
    """

    def __init__(self, channel: Steered, settings: Settings, turns: asyncio.Semaphore | None = None) -> None:
        self._channel = channel
        self._station = channel.station
        self._every_s = settings.steer_every_s
        self._vote_s = settings.vote_s
        self._max = settings.max_wishes
        self._waiting: deque[PromptRequest] = deque()
        self._per_address = settings.votes_per_address
        self._rate_limits = RateLimits(SUBMITS_PER_S, SUBMIT_BURST)
        self._previews = RateLimits(PREVIEWS_PER_S, PREVIEW_BURST)
        self._ballots: dict[str, PromptRequest] = {}  # by the requester's key
        self._voting: asyncio.TimerHandle | None = None
        self._steered_at = -1e9
        self._timer: asyncio.TimerHandle | None = None
        self._steering = asyncio.Lock()
        self._turns = turns or asyncio.Semaphore()
        self._published: asyncio.TimerHandle | None = None  # the pause after a ``queue`` event
        self._publish_due = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self.frozen = False  # no request is accepted
        self.refused = RefusedWords()
        self._late: PromptRequest | None = None  # answered as queued, while the engine still carries it out
        self._earlier: deque[str] = deque(maxlen=UNDO_KEPT)  # earlier prompts, oldest first

    @property
    def earlier(self) -> tuple[str, ...]:
        """The prompts that undo leads back to, oldest first."""
        return tuple(self._earlier)

    def restore(self, earlier: Iterable[str], waiting: Iterable[Mapping[str, Any]]) -> None:
        """Go on where another process ended: with its ``earlier`` prompts, and its ``waiting`` requests.

        Nobody knows any more whose requests these are, so all count as those of one requester.
        """
        self._earlier.extend(earlier)
        for one in list(waiting)[: self._max]:
            self._waiting.append(PromptRequest(str(one["prompt"]), VOTE, bool(one["undo"])))
        self._schedule(self._every_s)

    @property
    def waiting(self) -> list[dict[str, Any]]:
        """The queue as every listener may see it."""
        late = [] if self._late is None else [self._late]
        return [{"prompt": request.prompt, "undo": request.undo} for request in (*late, *self._waiting)]

    def data(self) -> dict[str, Any]:
        """The fields of events and replies."""
        policy = self._station.config.policy
        return {"policy": policy, "frozen": self.frozen, "waiting": self.waiting, "votes": self.votes}

    @property
    def votes(self) -> dict[str, int]:
        """The open vote: prompt → votes, the leader first."""
        return dict(Counter(ballot.prompt for ballot in self._ballots.values()).most_common())

    async def submit(self, prompt: str, requester: Requester) -> PromptReceipt:
        """Steer the station to ``prompt``, or queue the request, or count it as a vote.

        A second request of one requester replaces the first.

        A prompt of which the engine understands nothing is ignored.

        Raises:
            PromptError: it does not parse. (Its words are checked before: see ``refused_prompts``.)
            Frozen: the owner has frozen the steering.
            Busy: the queue is full, or the requester's address sends too many requests.
        """
        self._check_pace(requester, self._rate_limits)
        self._check_open()
        understanding = await self._understand(prompt)
        if not understanding.recognised:
            return PromptReceipt("ignored", understanding)
        if self._station.config.policy == "vote":
            return self._vote(prompt, requester, understanding)
        return await self._queue(PromptRequest(prompt, requester), understanding)

    async def preview(self, prompt: str, requester: Requester) -> Understanding:
        """What a request would mean; nothing is steered or queued.

        Raises:
            PromptError: it does not parse.
            Busy: the requester's address asks too often.
        """
        self._check_pace(requester, self._previews)
        return await self._understand(prompt)

    async def undo(self, requester: Requester) -> PromptReceipt:
        """Steer back to the prompt before, or queue that; at a station that votes, vote for it.

        Raises:
            NothingToUndo
            Busy: the queue is full, or the requester's address sends too many requests.
        """
        self._check_pace(requester, self._rate_limits)
        if not self._earlier:
            raise NothingToUndo
        prompt = self._earlier[-1]
        self._check_open(prompt)
        understanding = await self._understand(prompt)
        if self._station.config.policy == "vote":
            return replace(self._vote(prompt, requester, understanding), undone_to=prompt)
        receipt = await self._queue(PromptRequest(prompt, requester, undo=True), understanding)
        return replace(receipt, undone_to=prompt)

    async def skip(self) -> bool:
        """Crossfade to another piece as soon as possible; False if no piece is on air."""
        return self._station.skip()

    async def set_frozen(self, frozen: bool) -> None:
        """``freeze``, or the opposite, wherever the requests are carried out."""
        self.freeze(frozen)

    def freeze(self, frozen: bool) -> None:
        """Accept no requests until ``freeze(False)``; those that wait, and votes, are dropped."""
        self.frozen = frozen
        if frozen:
            self._drop(lambda request: True, "the owner has frozen the steering")
        self._publish()

    def refuse(self, words: RefusedWords) -> None:
        """Refuse prompts that have one of the words from now on; requests and votes for them are dropped."""
        self.refused = words
        self._drop(lambda request: words.find(request.prompt) is not None, "it has a word that is refused now")

    def forget(self, listener: str) -> None:
        """Drop the vote of a listener that has left."""
        if self._ballots.pop(listener, None) is not None:
            self._publish()

    async def own_programme(self, requester: Requester) -> PromptReceipt:
        """Steer back to the station's own programme, or queue that; at a station that votes, vote for it.

        Raises:
            Busy: the queue is full, or the requester's address sends too many requests.
        """
        self._check_pace(requester, self._rate_limits)
        self._check_open()
        prompt = self._station.own_prompt
        understanding = await self._understand(prompt)
        if self._station.config.policy == "vote":
            return self._vote(prompt, requester, understanding)
        return await self._queue(PromptRequest(prompt, requester), understanding)

    def close(self) -> None:
        """Drop every request."""
        for timer in (self._timer, self._voting, self._published):
            if timer is not None:
                timer.cancel()
        for task in self._tasks:
            task.cancel()

    async def _understand(self, prompt: str) -> Understanding:
        """What the engine makes of a prompt; the prompt itself if the engine does not answer in time.

        Raises:
            PromptError
        """
        try:
            async with asyncio.timeout(ANSWER_S):
                return await asyncio.to_thread(self._station.understand, prompt)
        except TimeoutError:
            return Understanding(prompt)

    async def _queue(self, request: PromptRequest, understanding: Understanding) -> PromptReceipt:
        now = asyncio.get_running_loop().time()
        left_s = self._steered_at + self._every_s - now
        if left_s <= 0 and not self._waiting and not self._steering.locked():
            return await self._steer_now(request, understanding)
        self._waiting = deque(r for r in self._waiting if r.requester.key != request.requester.key)
        self._check_share(request.requester, self._waiting, "requests waiting")
        if len(self._waiting) >= self._max:
            raise Busy(f"{len(self._waiting)} requests are waiting at this station; try again later", self._every_s)
        self._waiting.append(request)
        self._publish()
        self._schedule(max(0.0, left_s))
        estimate = max(0.0, left_s) + (len(self._waiting) - 1) * self._every_s + RENDER_S
        return PromptReceipt("queued", understanding, None, estimate)

    async def _steer_now(self, request: PromptRequest, understanding: Understanding) -> PromptReceipt:
        """Steer, and answer when that is done or after ANSWER_S: a slow engine goes on with it."""
        steering = self._run(self._steer(request))
        done, _ = await asyncio.wait({steering}, timeout=ANSWER_S)
        if done:
            steered = steering.result()
            heard_in_s = max(0, steered.frame - self._station.edge) / RATE
            return PromptReceipt("turning", steered.understanding, steered.frame, heard_in_s)
        self._late = request
        self._publish()
        steering.add_done_callback(lambda steering: self._late_done(request, steering))
        return PromptReceipt("queued", understanding, None, RENDER_S / min(1.0, max(0.1, self._station.speed)))

    def _late_done(self, request: PromptRequest, steering: asyncio.Task[SteerResult]) -> None:
        self._late = None
        self._publish()
        if not steering.cancelled() and (error := steering.exception()) is not None:
            self._failed(request, error)

    def _run(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin a task that ``close`` cancels."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _vote(self, prompt: str, requester: Requester, understanding: Understanding) -> PromptReceipt:
        loop = asyncio.get_running_loop()
        others = [ballot for key, ballot in self._ballots.items() if key != requester.key]
        self._check_share(requester, others, "votes")
        prompts = {ballot.prompt for ballot in others}
        if prompt not in prompts and len(prompts) >= self._max:
            raise Busy(f"{self._max} prompts are in the vote; choose one of them", self._vote_s)
        self._ballots[requester.key] = PromptRequest(prompt, requester)
        if self._voting is None:
            self._voting = loop.call_later(self._vote_s, self._count)
        self._publish()
        return PromptReceipt(
            "voted", understanding, None, max(0.0, self._voting.when() - loop.time()) + RENDER_S, self.votes
        )

    def _count(self) -> None:
        """End the vote: queue the prompt with most votes, the earliest among equals."""
        self._voting = None
        votes, self._ballots = self.votes, {}
        if votes:
            winner, *losers = votes
            self._waiting.append(PromptRequest(winner, VOTE))
            self._schedule(0.0)
            for prompt in losers:
                self._tell_dropped(PromptRequest(prompt, VOTE), "another prompt won the vote")
        self._publish()

    def _schedule(self, after_s: float) -> None:
        if self._timer is None and self._waiting:
            self._timer = asyncio.get_running_loop().call_later(after_s, self._next)

    def _next(self) -> None:
        self._timer = None
        if self._waiting:
            self._run(self._steer_next())

    async def _steer_next(self) -> None:
        request = self._waiting.popleft()
        self._publish()
        try:
            self._check_open()
            await self._steer(request)
        except LullwaveError as error:
            self._failed(request, error)
        finally:
            self._schedule(self._every_s)

    async def _steer(self, request: PromptRequest) -> SteerResult:
        async with self._steering, self._turns:
            before = self._station.prompt
            if request.undo and not self._earlier:
                raise NothingToUndo
            # read now, since another request may have run in the meantime
            prompt = self._earlier[-1] if request.undo else request.prompt
            if prompt != self._station.own_prompt:
                self.refused.check(prompt)  # the list may have been changed since
            self._steered_at = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(STEER_LIMIT_S):
                    steered = await asyncio.wrap_future(self._station.steer(prompt, STEER_OVER_S))
            except TimeoutError:
                raise EngineFailed(
                    f"station {self._station.id} has not changed its music within {STEER_LIMIT_S:g} s"
                ) from None
            if request.undo:
                self._earlier.pop()
            else:
                self._earlier.append(before)
            return steered

    def _check_open(self, prompt: str = "") -> None:
        """Refuse every request while the steering is frozen, and a prompt that has a refused word."""
        if self.frozen:
            raise Frozen("the owner has frozen the steering of this station; the music stays as it is")
        self.refused.check(prompt)

    def _failed(self, request: PromptRequest, error: BaseException) -> None:
        log.warning("station %s: a request failed: %s", self._station.id, error)
        self._tell_dropped(request, public_words(error))

    def _tell_dropped(self, request: PromptRequest, reason: str) -> None:
        """Tell all listeners that a request that waited, or a vote, has come to nothing."""
        data = {"prompt": request.prompt, "undo": request.undo, "reason": reason}
        self._channel.events.publish(Event("dropped", self._station.edge, data))

    def _drop(self, dropped: Callable[[PromptRequest], bool], reason: str) -> None:
        """Drop requests and votes."""
        gone = {(r.prompt, r.undo): r for r in (*self._waiting, *self._ballots.values()) if dropped(r)}
        for request in gone.values():
            self._tell_dropped(request, reason)
        self._waiting = deque(request for request in self._waiting if not dropped(request))
        self._ballots = {key: ballot for key, ballot in self._ballots.items() if not dropped(ballot)}
        self._publish()

    def _check_pace(self, requester: Requester, limits: RateLimits) -> None:
        now = asyncio.get_running_loop().time()
        if not limits.of(requester.address, now).allows(now):
            raise Busy("your address sends too many requests; try again later", 1.0)

    def _check_share(self, requester: Requester, others: Iterable[PromptRequest], what: str) -> None:
        """Refuse more than an address's share of what waits: listener ids are the clients' own choice."""
        if sum(1 for other in others if other.requester.address == requester.address) >= self._per_address:
            message = f"your address has {self._per_address} {what}, as many as it may have"
            raise Busy(message, max(self._every_s, 1.0))

    def _publish(self) -> None:
        """Publish the queue now, or once the pause after the last time is over."""
        if self._published is not None:
            self._publish_due = True
            return
        self._publish_due = False
        self._published = asyncio.get_running_loop().call_later(PUBLISH_EVERY_S, self._pause_over)
        self._channel.events.publish(Event("queue", self._station.edge, self.data()))

    def _pause_over(self) -> None:
        self._published = None
        if self._publish_due:
            self._publish()
