"""The remote engine: plays streams that an inference server makes.

It connects when it is first used and reconnects after a lost connection. It detects the protocol: ``lullwave.v1``, the
legacy websocket protocol, or, at an ``http://`` address, the legacy HTTP protocol. One connection serves all streams.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...audio import Audio
from ...errors import EngineError, EngineLost, LullwaveError, ProtocolError, StreamClosed
from ...redaction import redacted
from ...request import Request
from ..base import Engine, Stream, Understanding
from . import protocol
from .connection import Connection, RemoteEngineInfo
from .legacy import CHANNELS, RATE, ClipBuffer, LegacyHttpClient, LegacyStream, LegacyWebSocketClient
from .options import RemoteFacts, RemoteOptions, check_address
from .stream import MAX_AHEAD_S, RemoteStream, TransferOptions

CLOSE_S = 0.5  # how long closing waits for a connection attempt


class RemoteEngine(RemoteFacts, Engine):
    """An engine on an inference server; thread-safe. Loading it does not connect yet."""

    def __init__(self, **options: Any) -> None:
        chosen = RemoteOptions(**options)
        self.url = check_address(chosen.url)
        self.shown = redacted(self.url)  # for messages: the address may hold a token
        self._token, self._encoding = chosen.token, chosen.encoding
        self._ahead_s, self._deadline_s = chosen.ahead_s, chosen.deadline_s
        self._connecting = threading.Lock()
        self._connection: Connection | None = None
        self._engine_info: RemoteEngineInfo | None = None
        self._clips: ClipBuffer | None = None
        self._closed = False

    @property
    def engine_info(self) -> RemoteEngineInfo:
        """The engine that the server runs and the server's version, from the last connection.

        Raises:
            EngineLost: the server does not answer.
            EngineError: the server speaks a legacy protocol, which does not tell.
        """
        if (info := self._known_info()) is None:
            raise EngineError(f"{self.shown}: a legacy server does not tell which engine it runs")
        return info

    @property
    def rate(self) -> int:  # type: ignore[override]
        """Of the engine on the server."""
        info = self._known_info()
        return info.rate if info is not None else RATE

    @property
    def channels(self) -> int:  # type: ignore[override]
        """Of the engine on the server."""
        info = self._known_info()
        return info.channels if info is not None else CHANNELS

    @property
    def rewindable_s(self) -> float:
        """Of the engine on the server, less what that engine may be ahead of the reader."""
        info = self._known_info()
        return max(0.0, info.rewindable_s - MAX_AHEAD_S) if info is not None else 0.0

    @property
    def made_by(self) -> str:
        """Of the engine on the server; ``remote`` if the server speaks a legacy protocol, which does not tell."""
        info = self._known_info()
        return info.name if info is not None else self.name

    @property
    def lighter(self) -> Sequence[Mapping[str, Any]]:  # type: ignore[override]
        """Of the engine on the server."""
        info = self._known_info()
        return info.lighter if info is not None else ()

    def open(self, request: Request, **audio_prompts: Audio) -> Stream:
        """Begin a stream.

        Raises:
            EngineLost: the server does not answer or refuses the connection.
            LullwaveError: raised by the engine on the server.
        """
        peer = self._peer()
        if isinstance(peer, ClipBuffer):
            return LegacyStream(request, peer)
        number = peer.next_id()
        fields = {"stream": number, "encoding": self._encoding}
        fields["request"] = {
            "prompt": request.prompt,
            "seed": request.seed,
            "duration_s": request.duration_s,
            "options": dict(request.options),
        }
        return self._begin(peer, number, lambda id: protocol.pack("open", id=id, **fields))

    def restore(self, snapshot: bytes) -> Stream:
        """Continue from a snapshot of the server's engine, made through this engine or directly.

        Raises:
            EngineLost, SnapshotError
        """
        peer = self._peer()
        if isinstance(peer, ClipBuffer):
            return super().restore(snapshot)
        number = peer.next_id()
        return self._begin(peer, number, lambda id: protocol.pack_snapshot(number, id, snapshot, self._encoding))

    def understand(self, prompt: str) -> Understanding:
        peer = self._peer()
        if isinstance(peer, ClipBuffer):
            return super().understand(prompt)
        reply = peer.call(lambda id: protocol.pack("understand", id=id, prompt=prompt)).result()
        return protocol.decode_understanding(reply.get("understanding"))

    def close(self) -> None:
        self._closed = True
        if self._connecting.acquire(timeout=CLOSE_S):  # if not, _peer is connecting and will see _closed
            self._connecting.release()
        if self._connection is not None:
            self._connection.close()
        if self._clips is not None:
            self._clips.close()

    def address(self) -> tuple[str, str]:
        """The address to connect to and the token.

        Raises:
            EngineLost: there is no address now (see ``IsolatedEngine``).
        """
        return self.url, self._token

    def connect(self, url: str, token: str, deadline_s: float) -> Connection:
        """Open a connection; raises ``EngineLost``."""
        return Connection(url, token, deadline_s)

    def _begin(self, connection: Connection, number: int, message: Callable[[int], str | bytes]) -> RemoteStream:
        reply = connection.call(message).result()
        assert connection.engine_info is not None
        # An engine that cannot go back must not run ahead: a snapshot must match what was read.
        ahead_s = min(self._ahead_s, connection.engine_info.rewindable_s / 2.0)
        try:
            return RemoteStream(connection, number, reply, TransferOptions(self._encoding, ahead_s))
        except (ProtocolError, LullwaveError) as error:
            connection.send("cancel", stream=number)  # it has begun on the server
            if isinstance(error, EngineLost):
                raise
            raise EngineLost(f"{self.shown}: {error}") from None

    def _known_info(self) -> RemoteEngineInfo | None:
        """The server's engine, None for a legacy server; connects only if that is unknown."""
        if self._engine_info is None and self._clips is None:
            self._peer()
        return self._engine_info

    def _peer(self) -> Connection | ClipBuffer:
        """The open connection, reconnected if it was lost, or the clip buffer of a legacy server."""
        with self._connecting:
            if self._closed:
                raise StreamClosed("the engine was closed")
            if self._connection is not None and self._connection.open:
                return self._connection
            if self._clips is not None and not self._clips.lost:
                return self._clips
            url, token = self.address()
            if url.startswith("http"):
                self._clips = self._clips or ClipBuffer(LegacyHttpClient(url, token))
                return self._clips
            connection = self.connect(url, token, self._deadline_s)
            if self._closed:
                connection.close()
                raise StreamClosed("the engine was closed")
            if connection.engine_info is None:
                self._clips = self._clips or ClipBuffer(LegacyWebSocketClient(url, token))
                return self._clips
            self._connection, self._engine_info, self._clips = connection, connection.engine_info, None
            return connection
