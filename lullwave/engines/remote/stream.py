"""A stream whose blocks arrive over a link: read, steered, forked and saved like any other; knows no sockets.

The server makes blocks as far as it was given credit: what is read next and a little more, so that memory is bounded on
both sides and a slow way between them is hidden. A change goes back to the frame that is read next, whatever has
arrived beyond it: from there on blocks carry the next epoch, and those of the one before are dropped.
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
from ..base import Mark, Stream, Understanding
from . import protocol as wire
from .connection import Link

REMEMBERED_S = 900.0  # how long marks and beats are kept
MAX_AHEAD_S = 10.0  # that a slow way may be hidden by


@dataclass(frozen=True)
class Manner:
    """How streams are asked for."""

    encoding: str
    ahead_s: float  # how much is on its way beyond what is read


class RemoteStream(Stream):
    """One stream of a link."""

    def __init__(self, link: Link, number: int, opened: Mapping[str, Any], manner: Manner) -> None:
        self.request = _request(opened)
        self.rate = wire.whole(opened, "rate", 1)
        self.channels = wire.whole(opened, "channels", 1, 255)
        self._total = None if opened.get("total_frames") is None else wire.whole(opened, "total_frames")
        self._position = self._arrived = self._credit = wire.whole(opened, "position", high=2**63 - 1)
        self._link, self._number, self._manner = link, number, manner
        self._epoch = 0
        self._blocks: deque[Samples] = deque()
        self._changed = threading.Condition()
        self._asking: set[Future[Any]] = set()
        self._marks: list[Mark] = []
        self._beats: list[int] = []
        self._error: LullwaveError | None = None
        self._ended = self._closed = False
        self._progress: Mapping[str, Any] = {}
        link.join(number, self)

    @property
    def position(self) -> int:
        return self._position

    @property
    def total_frames(self) -> int | None:
        return self._total

    @property
    def tokens_made(self) -> int | None:
        """What the engine says that it has done for this stream, where it counts."""
        tokens = self._progress.get("tokens")
        return tokens if isinstance(tokens, int) else None

    @property
    def progress(self) -> Mapping[str, Any]:
        """What the server said last of a block that it was asked for: ``working_s``, ``queue``, ``frame``."""
        return self._progress

    def read(self, frames: int) -> Audio:
        if frames < 0:
            raise InvalidInput("frames", frames, "a number of frames, at least 0")
        with self._changed:
            if self._total is not None:
                frames = min(frames, self._total - self._position)
            self._grant(frames)
            self._changed.wait_for(
                lambda: self._closed or self._error or self._ended or self._arrived - self._position >= frames
            )
            if self._closed:
                raise StreamClosed("the stream was closed")
            if self._arrived - self._position < frames and self._error is not None:
                raise self._error
            audio = Audio(self._taken(frames), self.rate)
            self._grant(0)
            return audio

    def steer(self, prompt: str, over_s: float = 8.0) -> Understanding:
        fields = {"stream": self._number, "epoch": self._epoch + 1, "at": self._position}
        reply = self._ask(
            lambda id: wire.pack("steer", id=id, **fields, prompt=prompt, over_s=over_s), settle=self._turned
        )
        return wire.understanding_in(reply.get("understanding"))

    def snapshot(self, at_frame: int | None = None) -> bytes:
        at = self._within(at_frame)
        snapshot: bytes = self._ask(lambda id: wire.pack("snapshot", id=id, stream=self._number, at=at))
        return snapshot

    def fork(self, at_frame: int | None = None) -> RemoteStream:
        at, number = self._within(at_frame), self._link.number()
        fields = {"stream": number, "of": self._number, "at": at, "encoding": self._manner.encoding}
        try:
            reply = self._ask(lambda id: wire.pack("fork", id=id, **fields))
            branch = RemoteStream(self._link, number, reply, self._manner)
        except Exception:
            self._link.tell("cancel", stream=number)  # it may have begun, or still do so
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
            asking = list(self._asking)
            self._blocks.clear()
            self._changed.notify_all()
        for answer in asking:
            with suppress(InvalidStateError):  # it was answered just now
                answer.set_exception(StreamClosed("the stream was closed"))
        self._link.leave(self._number)

    # ---- on the link's thread

    def audio(self, block: wire.Binary) -> None:
        """A block arrived."""
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
                raise ProtocolError("more blocks than there was credit for")
            self._blocks.append(audio.samples)
            self._arrived += audio.frames
            self._ended = block.last
            self._changed.notify_all()

    def told(self, message: Mapping[str, Any]) -> None:
        """Something about the stream."""
        with self._changed:
            if message["op"] == "progress":
                self._progress = message
            elif message.get("epoch") != self._epoch:
                return
            elif message["op"] == "broken":
                self._error = wire.error_in(message)
            else:
                marks, beats = wire.notes_in(message)
                forgotten = self._position - round(REMEMBERED_S * self.rate)
                self._marks = [mark for mark in self._marks if mark.frame >= forgotten] + marks
                self._beats = self._beats[bisect_left(self._beats, forgotten) :] + beats
            self._changed.notify_all()

    def lost(self, error: EngineLost) -> None:
        """The link is gone. What has arrived can still be read."""
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def _turned(self, reply: Any) -> None:
        """What lies at or behind the turn belongs to the old epoch."""
        start = wire.whole(reply, "from", high=2**63 - 1)
        with self._changed:
            self._epoch = wire.whole(reply, "epoch")
            if not self._position <= start <= self._arrived:
                raise ProtocolError(f"steered at frame {start}; allowed: {self._position} to {self._arrived}")
            kept = self._taken(start - self._position, keep=True)
            self._blocks = deque([kept] if len(kept) else [])
            self._arrived = start
            self._marks = [mark for mark in self._marks if mark.frame < start]
            self._beats = self._beats[: bisect_left(self._beats, start)]
            self._ended = False
            if not isinstance(self._error, EngineLost):
                self._error = None

    # ---- parts

    def _grant(self, frames: int) -> None:
        """Give credit for ``frames`` more and for what is to be on its way, in large steps."""
        ahead_s = self._manner.ahead_s
        if ahead_s:
            ahead_s = min(ahead_s + 2.0 * self._link.rtt_s, MAX_AHEAD_S)
        ahead = round(ahead_s * self.rate)
        if self._credit < self._position + max(frames, ahead // 2 if self._credit > self._position else 0):
            self._credit = self._position + frames + ahead
            self._link.tell("credit", stream=self._number, to=self._credit)

    def _taken(self, frames: int, keep: bool = False) -> Samples:
        """Up to ``frames`` frames of what has arrived; ``keep``: without moving on."""
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

    def _ask(self, message: Callable[[int], str | bytes], settle: Callable[[Any], None] = lambda answer: None) -> Any:
        with self._changed:
            if self._closed:
                raise StreamClosed("the stream was closed")
        answer = self._link.ask(message, settle)
        self._asking.add(answer)
        try:
            if self._closed:  # just now
                raise StreamClosed("the stream was closed")
            return answer.result()
        finally:
            self._asking.discard(answer)

    def _within(self, at_frame: int | None) -> int:
        at = self._position if at_frame is None else at_frame
        if not 0 <= at <= self._position:
            raise SnapshotError(f"at_frame: got {at}; allowed: up to {self._position}")
        return at


def _request(opened: Mapping[str, Any]) -> Request:
    """What the stream was asked for, as the server has it."""
    fields = opened.get("request")
    if not isinstance(fields, dict):
        raise ProtocolError("a stream without a request")
    return Request(
        str(fields.get("prompt", "")), fields.get("seed", 0), fields.get("duration_s"), fields.get("options") or {}
    )
