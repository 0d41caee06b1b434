"""The requests for a station whose music another process makes: passed on through the store, and its answers back.

Who may ask, and how often, is checked here; what becomes of a request, there. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ...clock import Clock
from ...errors import StorageUnavailable
from ...segments.present import Present, read_present
from ...segments.requests import StationRequest, answer_to, send
from ...segments.stored_station import StoredStation
from ...settings import Settings
from ...station import RATE, Event
from ...storage.objects import ObjectStore
from ..errors import NoProducer
from ..live.channel import Channel
from ..live.prompt_queue import ANSWER_S, PromptQueue
from ..live.prompt_request import PromptReceipt, Requester
from .answers import check, receipt_of

LIMIT_S = ANSWER_S + 5.0  # longest wait for an answer: the producer answers within `ANSWER_S`, the store takes a while
POLL_S = 0.1  # between two looks for the answer


class RemoteQueue(PromptQueue):
    """The queue of one station as a server that does not make its music sees it. Event loop only."""

    def __init__(self, channel: Channel, settings: Settings, store: ObjectStore, clock: Clock) -> None:
        super().__init__(channel, settings)
        station = channel.station
        assert isinstance(station, StoredStation)
        self._store, self._clock, self._ahead_s = store, clock, settings.store_ahead_s
        self._facts = station.facts
        self._voters: set[str] = set()
        loop = asyncio.get_running_loop()

        def watch(facts: Present) -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._told, facts)

        station.watch_facts(watch)

    @property
    def waiting(self) -> list[dict[str, Any]]:
        return list(self._facts.queue.get("waiting", ()))

    @property
    def votes(self) -> dict[str, int]:
        return dict(self._facts.queue.get("votes", {}))

    def data(self) -> dict[str, Any]:
        self.frozen = bool(self._facts.queue.get("frozen", False))
        return super().data()

    async def submit(self, prompt: str, requester: Requester) -> PromptReceipt:
        self._check_pace(requester, self._rate_limits)
        self.refused.check(prompt)
        return await self._ask("prompt", requester, prompt=prompt)

    async def undo(self, requester: Requester) -> PromptReceipt:
        self._check_pace(requester, self._rate_limits)
        return await self._ask("undo", requester)

    async def own_programme(self, requester: Requester) -> PromptReceipt:
        self._check_pace(requester, self._rate_limits)
        return await self._ask("own programme", requester)

    async def skip(self) -> bool:
        return bool((await self._send("skip", {}))["skipped"])

    async def set_frozen(self, frozen: bool) -> None:
        await self._send("freeze", {"frozen": frozen})
        self.frozen = frozen

    def forget(self, listener: str) -> None:
        if listener in self._voters:
            self._voters.discard(listener)
            self._run(self._forget(listener))

    async def _forget(self, listener: str) -> None:
        with suppress(NoProducer, StorageUnavailable):
            await self._send("forget", {"listener": listener})

    async def _ask(self, kind: str, requester: Requester, **more: str) -> PromptReceipt:
        """Pass a request on; the reply tells when it is heard here.

        Raises:
            LullwaveError: as the producer says.
            NoProducer, StorageUnavailable
        """
        # addresses are nobody else's business; the producer only has to tell them apart
        address = hashlib.blake2b(requester.address.encode(), digest_size=8).hexdigest()
        receipt = receipt_of(await self._send(kind, {"address": address, "listener": requester.listener, **more}))
        if receipt.state == "voted" and requester.listener is not None:
            self._voters.add(requester.listener)
        heard_in_s = receipt.heard_in_s + self._ahead_s
        if receipt.frame is not None:
            heard_in_s = max(0.0, (receipt.frame - self._station.edge) / RATE) if self._station.edge else self._ahead_s
        return PromptReceipt(
            receipt.state, receipt.understanding, receipt.frame, heard_in_s, receipt.votes, receipt.undone_to
        )

    async def _send(self, kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """The producer's answer to a request.

        Raises:
            LullwaveError: it is an error.
            NoProducer: nobody has answered in time.
            StorageUnavailable: the store does not answer.
        """
        name, request = self._station.id, StationRequest(kind, self._clock.wall(), data)

        def put() -> int:
            facts = read_present(self._store, name)
            return send(self._store, name, request, 0 if facts is None else facts.next_request)

        try:
            async with asyncio.timeout(LIMIT_S):
                number = await asyncio.to_thread(put)
                while (answer := await asyncio.to_thread(answer_to, self._store, name, number)) is None:
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise NoProducer(f"no server makes the music of {name} at present; try again later") from None
        check(answer)
        return answer

    def _told(self, facts: Present) -> None:
        """Pass on to listeners what the producer tells."""
        before, self._facts = self._facts, facts
        edge, events = self._station.edge, self._channel.events
        if facts.queue != before.queue:
            events.publish(Event("queue", edge, self.data()))
        known = {one.get("number") for one in before.dropped}
        if before.epoch:  # not those of before this server began
            for one in facts.dropped:
                if one.get("number") not in known:
                    told = {name: value for name, value in one.items() if name != "number"}
                    events.publish(Event("dropped", edge, told))
