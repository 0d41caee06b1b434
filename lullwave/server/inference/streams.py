"""One stream that is played for a client elsewhere: its commands in order, its blocks as far as there is credit.

Everything that touches the engine happens in ``work``, on a worker's thread. Knows nothing of sockets: what the client
is to be told goes to ``send``.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ...engines.base import Stream
from ...engines.remote import protocol as wire
from ...errors import EngineError, LullwaveError, ProtocolError

BLOCK_S = 0.25  # what is made in one turn, and sent in one message

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parcel:
    """One message to the client."""

    data: str | bytes
    stale: Callable[[], bool] = lambda: False  # nobody wants it any more


Send = Callable[[Parcel], None]


class Chores:
    """Commands that are carried out one after the other: a seat of ``turns``."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._commands: deque[Callable[[], None]] = deque()

    def due(self) -> bool:
        """Whether a command waits."""
        return bool(self._commands)

    def work(self) -> None:
        """The next command."""
        self._commands.popleft()()

    def call(self, id: int, command: Callable[[], dict[str, Any]]) -> None:
        """Queue a command. Its reply ``id`` is what it gives, or the error that it raises."""

        def answered() -> None:
            try:
                reply = command()
            except Exception as error:
                if not isinstance(error, LullwaveError):
                    log.exception("a command failed")
                self.tell("failed", id=id, **wire.encode_error(error))
            else:
                if reply:
                    self.tell("done", id=id, **reply)

        self._commands.append(answered)

    def tell(self, op: str, **fields: Any) -> None:
        """Send a message."""
        self._send(Parcel(wire.pack(op, **fields)))


class Playing(Chores):
    """One stream."""

    def __init__(self, number: int, encoding: str, send: Send, room: Callable[[], bool]) -> None:
        super().__init__(send)
        self.number = number
        self._encoding = encoding
        self._room = room
        self._stream: Stream | None = None
        self._epoch = 0
        self._cut = 0  # blocks of earlier epochs are stale from this frame on
        self._credit = 0  # the frame up to which the client takes blocks
        self._ended = False  # the music did, or the engine broke
        self._closed = False
        self._since: float | None = None  # when the block that is being made was begun

    def due(self) -> bool:
        """Whether a command waits, or a block may be made."""
        if self._closed:
            return False
        return bool(self._commands) or (self._wanting() and self._room())

    def work(self) -> None:
        """The next command, else the next block."""
        if self._commands:
            super().work()
        elif self._stream is not None:
            self._make(self._stream)

    def progress(self) -> dict[str, Any] | None:
        """What is being done, for a client that waits; None when it does not."""
        stream = self._stream
        if stream is None or not self._wanting():
            return None
        since = self._since
        return {
            "stream": self.number,
            "frame": stream.position,
            "working_s": None if since is None else round(time.monotonic() - since, 2),
            "tokens": stream.tokens_made,
        }

    def begin(self, make: Callable[[], Stream]) -> dict[str, Any]:
        """The stream is there from now on; the reply about it."""
        self._stream = stream = make()
        if self._closed:  # meanwhile; whoever comes second closes it
            stream.close()
            return {}
        request = stream.request
        return {
            "stream": self.number,
            "rate": stream.rate,
            "channels": stream.channels,
            "position": stream.position,
            "total_frames": stream.total_frames,
            "request": {
                "prompt": request.prompt,
                "seed": request.seed,
                "duration_s": request.duration_s,
                "options": dict(request.options),
            },
        }

    def grant(self, frame: int) -> None:
        """Credit: the client takes blocks up to ``frame``."""
        self._credit = max(self._credit, frame)

    def fork(self, at: int | None) -> Stream:
        """A second stream from frame ``at`` on."""
        return self._open().fork(at)

    def steer(self, epoch: int, at: int, prompt: str, over_s: float) -> dict[str, Any]:
        """Turn the music from frame ``at`` on, which the client reads next; what lies behind it is made again."""
        stream = self._open()
        if epoch <= self._epoch:
            raise ProtocolError(f"steer: epoch {epoch} follows epoch {self._epoch}; it must be later")
        if stream.position > at:
            with suppress(EngineError):  # it cannot go back: the change is heard after what was sent
                self._stream = fork = stream.fork(at)
                stream.close()
                stream = fork
                if self._closed:
                    stream.close()
        understanding = stream.steer(prompt, over_s)
        self._epoch, self._cut, self._ended = epoch, stream.position, False
        return {"epoch": epoch, "from": stream.position, "understanding": wire.encode_understanding(understanding)}

    def snapshot(self, id: int, at: int | None) -> dict[str, Any]:
        """Send the state at a frame; the reply is a binary message of its own."""
        snapshot = self._open().snapshot(at)
        self._send(Parcel(wire.pack_snapshot(self.number, id, snapshot, self._encoding)))
        return {}

    def close(self) -> None:
        """End what is going on. From any thread but the event loop's: engines may take a moment."""
        self._closed = True
        if self._stream is not None:
            self._stream.close()

    def abandon(self) -> None:
        """Nothing of it is due any more."""
        self._closed = True

    def _wanting(self) -> bool:
        return self._stream is not None and not self._ended and self._stream.position < self._credit

    def _open(self) -> Stream:
        if self._stream is None:
            raise EngineError(f"stream {self.number} has not begun")
        return self._stream

    def _make(self, stream: Stream) -> None:
        """The next block and what begins in it."""
        epoch, start = self._epoch, stream.position
        frames = min(max(1, round(BLOCK_S * stream.rate)), self._credit - start)
        self._since = time.monotonic()
        try:
            audio = stream.read(frames)
            stop = start + audio.frames
            marks, beats = stream.marks(start, stop), stream.beats(start, stop)
        except Exception as error:
            self._ended = True
            if not self._closed:
                log.warning("stream %d broke: %s", self.number, error)
                self.tell("broken", stream=self.number, epoch=epoch, **wire.encode_error(error))
            return
        finally:
            self._since = None
        self._ended = audio.frames < frames or stop == stream.total_frames
        if marks or beats:
            self.tell("notes", stream=self.number, epoch=epoch, **wire.encode_notes(marks, beats))
        data = wire.pack_audio(self.number, epoch, start, audio, self._encoding, self._ended)
        self._send(Parcel(data, lambda: self._closed or (epoch < self._epoch and start >= self._cut)))
