"""A stream whose blocks arrive over a connection; knows nothing of sockets.

The client grants credit: the server makes blocks up to a frame a little ahead of the reader. That bounds memory on both
sides and hides network latency. Steering takes effect at the frame that is read next: from there on, blocks carry the
next epoch, and blocks of earlier epochs are dropped.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...audio import Audio, Samples
from ...errors import EngineLost, InvalidInput, LullwaveError, ProtocolError, SnapshotError, StreamClosed
from ...request import Request
from ..base import Mark, Stream, Understanding, check_over_s
from . import protocol
from .connection import Connection

MARKS_KEPT_S = 900.0  # how long marks and beats are kept after they were read
BEATS_KEPT = 16384  # at most: MARKS_KEPT_S at 1000 beats a minute
MAX_AHEAD_S = 10.0  # most audio that is requested ahead of the reader


@dataclass(frozen=True)
class TransferOptions:
    """How samples are sent: their format, and how far ahead of the reader."""

    encoding: str
    ahead_s: float  # audio requested ahead of the reader


class RemoteStream(Stream):
    """One stream of a connection. The connection's thread adds blocks while the caller reads."""

    def __init__(
        self, connection: Connection, number: int, opened: Mapping[str, Any], transfer: TransferOptions
    ) -> None:
        self.request = _request(opened)
        self.rate, self.channels = protocol.int_field(opened, "rate"), protocol.int_field(opened, "channels")
        protocol.check_sound(self.rate, self.channels)
        self._total = None if opened.get("total_frames") is None else protocol.int_field(opened, "total_frames")
        self._position = self._arrived = self._credit = protocol.int_field(opened, "position", high=2**63 - 1)
        self._connection, self._number, self._transfer = connection, number, transfer
        self._epoch = 0
        self._blocks: deque[Samples] = deque()
        self._changed = threading.Condition()
        self._waiting: set[Future[Any]] = set()
        self._marks: list[Mark] = []
        self._beats: list[int] = []
        self._error: LullwaveError | None = None
        self._ended = self._closed = False
        self._progress: Mapping[str, Any] = {}
        connection.attach(number, self)

    @property
    def position(self) -> int:
        return self._position

    @property
    def total_frames(self) -> int | None:
        return self._total

    @property
    def tokens_made(self) -> int | None:
        """Tokens that the engine has made for this stream; None if it does not count any."""
        tokens = self._progress.get("tokens")
        return tokens if isinstance(tokens, int) else None

    @property
    def progress(self) -> Mapping[str, Any]:
        """The server's last progress report: ``working_s``, ``queue``, ``frame``."""
        return self._progress

    def read(self, frames: int) -> Audio:
        if frames < 0:
            raise InvalidInput("frames", frames, "a number of frames, at least 0")
        with self._changed:
            if self._total is not None:
                frames = min(frames, self._total - self._position)
            self._give_credit(frames)
            self._changed.wait_for(
                lambda: self._closed or self._error or self._ended or self._arrived - self._position >= frames
            )
            if self._closed:
                raise StreamClosed("the stream was closed")
            if self._arrived - self._position < frames and self._error is not None:
                raise self._error
            audio = Audio(self._take(frames), self.rate)
            self._give_credit(0)
            return audio

    def steer(self, prompt: str, over_s: float = 8.0) -> Understanding:
        check_over_s(over_s)
        fields = {"stream": self._number, "epoch": self._epoch + 1, "at": self._position}
        reply = self._call(
            lambda id: protocol.pack("steer", id=id, **fields, prompt=prompt, over_s=over_s), on_reply=self._on_steered
        )
        return protocol.decode_understanding(reply.get("understanding"))

    def snapshot(self, at_frame: int | None = None) -> bytes:
        at = self._check_frame(at_frame)
        snapshot: bytes = self._call(lambda id: protocol.pack("snapshot", id=id, stream=self._number, at=at))
        return snapshot

    def fork(self, at_frame: int | None = None) -> RemoteStream:
        at, number = self._check_frame(at_frame), self._connection.next_id()
        fields = {"stream": number, "of": self._number, "at": at, "encoding": self._transfer.encoding}
        try:
            reply = self._call(lambda id: protocol.pack("fork", id=id, **fields))
            branch = RemoteStream(self._connection, number, reply, self._transfer)
        except Exception:
            self._connection.send("cancel", stream=number)  # it may have begun, or may still begin
            raise
        with self._changed:
            branch._marks = [mark for mark in self._marks if mark.frame < at]
            branch._beats = self._beats[: bisect_left(self._beats, at)]
        return branch

    def marks(self, start: int, stop: int) -> Sequence[Mark]:
        with self._changed:
            return [mark for mark in self._marks if start <= mark.frame < stop]

    def beats(self, start: int, stop: int) -> Sequence[int]:
        with self._changed:
            return self._beats[bisect_left(self._beats, start) : bisect_left(self._beats, stop)]

    def close(self) -> None:
        with self._changed:
            if self._closed:
                return
            self._closed = True
            waiting = list(self._waiting)
            self._blocks.clear()
            self._changed.notify_all()
        for answer in waiting:
            with suppress(InvalidStateError):  # the reply has just arrived
                answer.set_exception(StreamClosed("the stream was closed"))
        self._connection.detach(self._number)

    # ---- on the connection's thread

    def on_audio(self, block: protocol.BinaryMessage) -> None:
        """Append a block."""
        with self._changed:
            if self._closed or block.epoch != self._epoch:
                return
            audio = block.audio()
            if (block.frame, audio.rate, audio.channels) != (self._arrived, self.rate, self.channels):
                raise ProtocolError(
                    f"a block at frame {block.frame} ({audio.rate} Hz, {audio.channels} channels); "
                    f"expected: {self._arrived} ({self.rate} Hz, {self.channels} channels)"
                )
            if self._arrived + audio.frames > self._credit:
                raise ProtocolError("the server sent more audio than the credit allows")
            self._blocks.append(audio.samples)
            self._arrived += audio.frames
            self._ended = block.last
            self._changed.notify_all()

    def on_message(self, message: Mapping[str, Any]) -> None:
        """Take in progress, marks and beats, or the error that ended the stream."""
        with self._changed:
            if message["op"] == "progress":
                self._progress = message
            elif message.get("epoch") != self._epoch:
                return
            elif message["op"] == "broken":
                self._error = protocol.decode_error(message)
            else:
                marks, beats = protocol.decode_notes(message)
                forgotten = self._position - round(MARKS_KEPT_S * self.rate)
                marks = [mark for mark in self._marks if mark.frame >= forgotten] + marks
                beats = self._beats[bisect_left(self._beats, forgotten) :] + beats
                self._marks, self._beats = marks[-protocol.MAX_NOTES :], beats[-BEATS_KEPT:]
            self._changed.notify_all()

    def on_lost(self, error: EngineLost) -> None:
        """End the stream: what has arrived can still be read."""
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def _on_steered(self, reply: Any) -> None:
        """Drop what arrived from the steered frame on: it belongs to the old epoch."""
        start = protocol.int_field(reply, "from", high=2**63 - 1)
        with self._changed:
            self._epoch = protocol.int_field(reply, "epoch")
            if not self._position <= start <= self._arrived:
                raise ProtocolError(f"steered at frame {start}; allowed: {self._position} to {self._arrived}")
            kept = self._take(start - self._position, keep=True)
            self._blocks = deque([kept] if len(kept) else [])
            self._arrived = start
            self._marks = [mark for mark in self._marks if mark.frame < start]
            self._beats = self._beats[: bisect_left(self._beats, start)]
            self._ended = False
            if not isinstance(self._error, EngineLost):
                self._error = None

    # ---- parts

    def _give_credit(self, frames: int) -> None:
        """Grant credit for ``frames`` and the look-ahead; skipped while half of the look-ahead is left."""
        ahead_s = self._transfer.ahead_s
        if ahead_s:
            ahead_s = min(ahead_s + 2.0 * self._connection.rtt_s, MAX_AHEAD_S)
        ahead = round(ahead_s * self.rate)
        if self._credit < self._position + max(frames, ahead // 2 if self._credit > self._position else 0):
            self._credit = self._position + frames + ahead
            self._connection.send("credit", stream=self._number, to=self._credit)

    def _take(self, frames: int, keep: bool = False) -> Samples:
        """Take up to ``frames`` of the frames that have arrived; ``keep`` leaves them in place."""
        parts: list[Samples] = []
        wanted = min(frames, self._arrived - self._position)
        blocks = deque(self._blocks)
        while wanted:
            part = blocks.popleft()
            if len(part) > wanted:
                blocks.appendleft(part[wanted:])
                part = part[:wanted]
            parts.append(part)
            wanted -= len(part)
        taken = np.concatenate(parts) if parts else np.zeros((0, self.channels), np.float32)
        if not keep:
            self._blocks = blocks
            self._position += len(taken)
        return taken

    def _call(
        self, message: Callable[[int], str | bytes], on_reply: Callable[[Any], None] = lambda answer: None
    ) -> Any:
        with self._changed:
            if self._closed:
                raise StreamClosed("the stream was closed")
        answer = self._connection.call(message, on_reply)
        self._waiting.add(answer)
        try:
            if self._closed:  # closed since the check above
                raise StreamClosed("the stream was closed")
            return answer.result()
        finally:
            self._waiting.discard(answer)

    def _check_frame(self, at_frame: int | None) -> int:
        at = self._position if at_frame is None else at_frame
        if not 0 <= at <= self._position:
            raise SnapshotError(f"at_frame: got {at}; allowed: 0 to {self._position}")
        return at


def _request(opened: Mapping[str, Any]) -> Request:
    """The request of the stream, as the server reports it."""
    fields = opened.get("request")
    if not isinstance(fields, dict):
        raise ProtocolError("a reply that opens a stream without a request")
    return Request(
        str(fields.get("prompt", "")), fields.get("seed", 0), fields.get("duration_s"), fields.get("options") or {}
    )
