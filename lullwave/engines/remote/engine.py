"""The engine that is elsewhere: connects when it is asked for music, and again after a connection was lost.

It finds out by itself what the other side speaks: ``lullwave.v1``, or the old ``generate``, or, at an ``http://``
address, the old HTTP dialect. One connection serves all streams of an engine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...errors import EngineError, EngineLost, LullwaveError, ProtocolError, StreamClosed
from ...request import Request
from ..base import Engine, Stream, Understanding
from . import protocol as wire
from .clips import CHANNELS, RATE, ClipStream
from .connection import Behind, Link
from .crate import Crate
from .legacy import HttpDialect, SocketDialect
from .options import RemoteFacts, RemoteOptions, check_address
from .stream import MAX_AHEAD_S, Manner, RemoteStream

CLOSE_S = 0.5  # how long closing waits for a connection that is being made


class RemoteEngine(RemoteFacts, Engine):
    """An engine on another machine. Loading it connects to nothing yet."""

    def __init__(self, **options: Any) -> None:
        chosen = RemoteOptions(**options)
        self.url = check_address(chosen.url)
        self._token, self._encoding = chosen.token, chosen.encoding
        self._ahead_s, self._deadline_s = chosen.ahead_s, chosen.deadline_s
        self._connecting = threading.Lock()
        self._link: Link | None = None
        self._behind: Behind | None = None
        self._crate: Crate | None = None
        self._closed = False

    @property
    def behind(self) -> Behind:
        """The engine at the other end and the version of the program that runs it, as it was met last.

        Raises:
            EngineLost: nobody is there.
            EngineError: an old server does not say.
        """
        if (behind := self._met()) is None:
            raise EngineError(f"{self.url}: an old server does not say what makes its music")
        return behind

    @property
    def rate(self) -> int:  # type: ignore[override]
        """Of the engine at the other end."""
        behind = self._met()
        return behind.rate if behind is not None else RATE

    @property
    def channels(self) -> int:  # type: ignore[override]
        """Of the engine at the other end."""
        behind = self._met()
        return behind.channels if behind is not None else CHANNELS

    @property
    def rewindable_s(self) -> float:  # type: ignore[override]
        """Less than that of the engine at the other end, which is a little ahead of what is read."""
        behind = self._met()
        return max(0.0, behind.rewindable_s - MAX_AHEAD_S) if behind is not None else 0.0

    @property
    def lighter(self) -> Sequence[Mapping[str, Any]]:  # type: ignore[override]
        """Of the engine at the other end."""
        behind = self._met()
        return behind.lighter if behind is not None else ()

    def stream(self, request: Request) -> Stream:
        """Begin a stream.

        Raises:
            EngineLost: nobody is there, or refuses us.
            LullwaveError: what the engine at the other end raises.
        """
        peer = self._peer()
        if isinstance(peer, Crate):
            return ClipStream(request, peer)
        number = peer.number()
        fields = {"stream": number, "encoding": self._encoding}
        fields["request"] = {
            "prompt": request.prompt,
            "seed": request.seed,
            "duration_s": request.duration_s,
            "options": dict(request.options),
        }
        return self._begin(peer, number, lambda id: wire.pack("open", id=id, **fields))

    def restore(self, snapshot: bytes) -> Stream:
        """Continue from a snapshot, made here or by the same engine anywhere.

        Raises:
            EngineLost, SnapshotError
        """
        peer = self._peer()
        if isinstance(peer, Crate):
            return super().restore(snapshot)
        number = peer.number()
        return self._begin(peer, number, lambda id: wire.pack_snapshot(number, id, snapshot, self._encoding))

    def understand(self, prompt: str) -> Understanding:
        peer = self._peer()
        if isinstance(peer, Crate):
            return super().understand(prompt)
        reply = peer.ask(lambda id: wire.pack("understand", id=id, prompt=prompt)).result()
        return wire.understanding_in(reply.get("understanding"))

    def close(self) -> None:
        self._closed = True
        if self._connecting.acquire(timeout=CLOSE_S):  # else somebody connects, and will see that it is closed
            self._connecting.release()
        if self._link is not None:
            self._link.close()
        if self._crate is not None:
            self._crate.close()

    def address(self) -> tuple[str, str]:
        """Where to connect to now, and with which token.

        Raises:
            EngineLost: there is no such place now.
        """
        return self.url, self._token

    def _begin(self, link: Link, number: int, message: Callable[[int], str | bytes]) -> RemoteStream:
        reply = link.ask(message).result()
        assert link.behind is not None
        # An engine that cannot go back must not run ahead: its state is to be that of what was read.
        ahead_s = min(self._ahead_s, link.behind.rewindable_s / 2.0)
        try:
            return RemoteStream(link, number, reply, Manner(self._encoding, ahead_s))
        except (ProtocolError, LullwaveError) as error:
            link.tell("cancel", stream=number)  # at the other end it has begun
            if isinstance(error, EngineLost):
                raise
            raise EngineLost(f"{self.url}: {error}") from None

    def _met(self) -> Behind | None:
        """What is known of the other end; asks only if nothing is."""
        if self._behind is None and self._crate is None:
            self._peer()
        return self._behind

    def _peer(self) -> Link | Crate:
        """Who to ask: the connection, made anew where it was lost, or the clips of an old server."""
        with self._connecting:
            if self._closed:
                raise StreamClosed("the engine was closed")
            if self._link is not None and self._link.open:
                return self._link
            if self._crate is not None and not self._crate.lost:
                return self._crate
            url, token = self.address()
            if url.startswith("http"):
                self._crate = self._crate or Crate(HttpDialect(url, token))
                return self._crate
            link = Link(url, token, self._deadline_s)
            if self._closed:
                link.close()
                raise StreamClosed("the engine was closed")
            if link.behind is None:
                self._crate = self._crate or Crate(SocketDialect(url, token))
                return self._crate
            self._link, self._behind, self._crate = link, link.behind, None
            return link
